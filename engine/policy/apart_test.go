package policy

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// Rego that is judged in a process of its own sees the same input, to the last
// digit, and what it says arrives the same.
func TestApartIsTheSame(t *testing.T) {
	const text = `package remint.%s
warn contains {"id": "all", "msg": substring(sprintf("%v", [input]), 0, 4000)} if true
warn contains {"id": "each", "msg": substring(sprintf("%v", [r]), 0, 4000), "address": r.address, "controls": ["b", "a"]} if some r in input.resets
deny contains {"id": "first", "msg": "m", "address": input.resets[0].address} if input.reason == "compromised"
require contains {"approvals": 2, "group": "g", "address": r.address} if { some r in input.resets; r.production }
require contains {"strength": "aal2"} if input.mode == "contain"
`
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 7200))
	steps := []Step{{Address: "issue.x", Phase: lifecycle.Issue, Reversible: true, Controls: []string{"c", "d"}}, {Address: "<&>"}}
	in := &Input{
		Version: InputVersion, Reason: lifecycle.Compromised, Mode: lifecycle.Contain, Ticket: "T\u2028\"\\\x00", Requester: "alice", Trust: plan.SelfAsserted,
		Requirements: &plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Group: "g", Addresses: []string{"credential.t.a"}}}, Strength: "aal1"},
		Operator:     "bob", Approvals: []Approval{{Approver: "carol", Groups: nil}, {Approver: "dan", Groups: []string{"x"}}},
		Verification: &Verification{Identity: "alice", Strength: "aal2"}, Unattended: true,
		Resets: []Reset{
			{Address: "credential.t.a", Production: true, Steps: steps, Phases: []lifecycle.Phase{"issue"}, EntropyBits: 238.5,
				Labels:     map[string]string{"a": "b", "": "ü"},
				Attributes: map[string]any{"n": 12345678901234567, "f": 0.1, "big": 1e300, "l": []any{"x", nil, true, map[string]any{"k": []string{"v"}}}, "z": int64(-1)}},
			{Address: "credential.t.b", Steps: steps, Phases: []lifecycle.Phase{"issue"}, Observed: plan.Observed{Generation: 1 << 60, Versions: []string{"1"}}},
			{Address: "credential.t.c", Steps: []Step{{Address: "issue.x", Phase: lifecycle.Issue}}, Runbook: plan.Runbook{Name: "other", Builtin: true}, Result: &Result{Proof: "tested", Final: true, SessionsEnded: 3}},
			{Address: "credential.t.d"},
		},
	}
	for stage, name := range map[Stage]string{StagePlan: "plan", StageApproval: "approval", StageResult: "result"} {
		asked := *in
		asked.Stage = stage
		if stage == StageApproval {
			asked.Now = &now
		}
		rego := "package remint." + name + text[len("package remint.%s"):]
		known := named("house", Mandatory, rego)
		known.Known = true
		want, diags := compileAll(t, known).Explain(context.Background(), &asked)
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		got, diags := compileAll(t, named("house", Mandatory, rego)).Explain(context.Background(), &asked)
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		if diff := cmp.Diff(want, got, verdictOnly); diff != "" || len(got.Verdict.Decisions) != 6 || len(got.Rules) != 5 {
			t.Errorf("%s: %d decisions, %d rules\n%s", stage, len(got.Verdict.Decisions), len(got.Rules), diff)
		}
	}
}
