package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
)

// statement is what one document says, or why it does not count.
type statement struct {
	doc    Document
	by     config.Approver
	signed evidence.Approval
	why    string
}

// hear judges every document, and gives when each person last took back what she
// had decided.
func (q Question) hear() (said []statement, withdrawn map[string]time.Time) {
	withdrawn = map[string]time.Time{}
	for _, d := range q.Documents {
		by, signed, why := q.judge(d)
		said = append(said, statement{d, by, signed, why})
		if who := person(by); why == "" && signed.Decision == evidence.Withdraw && signed.CreatedAt.After(withdrawn[who]) {
			withdrawn[who] = signed.CreatedAt
		}
	}
	return said, withdrawn
}

// until is when an approval ceases to count.
func (q Question) until(a evidence.Approval) time.Time {
	if end := a.CreatedAt.Add(q.MaxExpires); q.MaxExpires > 0 && end.Before(a.ExpiresAt) {
		return end
	}
	return a.ExpiresAt
}

// capped says that it is the trust base that ended it, where that is so.
func (q Question) capped(a evidence.Approval) string {
	if !q.until(a).Before(a.ExpiresAt) {
		return ""
	}
	return ", since approvals count for " + q.MaxExpires.String() + " at most"
}

// union is both, folded, sorted and once each.
func union(a, b []string) []string {
	var out []string
	for _, s := range slices.Concat(a, b) {
		if !slices.ContainsFunc(out, func(x string) bool { return strings.EqualFold(x, s) }) {
			out = append(out, s)
		}
	}
	return out
}
