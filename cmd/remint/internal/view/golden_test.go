package view

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/cmd/remint/internal/terminal"
	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds what a view writes against testdata/NAME.
func golden(t *testing.T, name string, write func(*View)) {
	t.Helper()
	var out, errs bytes.Buffer
	v := New(&terminal.Terminal{Out: &out, Err: &errs})
	write(v)
	got := out.String()
	if errs.Len() > 0 {
		got += "--- stderr\n" + errs.String()
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go test -update, and look at what it writes", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func sample(n int) *plan.File {
	f := &plan.File{ID: "0123456789abcdef", Digest: "sha256:ab", Plan: plan.Plan{
		Reason: "scheduled", Mode: "cutover", Ticket: "T-1", Requester: "carol\x1b[2J", Applyable: true, Trust: plan.SelfAsserted,
		Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Group: "security"}}, Strength: "none"},
		Decisions: []plan.Decision{
			{Source: "builtin", Rule: "no_owner", Level: plan.Deny, Message: "An owner must be named.", Address: "credential.t.a"},
			{Source: "house", Rule: "busy", Level: plan.Warn, Message: "It is a busy day."},
		},
	}}
	for i := range n {
		address := fmt.Sprintf("credential.t.a[%q]", fmt.Sprintf("%03d", i))
		f.Plan.Resets = append(f.Plan.Resets, plan.Reset{
			Address: address, CredentialType: "t", Owner: "ann@example.com", Environment: "production", Runbook: plan.Runbook{Name: "t", Builtin: true},
			Observed: plan.Observed{Target: "db:42", Exists: i%7 != 6}, Notes: []string{"Gap: from install until the stores have the new secret, whoever logs in with what they hold is refused."},
			Steps: []plan.Step{
				{Address: "issue.password", Phase: "issue", Summary: "make a new one", Reversible: true},
				{Address: "install.role", Phase: "install", Summary: "replace the secret"},
			},
		})
		f.Seen = append(f.Seen, plan.Seen{Address: address, Sessions: i})
	}
	return f
}

func TestPlan(t *testing.T) {
	golden(t, "plan.txt", func(v *View) { v.Plan(sample(2), "a.plan") })
	golden(t, "plan-many.txt", func(v *View) { v.Plan(sample(40), "") })
	golden(t, "plan-none.txt", func(v *View) { v.Plan(sample(0), "") })
}

func TestDiagnostics(t *testing.T) {
	golden(t, "diagnostics.txt", func(v *View) {
		v.Diagnostics(diag.Diagnostics{
			{Severity: diag.Error, Summary: "Unknown attribute", Detail: "There is no \"ownr\". Did you mean \"owner\"?",
				Range:   &diag.Range{Filename: "main.remint.hcl", Start: diag.Pos{Line: 3, Column: 3}},
				Snippet: &diag.Snippet{Context: `credential "t" "a"`, Code: "\townr = \"x\u202ey\"\n", StartLine: 3, HighlightStart: 1, HighlightEnd: 5}},
			{Severity: diag.Warning, Summary: "Old", Detail: "Two\nlines.", Address: "credential.t.a"},
		})
	})
}

func TestRun(t *testing.T) {
	until := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	golden(t, "run.txt", func(v *View) {
		sink, flush := v.Run()
		for _, e := range []event.Event{
			{Type: event.RunOpened, Run: "r1", Total: 2, Trust: plan.SelfAsserted},
			{Type: event.StepCompleted, Address: "credential.t.a", Step: "install.role", Detail: "done"},
			{Type: event.StepWaiting, Address: "credential.t.a", Step: "terminate.sessions", Until: &until, Message: "a login may still complete"},
			{Type: event.StepWaiting, Address: "credential.t.a", Step: "terminate.sessions", Until: &until, Message: "a login may still complete"},
			{Type: event.ResetFinished, Address: "credential.t.a", Outcome: "finished", Proof: "tested"},
			{Type: event.StepFailed, Address: "credential.t.b", Message: "confirm.login: no"},
			{Type: event.ResetFinished, Address: "credential.t.b", Outcome: "halted", Message: "credential.t.b: halted: no"},
			{Type: event.RunClosed, Message: "run r1: unfinished"},
		} {
			sink.Emit(e)
		}
		flush()
		v.Results([]*executor.Result{{Run: "r1", Trust: plan.SelfAsserted, Filed: true, Resets: []executor.ResetResult{
			{Address: "credential.t.a", Outcome: executor.Finished, Proof: "tested", Changed: true},
			{Address: "credential.t.b", Outcome: executor.Halted, Step: "confirm.login", Error: "no", Changed: true},
		}}})
		v.Results([]*executor.Result{{Run: "r2", Reason: lifecycle.Compromised, Trust: plan.SelfAsserted, Filed: true, Closed: true, Resets: []executor.ResetResult{
			{Address: "credential.t.a", Outcome: executor.Finished, Proof: "tested", Changed: true},
			{Address: `credential.t.b["o'neill"]`, Outcome: executor.Abandoned, Changed: true},
		}}})
	})
}

func TestQuestions(t *testing.T) {
	step := &event.Question{Run: "r1", Address: `credential.t.b["o'neill\u001b[2J"]`, Step: "reload.web", Asks: "Did consumer command.web pick it up?", Done: "it goes on", NotDone: "it is told again"}
	whole := executor.Whole("r1", "credential.t.c")
	golden(t, "questions.txt", func(v *View) {
		v.Results([]*executor.Result{{Run: "r1", Trust: plan.SelfAsserted, Filed: true, Resets: []executor.ResetResult{
			{Address: "credential.t.a", Outcome: executor.Finished, Proof: "tested", Changed: true, Asserted: []string{"reload.web", "notify.owner"}},
			{Address: step.Address, Outcome: executor.Halted, Step: "reload.web", Error: "killed", Changed: true, Question: step},
			{Address: "credential.t.c", Outcome: executor.Halted, Step: "prove.dead", Error: "no answer", Changed: true, Question: whole},
		}}})
		v.Runs([]engine.RunStatus{{ID: "r1", Trust: plan.SelfAsserted, Operator: "op", Outcome: "open", Resets: []engine.RunReset{{
			Address: "credential.t.b", Outcome: "halted", Question: &engine.OpenQuestion{Told: step.Told(), Answers: []engine.GivenAnswer{{By: "alice", Answer: "done"}}},
			Steps: []engine.RunStep{{Step: "reload.web", Outcome: "unknown", Error: "killed"}, {Step: "notify.owner", Outcome: "asserted", Answer: "done", AssertedBy: "alice"}},
		}, {Address: "credential.t.c", Outcome: "abandoned", AssertedBy: "bob"}}}}, true, nil)
		v.Resolved(&engine.SignedResolution{Resolution: evidence.Resolution{Run: "r1", Approver: "alice", Answer: "done", Question: "Did it?"}, Does: "it goes on"})
	})
}

func TestGraph(t *testing.T) {
	f := sample(2)
	f.Plan.Resets[1].DependsOn = []string{f.Plan.Resets[0].Address}
	f.Plan.Resets[1].Steps[1].DependsOn = []string{"issue.password"}
	golden(t, "graph.dot", func(v *View) { v.Graph(f, "dot") })
	golden(t, "graph.mmd", func(v *View) { v.Graph(f, "mermaid") })
}
