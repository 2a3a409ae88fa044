package planner_test

import (
	"context"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
)

// What apply would not begin is said by the plan, with what to do about it; a plan of
// nothing else is refused.
func TestWhatHasNoRecord(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": shapes + runbooks}, nil)
	at := targets{"api": {Incomplete: true}}
	const api, role = "credential.mem_token.api", "credential.mem_password.role"
	for name, tc := range map[string]struct {
		reason    lifecycle.Reason
		addresses []string
		refused   bool
		says      string // "" where it is like any other
	}{
		"contained":               {lifecycle.Compromised, []string{api}, true, "-reason=scheduled to make the first one"},
		"retired":                 {lifecycle.Offboarding, []string{api}, true, "there is nothing to retire"},
		"contained beside others": {lifecycle.Compromised, []string{api, role}, false, "-reason=scheduled to make the first one"},
		"retired beside others":   {lifecycle.Offboarding, []string{api, role}, false, "there is nothing to retire"},
		"made":                    {lifecycle.Scheduled, []string{api}, false, ""},
		"others alone":            {lifecycle.Compromised, []string{role}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			planned, diags := newPlanner(t, w, at).Plan(context.Background(), planner.Request{Reason: tc.reason, Requester: "r", Addresses: tc.addresses})
			if diags.HasErrors() != tc.refused || (planned == nil) != tc.refused {
				t.Fatalf("refused: %v", diags.Err())
			}
			said := ""
			for _, d := range diags {
				said += d.Detail
				if d.Severity == diag.Error && d.Exit != 0 {
					t.Errorf("exit %d", d.Exit)
				}
			}
			if (said == "") != (tc.says == "") || !strings.Contains(said, tc.says) || tc.says != "" && !strings.Contains(said, api) {
				t.Errorf("it says %q", said)
			}
			if planned == nil {
				return
			}
			for _, r := range planned.File.Plan.Resets {
				notes := strings.Join(r.Notes, "\n")
				noted := strings.Contains(notes, "will not begin") && strings.Contains(notes, tc.says)
				if noted != (r.Address == api && tc.says != "") || noted && strings.Contains(notes, "there is no old one to kill") {
					t.Errorf("%s: notes %q", r.Address, notes)
				}
			}
			// One that was saved is compared, and not refused out of hand.
			again := planner.Again(planned.File)
			gone := targets{"api": {Incomplete: true}, "role": {Incomplete: true}}
			if _, diags := newPlanner(t, w, gone).Plan(context.Background(), again); diags.HasErrors() {
				t.Errorf("planned again: %v", diags.Err())
			}
		})
	}
}
