package evidence

import (
	"errors"
	"slices"
	"strings"
)

// approvalRecord checks an approval that a run rests on: it is about this very plan, and
// its signature is whole. Whose it is, is known only of people who are: approvers come
// and go, and an approval of one who is gone is counted as not checked.
func (v *verification) approvalRecord(f *recordFile, r *Run) {
	if r.Event != "approval" {
		if len(r.Approval) > 0 {
			v.bad(f, f.lines, CodeAssertion, "the record of %s carries an approval", r.Event)
		}
		return
	}
	said, by, err := parseStatementOf[Approval](anApproval(), r.Approval)
	if err != nil {
		v.bad(f, f.lines, CodeAssertion, "%v", err)
		return
	}
	switch {
	case said.Decision != Approve:
		v.bad(f, f.lines, CodeAssertion, "what stands as %s's approval says: %s", said.Approver, said.Decision)
	case said.PlanID != r.PlanID || said.PlanDigest != r.PlanDigest:
		v.bad(f, f.lines, CodeAssertion, "%s's approval is about another plan", said.Approver)
	case !r.under(said.PolicyDigest, said.TrustDigest):
		v.bad(f, f.lines, CodeAssertion, "%s's approval was given under other policies or another trust base than the run's", said.Approver)
	}
	switch err := v.signedBy(f.run, anApproval(), r.Approval, by); {
	case errors.Is(err, ErrKey), errors.Is(err, ErrNoAuthority):
		v.mu.Lock()
		v.report.Unchecked++
		v.mu.Unlock()
	case err != nil:
		v.bad(f, f.lines, CodeAssertion, "an approval by %s: %v", said.Approver, err)
	}
}

// under reports whether these are the policies and the trust base of the record's plan:
// what a person signs counts under those only.
func (c *Common) under(policies, trust string) bool {
	return policies == c.PolicyDigest && trust == c.TrustDigest
}

// overrideRecord checks an override that a run was opened under: an approver signed
// it, about this very plan. Nothing else carries one.
func (v *verification) overrideRecord(f *recordFile, r *Run) {
	if r.Event != "override" {
		if len(r.Override) > 0 {
			v.bad(f, f.lines, CodeAssertion, "the record of %s carries an override", r.Event)
		}
		return
	}
	said, by, err := parseStatementOf[Override](anOverride(), r.Override)
	if err != nil {
		v.bad(f, f.lines, CodeAssertion, "%v", err)
		return
	}
	for _, d := range said.Denials {
		if f.named == nil {
			f.named = map[Denial]bool{}
		}
		f.named[d] = true
	}
	switch {
	case !v.signedByApprover(f, anOverride(), r.Override, said.Approver, by):
	case said.PlanID != r.PlanID || said.PlanDigest != r.PlanDigest:
		v.bad(f, f.lines, CodeAssertion, "%s's override is about another plan", said.Approver)
	case !r.under(said.PolicyDigest, said.TrustDigest):
		v.bad(f, f.lines, CodeAssertion, "%s's override was signed under other policies or another trust base than the run's", said.Approver)
	}
}

// glassRun is what the records of a run that broke the glass say of who took part.
type glassRun struct {
	names []string
	by    []Signatory
}

// reviewed is a review as it stands in evidence.
type reviewed struct {
	said *Review
	by   Signatory
	file string
	line int
}

// glassRecord checks what a run's record says of break-glass and reviews, and keeps
// who took part.
func (v *verification) glassRecord(f *recordFile, r *Run) {
	word := r.word()
	if len(r.Review) > 0 {
		word = nil // of another run
	}
	v.party(f.run, r.participants(), word)
	if r.Event != "break_glass" && (len(r.BreakGlass) > 0 || !r.ReviewDue.IsZero()) || r.Event != "review" && len(r.Review) > 0 {
		v.bad(f, f.lines, CodeAssertion, "the record of %s carries a statement of another kind", r.Event)
	}
	switch r.Event {
	case "break_glass":
		said, by, err := parseStatementOf[BreakGlass](aBreakGlass(), r.BreakGlass)
		switch {
		case err != nil:
			v.bad(f, f.lines, CodeAssertion, "%v", err)
		case r.ReviewDue.IsZero() || !strings.HasSuffix(f.run, Glass):
			v.bad(f, f.lines, CodeAssertion, "the glass was broken, and the run does not say when a review is owed, or not in its name")
		case !v.signedByApprover(f, aBreakGlass(), r.BreakGlass, said.Member, by):
		case said.PlanID != r.PlanID || said.PlanDigest != r.PlanDigest:
			v.bad(f, f.lines, CodeAssertion, "%s broke the glass for another plan", said.Member)
		case !r.under(said.PolicyDigest, said.TrustDigest):
			v.bad(f, f.lines, CodeAssertion, "%s broke the glass under other policies or another trust base than the run's", said.Member)
		}
	case "review":
		said, by, err := parseStatementOf[Review](aReview(), r.Review)
		switch {
		case err != nil:
			v.bad(f, f.lines, CodeAssertion, "%v", err)
		case v.signedByApprover(f, aReview(), r.Review, said.Reviewer, by):
			if said.PlanID != r.PlanID || said.PlanDigest != r.PlanDigest {
				v.bad(f, f.lines, CodeAssertion, "%s reviewed a run of another plan", said.Reviewer)
			}
			v.mu.Lock()
			v.reviews = append(v.reviews, reviewed{said, by, f.path(), f.lines})
			v.mu.Unlock()
		}
	}
}

// party keeps who took part in a run that broke the glass.
func (v *verification) party(run string, names []string, w *Word) {
	if !strings.HasSuffix(run, Glass) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.glass[run]
	if g == nil {
		g = &glassRun{}
		v.glass[run] = g
	}
	g.names = append(g.names, names...)
	if w != nil {
		g.names, g.by = append(g.names, w.Name), append(g.by, w.By)
	}
}

// settle finds fault with reviews by those who took part, and says what is owed.
func (v *verification) settle() error {
	for _, r := range v.reviews {
		g := v.glass[r.said.Run]
		if g != nil && v.tookPart(g, r) {
			v.find(CodeAssertion, r.file, r.line, "%s reviewed run %s, and took part in it", r.said.Reviewer, r.said.Run)
		}
	}
	var err error
	v.report.Debts, err = Debts(v.Dir, v.PublicKeys, v.Now)
	return err
}

// tookPart reports whether a reviewer is one of those who took part: by what she signed
// with, and by any name that she is known by under whatever she signed with.
func (v *verification) tookPart(g *glassRun, r reviewed) bool {
	names := append(v.names(r.by), r.said.Reviewer)
	took := slices.Clone(g.names)
	for _, by := range g.by {
		if by == r.by {
			return true
		}
		took = append(took, v.names(by)...)
	}
	return slices.ContainsFunc(names, func(a string) bool {
		return a != "" && slices.ContainsFunc(took, func(b string) bool { return strings.EqualFold(a, b) })
	})
}
