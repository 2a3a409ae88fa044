package executor

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// A review and a denial are runs of their own, opened and closed at once, with the
// evidence of what was said; what fails on the way is not called done.
func TestRunsThatAreOpenedAndClosed(t *testing.T) {
	t.Parallel()
	asked := []plan.Judgement{{ID: "asked"}}
	for name, tc := range map[string]struct {
		do      func(*Executor, *Job) error
		id      string
		outcome string
		lines   []evidence.Run
	}{
		"a review": {
			func(x *Executor, j *Job) error { return x.Review(t.Context(), j, "run-0", []byte(`{"r":1}`)) }, "review/run-0", "reviewed",
			[]evidence.Run{
				{Common: evidence.Common{Sequence: 1}, Event: "opened", Facts: map[string]string{"ci": "none"}},
				{Common: evidence.Common{Sequence: 2}, Event: "review", Review: []byte(`{"r":1}`)},
				{Common: evidence.Common{Sequence: 3}, Event: "closed", Outcome: "reviewed", Total: 3, Resets: []evidence.ResetLink{}},
			},
		},
		"a denial": {
			func(x *Executor, j *Job) error { return x.Deny(t.Context(), j, []string{"no", "never"}) }, "denied/run-1", "denied",
			[]evidence.Run{
				{Common: evidence.Common{Sequence: 1}, Event: "opened", Facts: map[string]string{"ci": "none"}},
				{Common: evidence.Common{Sequence: 2}, Event: "denied", Outcome: "no\nnever", Requirements: &plan.Requirements{Approvals: []plan.Approvals{}, Strength: "aal2"}, Decisions: []plan.Decision{{Rule: "d", Controls: []string{}}}, Judged: asked},
				{Common: evidence.Common{Sequence: 3}, Event: "closed", Outcome: "denied", Total: 3, Resets: []evidence.ResetLink{}},
			},
		},
	} {
		for fails, b := range map[string]*book{"": {}, "opening": {unopened: errGone}, "writing": {unwritten: errGone}, "filing": {unfilable: errGone}} {
			r, _ := booked(b, "credential.t.a")
			r.job.Facts, r.job.Judged = map[string]string{"ci": "none"}, asked
			r.job.File.Plan.Requirements, r.job.File.Plan.Decisions = plan.Requirements{Approvals: []plan.Approvals{}, Strength: "aal2"}, []plan.Decision{{Rule: "d", Controls: []string{}}}
			if err := tc.do(r.x, r.job); (err == nil) != (fails == "") || err != nil && !errors.Is(err, errGone) {
				t.Errorf("%s, %s: %v", name, fails, err)
			}
			if fails == "opening" {
				if len(b.signed)+len(b.records) > 0 {
					t.Errorf("%s, which was not opened: %+v", name, b.records)
				}
				continue
			}
			opened := []journal.Run{{
				ID: "run-1", PlanID: tc.id, PlanDigest: "sha256:1", Operator: "op", OpenedAt: noon, Plan: encodePlan(r.job.File), Meta: []byte(`{"m":1}`),
			}}
			if diff := cmp.Diff(opened, b.opened); diff != "" {
				t.Errorf("%s, %s: opened (-want +got):\n%s", name, fails, diff)
			}
			if diff := cmp.Diff(tc.lines, b.lines()); diff != "" {
				t.Errorf("%s, %s: evidence (-want +got):\n%s", name, fails, diff)
			}
			if fails == "writing" {
				continue
			}
			if diff := cmp.Diff(&journal.Close{Run: "run-1", At: noon, Outcome: tc.outcome}, b.batches[0].Close); diff != "" || len(b.records) != 3 {
				t.Errorf("%s, %s: %d records, closed (-want +got):\n%s", name, fails, len(b.records), diff)
			}
			if want := 3; fails == "" && len(b.filed) != want || fails != "" && len(b.filed) > 0 {
				t.Errorf("%s, %s: filed %v", name, fails, b.filed)
			}
		}
	}
}
