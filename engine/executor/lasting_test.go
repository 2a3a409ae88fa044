package executor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// Nothing of a run goes on in the background when it is over. No other test is at
// work meanwhile.
func TestNothingGoesOnAfterARun(t *testing.T) { //nolint:paralleltest // it looks at all goroutines
	e := start(t, setup{})
	e.w.fail(fault{op: "Put", kind: permanent})
	e.apply()
	e.resume()
	for range 200 {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !strings.Contains(string(stacks), "(*filer)") && !strings.Contains(string(stacks), "startFiler") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("evidence is still being filed")
}

// A run that is lost in a corner (taking back, retiring at once, revoking what was left
// behind) has no effect any more either.
func TestLostInACorner(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s     setup
		world func(*world)
		f     fault
	}{
		"taking back": {setup{typ: "mem_key"}, func(*world) {}, somebody("Probe", 1, func(w *world) { w.account("a").broken = true })},
		"retiring":    {setup{typ: "mem_key", reason: lifecycle.Offboarding}, func(w *world) { w.retires = true }, fault{}},
		"an orphan":   {setup{typ: "mem_token"}, func(*world) {}, fault{op: "Mint", kind: ambiguous, effect: true}},
	} {
		for n := 1; n < 5; n++ {
			e := start(t, tc.s)
			tc.world(e.w)
			e.plan()
			e.w.fail(tc.f)
			before := -1
			out := e.apply(func(p *process, _ *executor.Job) {
				p.x.Journal = &losing{p.x.Journal, n, func() { before = len(e.w.calls) }}
			})
			if before < 0 {
				break
			}
			for _, call := range e.w.calls[before:] {
				if slices.Contains(effects, call) || call == "Retire" {
					t.Errorf("%s, lost at look %d: it went on with %s", name, n, call)
				}
			}
			if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open {
				t.Errorf("%s, lost at look %d: %+v", name, n, r)
			}
		}
	}
}

// The journal's own records of a run say what they are of; the first one under which
// judges the run was opened.
func TestTheRunsOwnRecords(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Put", kind: permanent})
	e.apply()
	e.resume()
	got := look(e, func(j journal.Journal) []string {
		var out []string
		for rec, err := range j.Records(context.Background(), e.run, "") {
			var x struct{ Facts map[string]string }
			if err == nil {
				err = json.Unmarshal(rec.Data, &x)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, trust := x.Facts["trust"]
			out = append(out, fmt.Sprint(x.Facts["event"], " ", trust))
		}
		return out
	})
	if diff := cmp.Diff([]string{"opened true", "decisions false", "interrupted false", "resumed false", "closed false"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A run that died before it said anything is opened by the resume.
func TestAResumeOpensWhatWasNeverOpened(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "append", kind: crash})
	e.apply()
	out := e.resume()
	if out.Exit() != diag.ExitOK || !strings.Contains(e.evidence(), `"event":"opened"`) || strings.Contains(e.evidence(), `"event":"resumed"`) {
		t.Errorf("%v, %s", out.diags.Err(), e.evidence())
	}
}

// What the state does not take or give at the beginning is told in its own words.
func TestAStateThatRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "open", kind: permanent})
	if out := e.apply(); out.Result != nil || out.diags.Exit() != diag.ExitError || !strings.Contains(out.diags.Err().Error(), "the disk is full. Nothing was changed") {
		t.Errorf("%+v, %v", out.Result, out.diags.Err())
	}
	e.untouched(t)
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.w.fail(fault{op: "records"})
	if out := e.resume(); out.Result != nil || !strings.Contains(out.diags.Err().Error(), "the state cannot be read") {
		t.Errorf("%+v, %v", out.Result, out.diags.Err())
	}
}

// One write that fails ends the work of this process, though the next one would do.
func TestOneWriteThatFails(t *testing.T) {
	t.Parallel()
	fails := func(w *world) { w.fail(fault{op: "append", kind: permanent}) }
	for name, tc := range map[string]struct {
		s       setup
		f       fault
		op      string
		calls   int
		changed bool
	}{
		"an intention":             {setup{}, fault{op: "append", skip: 1, kind: permanent}, "Probe", 1, false},
		"a failure":                {setup{}, fault{op: "Set", kind: transient, before: fails}, "Set", 1, false},
		"a step to be passed over": {setup{consumers: 1, steps: map[string]string{"reload": `on_failure = "continue"`}}, somebody("Put", 0, fails), "EndSessions", 0, true},
		"the end of it":            {setup{}, somebody("Send", 0, fails), "Send", 1, true},
	} {
		e := start(t, tc.s)
		e.plan()
		e.w.fail(tc.f)
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || out.Closed || r.Changed != tc.changed || !strings.Contains(r.Error, "the state cannot be written") || e.w.count(tc.op) != tc.calls {
			t.Errorf("%s: %+v, %s %d times", name, r, tc.op, e.w.count(tc.op))
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", name, out.reset(t, 0))
		}
	}
}

// A new secret that is gone keeps a resume from telling whether the reset is still its
// own: nothing more is done.
func TestAResumeThatCannotTry(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 1})
	e.plan()
	e.w.fail(fault{op: "Reload", kind: crash})
	e.apply()
	e.erase("issue.it")
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || e.w.count("Reload") != 1 || !strings.Contains(r.Error, "cannot be read from the state") {
		t.Errorf("%+v, %d reloads", r, e.w.count("Reload"))
	}
}

// A provider that cannot be opened halts what was begun, tells the owner, and keeps
// what depends on it from beginning.
func TestAProviderThatIsGone(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.plan()
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.w.unopenable = "provider"
	out := e.resume()
	a, b := out.reset(t, 0), out.reset(t, 1)
	if a.Outcome != executor.Halted || a.Step != "" || len(e.w.notices) != 1 || b.Outcome != executor.NotStarted || !b.Open {
		t.Errorf("%+v\n%+v, %d notices", a, b, len(e.w.notices))
	}
	e = start(t, setup{two: true})
	e.plan()
	e.w.unopenable = "provider"
	out = e.apply()
	if a, b := out.reset(t, 0), out.reset(t, 1); a.Outcome != executor.Failed || b.Outcome != executor.NotStarted {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// Taking back goes on in a resume, and nothing else does.
func TestTakingBackGoesOnAlone(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key"})
	e.plan()
	e.w.fail(somebody("Probe", 1, func(w *world) {
		w.account("a").broken = true
		w.fail(fault{op: "Revoke", kind: crash})
	}))
	e.apply()
	probes := e.w.count("Probe")
	if r := e.resume().reset(t, 0); r.Outcome != executor.RolledBack || e.w.count("Probe") != probes {
		t.Errorf("%+v, %d more logins", r, e.w.count("Probe")-probes)
	}
}

// Somebody says that nothing was set, and the target is not as it was: what she says is
// no observation, so this is no plan that was never begun.
func TestDriftAfterAWord(t *testing.T) {
	t.Parallel()
	d := doubts()["a set, no clear login"]
	e, c := d.into(t, false)
	c.answer("alice", event.AnswerNotDone, false)
	d.over(e)
	e.w.account("a").versions = nil
	e.w.add(e.w.account("a"), "", theirs)
	if r := e.resume(c.real).reset(t, 0); r.Outcome != executor.Halted || !r.Open || !r.Changed || e.w.count("Set") != 1 {
		t.Errorf("%+v, set %d times", r, e.w.count("Set"))
	}
}
