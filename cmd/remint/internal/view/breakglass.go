package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/evidence"
)

// BreakGlassSigned says what was signed, and what it will cost.
func (v *View) BreakGlassSigned(s *engine.SignedBreakGlass, path string) {
	b := s.Statement
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "file": path, "trust": s.Trust, "statement": b, "review_within": s.ReviewWithin.String(), "notify": s.Notify, "via": list(s.Via), "local": s.Local})
		return
	}
	v.Note(fmt.Sprintf("%s breaks the glass for this plan until %s: %s (trust: %s)", b.Member, b.ExpiresAt.UTC().Format(time.RFC3339), path, s.Trust))
	v.Note("It takes her verification at aal2 for this plan (remint verify), the approval of one other approver, and remint apply -break-glass.")
	tells := fmt.Sprintf("Told before anything is changed: %s, through %s", strings.Join(s.Notify, ", "), strings.Join(s.Via, ", "))
	if s.Local {
		tells += ", which only writes into a file there: see that something carries it on at once"
	}
	v.Note(tells + ".")
	v.Note(fmt.Sprintf("A review by somebody who took no part is owed within %s.", s.ReviewWithin))
}

// Reviewed says what was filed.
func (v *View) Reviewed(r *evidence.Review) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "review": r})
		return
	}
	v.Note(fmt.Sprintf("%s reviewed run %s: %s", r.Reviewer, r.Run, r.Comment))
}

// owed shows the reviews that are owed.
func (v *View) owed(debts []evidence.Debt) {
	for i, d := range debts {
		if i == maxListed {
			v.Text(fmt.Sprintf("… and %d more reviews are owed\n", len(debts)-i))
			return
		}
		word := v.out().yellow("Owed: ")
		if d.Overdue {
			word = v.out().paint("1;31", "OVERDUE: ")
		}
		v.Text(word + safe(engine.DebtText(d)) + ". remint review -key=FILE -comment=C " + safe(d.Run) + "\n")
	}
}

// orNone is never null in JSON.
func orNone(debts []evidence.Debt) []evidence.Debt {
	if debts == nil {
		return []evidence.Debt{}
	}
	return debts
}
