package policy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// A set that could not be read answers nothing at any stage, says why, and has that
// logged; with no fault to tell, it does not agree either.
func TestUnread(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]diag.Diagnostics{
		"is not there":         diag.Errored(diag.ExitDenied, "A policy folder is missing", "rules, which is not there."),
		"could not be read":    nil,
		"could not be read. W": diag.Diagnostics{}.Warnf("a warning", "is no fault"),
	} {
		var logged []policy.Record
		set := policy.Options{Log: func(r policy.Record) error { logged = append(logged, r); return nil }}.Unread("sha256:of-then", faults)
		for _, stage := range []policy.Stage{policy.StagePlan, policy.StageApproval, policy.StageResult} {
			in := &policy.Input{Stage: stage}
			v, diags := set.Eval(context.Background(), in, in)
			said := ""
			if err := diags.Err(); err != nil {
				said = err.Error()
			}
			if diags.Exit() != diag.ExitDenied || !strings.Contains(said, name[:min(len(name), 12)]) {
				t.Errorf("%s, %s: %v", name, stage, diags.Err())
			}
			if v.Judgement.Result != plan.Unanswered || v.Judgement.PolicyDigest != "sha256:of-then" || len(v.Decisions) > 0 {
				t.Errorf("%s, %s: %+v", name, stage, v)
			}
		}
		if len(logged) != 3 || logged[0].Error == nil || logged[0].Result != nil {
			t.Errorf("%s: logged %+v", name, logged)
		}
		if !set.Unread().HasErrors() {
			t.Errorf("%s: it passes for whole", name)
		}
		set.Close()
	}
}
