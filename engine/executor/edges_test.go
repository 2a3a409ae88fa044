package executor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

const addressA = "credential.mem_password.a"

// untouched says that no call since then changed anything outside.
func (e *env) untouched(t *testing.T) {
	t.Helper()
	for _, op := range []string{"Set", "Mint", "Revoke", "Retire", "EndSessions", "Put", "Empty", "Reload", "Send"} {
		if n := e.w.count(op); n > 0 {
			t.Errorf("%s was called %d times", op, n)
		}
	}
}

// A plan is applied once.
func TestASpentPlanIsNotAppliedAgain(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	if out := e.apply(); out.Exit() != diag.ExitOK {
		t.Fatalf("%+v", out.reset(t, 0))
	}
	e.w.calls, e.run = nil, "run-2"
	out := e.apply()
	if out.Result != nil || out.diags.Exit() != diag.ExitStale || !strings.Contains(out.diags.Err().Error(), e.file.ID) {
		t.Errorf("exit %d, %v", out.diags.Exit(), out.diags.Err())
	}
	e.untouched(t)
}

// Two runs are never at work on one credential; who comes second is told which
// run it is, and the address, not the key under which the state knows it.
func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	first := e.process()
	if _, err := first.journal.Acquire(first.ctx, "run-0", "bob", []journal.Key{{Name: "mem-1 mem_password a"}}); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(...func(*process, *executor.Job)) outcome{"apply": e.apply, "resume": e.resume} {
		out := do()
		got := out.diags.Err().Error()
		if out.Result != nil || out.diags.Exit() != diag.ExitError || !strings.Contains(got, addressA+" is being reset by run run-0 (bob") || !strings.Contains(got, "remint runs run-0") {
			t.Errorf("%s: exit %d, %s", name, out.diags.Exit(), got)
		}
	}
	e.untouched(t)
	first.close()
	if out := e.apply(); out.Exit() != diag.ExitOK {
		t.Errorf("the other one is gone: %v", out.diags.Err())
	}
}

// A reset of the plan that may not be begun is reported as it was refused, with
// what depends on it, and the run is over.
func TestRefusedResetsAreReported(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.plan()
	out := e.apply(func(_ *process, j *executor.Job) {
		j.Resets, j.Refused = j.Resets[1:], map[string]string{addressA: "it drifted"}
	})
	a, b := out.reset(t, 0), out.reset(t, 1)
	if a.Outcome != executor.Refused || a.Error != "it drifted" || a.Changed || a.Open || b.Outcome != executor.NotStarted || b.Open {
		t.Errorf("%+v\n%+v", a, b)
	}
	if out.Exit() != diag.ExitStale || !out.Closed || out.Outcome() != "nothing_changed" || out.Counts().Refused != 1 || out.Counts().NotStarted != 1 {
		t.Errorf("exit %d, closed %v, %s, %+v", out.Exit(), out.Closed, out.Outcome(), out.Counts())
	}
	e.untouched(t)
}

// A credential that did not exist is made; nothing is said to have died.
func TestTheFirstSecret(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"mem_key", "mem_token"} {
		e := start(t, setup{typ: typ})
		e.w.accounts, e.w.stores = map[string]*account{}, map[string]string{}
		out := e.apply()
		r := out.reset(t, 0)
		if out.Exit() != diag.ExitOK || !r.First || out.Counts().Made != 1 || out.Counts().Reported+out.Counts().Tested > 0 || e.w.count("Revoke") > 0 {
			t.Errorf("%s: exit %d, %+v, %+v", typ, out.Exit(), r, out.Counts())
		}
		for _, x := range e.last.events.Events() {
			if x.Type == "reset_finished" && (x.Proof != "" || !strings.Contains(x.Message, "there was no old one")) {
				t.Errorf("%s: %+v", typ, x)
			}
		}
	}
}

// Retiring what does not exist makes nothing, and is not said to; nor did anything die.
func TestRetiringWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		e := start(t, setup{typ: typ, reason: lifecycle.Offboarding})
		e.w.accounts, e.w.stores = map[string]*account{}, map[string]string{}
		out := e.apply()
		want := event.Counts{Finished: 1, Absent: 1}
		if diff := cmp.Diff(want, out.Counts()); diff != "" || out.Exit() != diag.ExitOK {
			t.Errorf("%s: exit %d, counts (-want +got):\n%s", typ, out.Exit(), diff)
		}
	}
}

// An interruption between two steps leaves the rest to a resume.
func TestAnInterruptionBetweenSteps(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		for _, op := range []string{"Set", "Mint", "Revoke", "Put", "Empty"} {
			e := start(t, s)
			e.plan()
			e.w.fail(somebody(op, 0, func(*world) { e.last.halt() }))
			out := e.apply()
			if e.w.count(op) == 0 {
				continue
			}
			r := out.reset(t, 0)
			if r.Outcome != executor.Halted || !r.Open || !r.Changed || out.Exit() != diag.ExitUnfinished || out.Closed || r.Step == "" {
				t.Errorf("%s: %+v, exit %d", op, r, out.Exit())
			}
			if n := e.w.count(op); n != 1 {
				t.Errorf("%s was called %d times", op, n)
			}
			if n := len(e.w.notices); n > 0 {
				t.Errorf("%s: an interruption is whoever interrupted's own doing, and %d notices told of it", op, n)
			}
			if out := e.resume(); out.Exit() != diag.ExitOK {
				t.Errorf("%s: resumed: %+v", op, out.reset(t, 0))
			}
		}
	})
}

// Interrupted before anything, nothing was begun, and a resume begins it.
func TestAnInterruptionBeforeAnything(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.plan()
	out := e.apply(func(p *process, _ *executor.Job) { p.halt() })
	for i := range 2 {
		if r := out.reset(t, i); r.Outcome != executor.NotStarted || !r.Open || r.Changed || strings.Contains(r.Error, "context") {
			t.Errorf("%+v", r)
		}
	}
	if out.Exit() != diag.ExitError || out.Closed {
		t.Errorf("exit %d, closed %v", out.Exit(), out.Closed)
	}
	e.untouched(t)
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.Resets)
	}
}

// A target with an operation of its own for it is asked to retire, and not to revoke.
func TestRetireInOneOperation(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		e := start(t, setup{typ: typ, reason: lifecycle.Offboarding})
		e.w.retires = true
		out := e.apply()
		if r := out.reset(t, 0); out.Exit() != diag.ExitOK || r.Proof != lifecycle.Tested || e.w.count("Retire") != 1 || e.w.count("Revoke") > 0 {
			t.Errorf("%s: exit %d, %+v; retired %d, revoked %d times", typ, out.Exit(), r, e.w.count("Retire"), e.w.count("Revoke"))
		}
		said := false
		for _, line := range e.w.filed {
			said = said || strings.Contains(line, "the account is gone")
		}
		if !said {
			t.Errorf("%s: what the target said is not in evidence", typ)
		}
		e = start(t, setup{typ: typ, reason: lifecycle.Compromised})
		e.w.retires = true
		if out := e.apply(); out.Exit() != diag.ExitOK || e.w.count("Retire") > 0 {
			t.Errorf("%s: contained: %+v; retired %d times", typ, out.reset(t, 0), e.w.count("Retire"))
		}
	}
}

// A target that cannot do what a step needs says so, in words for people.
func TestWhatATargetCannotDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s    setup
		want string
	}{
		"set":    {setup{}, "cannot set"},
		"mint":   {setup{typ: "mem_token"}, "cannot mint"},
		"revoke": {setup{reason: lifecycle.Offboarding}, "cannot revoke"},
	} {
		e := start(t, tc.s)
		e.plan()
		e.w.readOnly = true
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != executor.Failed || r.Changed || r.Open || !strings.Contains(r.Error, tc.want) || out.Exit() != diag.ExitError {
			t.Errorf("%s: %+v, exit %d", name, r, out.Exit())
		}
		e.untouched(t)
		if !e.w.works("a", e.old) {
			t.Errorf("%s: the old one does not work", name)
		}
	}
}

// Code that panics is a failed step. Its effect is unknown, and looked into; what it
// was given is not shown.
func TestPanics(t *testing.T) {
	t.Parallel()
	quote := func(*world) string { return "OLD-CANARY" }
	for op, want := range map[string]executor.Outcome{"Inspect": executor.Failed, "Set": executor.Finished, "Put": executor.Finished, "Check": executor.Failed} {
		e := start(t, setup{})
		e.plan()
		e.w.fail(fault{op: op, kind: panics, effect: true, says: quote})
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != want || r.Open {
			t.Errorf("%s: %+v", op, r)
		}
		if want == executor.Failed {
			e.untouched(t)
		}
		seen := false
		for _, x := range e.last.events.Events() {
			b, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), "CANARY") {
				t.Errorf("%s: %s", op, b)
			}
			seen = seen || strings.Contains(x.Message, "panicked at ") && strings.Contains(x.Message, "executor_test.") && !strings.Contains(x.Message, "panicPlace")
		}
		if !seen {
			t.Errorf("%s: the place is not told", op)
		}
	}
}

// An error that quotes the secret loses it on its way to anybody, and keeps its
// class.
func TestErrorsAreRidOfSecrets(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Put", kind: permanent, effect: true, says: func(w *world) string { return "cannot store " + w.stores["a-value"] + " there" }})
	out := e.apply()
	r, canary := out.reset(t, 0), e.w.stores["a-value"]
	if r.Outcome != executor.Halted || !strings.Contains(r.Error, "cannot store ") || e.w.count("Put") != 1 || len(canary) < 5 {
		t.Fatalf("%+v; put %d times", r, e.w.count("Put"))
	}
	said := []string{r.Error}
	for _, x := range e.last.events.Events() {
		said = append(said, x.Message, x.Detail)
	}
	for _, line := range e.w.filed {
		said = append(said, line)
	}
	for _, n := range e.w.notices {
		said = append(said, n.Summary)
	}
	for _, s := range said {
		if strings.Contains(s, canary) {
			t.Errorf("the secret is in %q", s)
		}
	}
}

// No clear answer, or none at all, is no answer: before the first effect nothing is
// begun; after it, the reset waits for a resume. Nothing is tried more often than a
// target may count.
func TestNoClearAnswer(t *testing.T) {
	t.Parallel()
	retry := "retry {\n attempts = 1\n }\n"
	for _, kind := range []string{unclear, transient, permanent, ambiguous} {
		for skip := range 4 {
			for _, typ := range types {
				t.Run(fmt.Sprintf("%s/%d/%s", kind, skip, typ), func(t *testing.T) {
					t.Parallel()
					e := start(t, setup{typ: typ, retry: &retry})
					e.plan()
					e.w.fail(fault{op: "Probe", skip: skip, kind: kind})
					out := e.apply()
					r := out.reset(t, 0)
					if skip == 0 {
						if r.Outcome != executor.Failed || r.Changed || r.Open {
							t.Errorf("%+v", r)
						}
						e.untouched(t)
						return
					}
					if r.Outcome != executor.Halted || !r.Open || !r.Changed || out.Exit() != diag.ExitUnfinished {
						t.Errorf("%+v, exit %d", r, out.Exit())
					}
					if skip == 1 && typ != "mem_password" && !e.w.works("a", e.old) {
						t.Error("the old one was revoked before the new one was seen to work")
					}
					if out := e.resume(); out.Exit() != diag.ExitOK || out.reset(t, 0).Proof != lifecycle.Tested {
						t.Errorf("resumed: %+v", out.reset(t, 0))
					}
				})
			}
		}
	}
}

// What a resume cannot tell for sure, it leaves as it is.
func TestAResumeThatGetsNoAnswer(t *testing.T) {
	t.Parallel()
	retry := "retry {\n attempts = 1\n }\n"
	for name, f := range map[string]fault{
		"unclear whether the new one is still valid": {op: "Probe", kind: unclear},
		"no answer about it":                         {op: "Probe", kind: transient},
		"no answer about the target":                 {op: "Identity", kind: transient},
	} {
		e := start(t, setup{retry: &retry})
		e.w.fail(fault{op: "Put", kind: crash})
		e.apply()
		e.w.fail(f)
		puts := e.w.count("Put")
		if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open || e.w.count("Put") > puts {
			t.Errorf("%s: %+v", name, r)
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", name, out.reset(t, 0))
		}
	}
}

// Whether an interrupted Set happened is asked, and where there is no answer it
// is not done again.
func TestAnUncertainInstallThatGetsNoAnswer(t *testing.T) {
	t.Parallel()
	retry := "retry {\n attempts = 1\n }\n"
	for _, typ := range []string{"mem_password", "mem_key"} {
		for _, f := range []fault{{op: "Probe", kind: unclear}, {op: "Probe", kind: transient}, {op: "Inspect", kind: transient}, {op: "Inspect", kind: permanent}} {
			e := start(t, setup{typ: typ, retry: &retry})
			e.w.fail(fault{op: "Set", kind: crash, effect: true})
			e.apply()
			e.w.fail(f)
			if f.op == "Inspect" {
				e.w.faults[len(e.w.faults)-1].times = 1
			}
			if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open || !r.Changed || e.w.count("Set") > 1 {
				t.Errorf("%s, %s %s: %+v, set %d times", typ, f.op, f.kind, r, e.w.count("Set"))
			}
			if out := e.resume(); out.Exit() != diag.ExitOK || e.w.count("Set") > 1 {
				t.Errorf("%s, %s %s: resumed: %+v, set %d times", typ, f.op, f.kind, out.reset(t, 0), e.w.count("Set"))
			}
		}
	}
}

// A store that does not hold what was put there did not get it.
func TestAStoreThatSomethingElseWritesTo(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key"})
	e.plan()
	e.w.fail(somebody("Holds", 0, func(w *world) { w.stores["a-private_key"] = theirs }))
	r := e.apply().reset(t, 0)
	if r.Outcome != executor.Halted || !strings.Contains(r.Error, "does not hold what was just put into it") || !e.w.works("a", e.old) {
		t.Errorf("%+v", r)
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("resumed: %+v", out.reset(t, 0))
	}
}

// Result policies that cannot be asked deny.
func TestResultPoliciesThatFail(t *testing.T) {
	t.Parallel()
	rego := "package remint.result\ndeny contains {\"id\": \"a\", \"msg\": sprintf(\"%v\", [1 / count(input.ticket)])}\n"
	for _, typ := range types {
		e := start(t, setup{typ: typ, rego: rego})
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || out.Exit() != diag.ExitUnfinished || !strings.Contains(r.Error, "divide by zero") {
			t.Errorf("%s: %+v, exit %d", typ, r, out.Exit())
		}
		if typ != "mem_password" && (e.w.count("Revoke") > 0 || !e.w.works("a", e.old)) {
			t.Errorf("%s: the old one was revoked", typ)
		}
	}
}

// Approvals given to a resume are in its evidence, and the run keeps them.
func TestApprovalsOfAResumeAreKept(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Check", kind: crash})
	e.apply()
	doc := gate.Document{Name: "alice.approval.json", Content: []byte(`{"from":"alice"}`)}
	out := e.resume(func(_ *process, j *executor.Job) {
		j.Kept = []gate.Document{doc}
		j.Gate.Approvals = []gate.Approval{{Approver: config.Approver{Name: "bob"}, Document: doc}, {Approver: config.Approver{Name: "alice"}, Document: doc}}
	})
	if out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
	kept := look(e, func(j journal.Journal) []gate.Document {
		list, _, err := executor.Kept(context.Background(), j, e.run)
		if err != nil {
			t.Fatal(err)
		}
		return list
	})
	if d := cmp.Diff([]gate.Document{doc}, kept); d != "" {
		t.Error(d)
	}
	var all strings.Builder
	for _, line := range e.w.filed {
		all.WriteString(line + "\n")
	}
	for _, want := range []string{`"event":"approval"`, `"event":"resumed"`, `alice, bob`} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%s is not in evidence", want)
		}
	}
}

// Approvals given before a run are the evidence of its opening.
func TestApprovalsOfAnApplyAreEvidenced(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	doc := gate.Document{Name: "alice.approval.json", Content: []byte(`{"from":"alice"}`)}
	e.apply(func(_ *process, j *executor.Job) {
		j.Gate.Approvals = []gate.Approval{{Approver: config.Approver{Name: "alice"}, Document: doc}}
	})
	n := 0
	for _, id := range e.w.order {
		if strings.Contains(e.w.filed[id], `"event":"approval"`) {
			if n++; !strings.Contains(e.w.filed[id], "alice") {
				t.Error(e.w.filed[id])
			}
		}
	}
	if n != 1 {
		t.Errorf("%d approvals in evidence", n)
	}
}

// A damaged record stops a resume before it does anything.
func TestADamagedRecordStopsTheResume(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", addressA} {
		e := start(t, setup{})
		e.w.fail(fault{op: "Check", kind: crash})
		e.apply()
		e.w.calls = nil
		err := look(e, func(j journal.Journal) error {
			return j.Append(context.Background(), &journal.Batch{Records: []journal.Record{{Run: e.run, Address: address, Kind: journal.Note, At: e.w.now(), Data: json.RawMessage("[]")}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		out := e.resume()
		if out.Result != nil || out.diags.Exit() != diag.ExitUnfinished || !strings.Contains(out.diags.Err().Error(), "is damaged") {
			t.Errorf("%q: %+v, %v", address, out.Result, out.diags.Err())
		}
		e.untouched(t)
		err = look(e, func(j journal.Journal) error {
			_, _, err := executor.Kept(context.Background(), j, e.run)
			return err
		})
		if (err == nil) != (address != "") {
			t.Errorf("%q: approvals: %v", address, err)
		}
	}
}

// What `remint runs` says of a record.
func TestSummary(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rec                journal.Record
		outcome, whyPrefix string
	}{
		"ended":   {journal.Record{Kind: journal.Ended, Data: []byte(`{"outcome":"halted","error":"no"}`)}, "halted", "no"},
		"begun":   {journal.Record{Kind: journal.Intend, Data: []byte(`{"error":"x"}`)}, "begun", ""},
		"failed":  {journal.Record{Kind: journal.Failed, Data: []byte(`{"error":"no"}`)}, "failed", "no"},
		"done":    {journal.Record{Kind: journal.Done, Data: []byte(`{}`)}, "done", ""},
		"damaged": {journal.Record{Run: "r", Seq: 7, Kind: journal.Done, Data: []byte(`[]`)}, "damaged", "journal record 7 of run r"},
	} {
		brief := executor.Summary(tc.rec)
		outcome, why := brief.Outcome, brief.Why
		if outcome != tc.outcome || !strings.HasPrefix(why, tc.whyPrefix) || (why == "") != (tc.whyPrefix == "") {
			t.Errorf("%s: %q, %q", name, outcome, why)
		}
	}
}
