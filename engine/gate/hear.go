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

// withdrawals are when each person last took back her approvals, and her rejections.
type withdrawals struct{ approvals, rejections map[string]time.Time }

// hear judges every document, and gives when each person last took back what she
// had decided. A key that has ended takes back approvals only: a rejection stands
// until a key that still counts takes it back.
func (q Question) hear() (said []statement, withdrawn withdrawals) {
	withdrawn = withdrawals{map[string]time.Time{}, map[string]time.Time{}}
	latest := func(of map[string]time.Time, who string, at time.Time) {
		if at.After(of[who]) {
			of[who] = at
		}
	}
	for _, d := range q.Documents {
		by, signed, why := q.judge(d)
		said = append(said, statement{d, by, signed, why})
		if why != "" || signed.Decision != evidence.Withdraw {
			continue
		}
		latest(withdrawn.approvals, person(by), signed.CreatedAt)
		if by.Ended(q.Now) == "" {
			latest(withdrawn.rejections, person(by), signed.CreatedAt)
		}
	}
	return said, withdrawn
}

// stricter reports whether what a's key signed can only hold the plan up, and is dated
// while the key was good. It goes on counting when the key ends. Who has a stolen key
// can write any date, and gains nothing by this one but a plan that waits.
func (q Question) stricter(a config.Approver, signed evidence.Approval) bool {
	return (signed.Decision == evidence.Reject || signed.Decision == evidence.Withdraw) && a.Ended(signed.CreatedAt) == ""
}

// rejection says who said no, and what to do where she may not have.
func rejection(by config.Approver, comment string, now time.Time) string {
	text := by.Name + " rejected this plan."
	if comment != "" {
		text = by.Name + " rejected this plan: " + comment
	}
	if ended := by.Ended(now); ended != "" {
		text = strings.TrimRight(text, ". ") + ". It is dated from before her key " + ended + ", and so still counts. If it was not she, let her take it back " +
			"with another key of hers (remint approve -withdraw), or remove the block of the old key, and plan again."
	}
	return text
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
