package executor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// Whatever is gated does not begin while the gates are closed, and begins when
// they open; whatever restores goes on.
func TestHeld(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s     setup
		crash fault
		// gated is what may not be called while held; "" when all may.
		gated string
	}{
		"nothing begun":                  {setup{}, fault{op: "Inspect", kind: crash}, "Set"},
		"approved, nothing begun":        {setup{}, fault{op: "Check", kind: crash}, "Set"},
		"minted, nothing begun":          {setup{typ: "mem_token"}, fault{op: "Check", kind: crash}, "Mint"},
		"contain, nothing begun":         {setup{reason: lifecycle.Compromised}, fault{op: "Inspect", kind: crash}, "Revoke"},
		"retire, nothing begun":          {setup{typ: "mem_token", reason: lifecycle.Offboarding}, fault{op: "Inspect", kind: crash}, "Revoke"},
		"overlapping, before revoke":     {setup{typ: "mem_key"}, fault{op: "Put", kind: crash, effect: true}, "Revoke"},
		"minted, before revoke":          {setup{typ: "mem_token"}, fault{op: "Put", kind: crash}, "Revoke"},
		"in place, after install":        {setup{}, fault{op: "Put", kind: crash}, ""},
		"contain, after revoke":          {setup{reason: lifecycle.Compromised}, fault{op: "Revoke", kind: crash, effect: true}, ""},
		"contain, a key, after revoke":   {setup{typ: "mem_key", reason: lifecycle.Compromised}, fault{op: "Control", kind: crash}, ""},
		"contain, a token, after revoke": {setup{typ: "mem_token", reason: lifecycle.Compromised}, fault{op: "Check", kind: crash}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tc.s)
			e.plan()
			e.w.fail(tc.crash)
			if out := e.apply(); !out.died {
				t.Fatal("it lives")
			}
			begun := e.w.count("Set")+e.w.count("Mint")+e.w.count("Revoke") > 0
			before := e.w.count(tc.gated)
			out := e.resume(held)
			r := out.reset(t, 0)
			if tc.gated == "" {
				if out.Exit() != diag.ExitOK {
					t.Errorf("%+v, exit %d", r, out.Exit())
				}
				return
			}
			want, exit := executor.NotStarted, diag.ExitMissing
			if begun {
				want, exit = executor.Halted, diag.ExitUnfinished
			}
			if r.Outcome != want || !r.Open || r.Changed != begun || out.Exit() != exit || out.Closed || e.closed() {
				t.Errorf("%+v, exit %d, closed %v", r, out.Exit(), out.Closed)
			}
			if n := e.w.count(tc.gated) - before; n > 0 {
				t.Errorf("%s was called while the gates were closed", tc.gated)
			}
			if !e.w.works("a", e.old) {
				t.Error("the old secret does not work any more")
			}
			if name != "overlapping, before revoke" && !begun {
				for id, line := range e.w.filed {
					if strings.Contains(line, "no approval was required") && name == "nothing begun" && strings.Contains(id, "approve.owners#2") {
						t.Errorf("%s was signed while the gates were closed", id)
					}
				}
			}
			if out := e.resume(); out.Exit() != diag.ExitOK {
				t.Errorf("open gates: %+v", out.reset(t, 0))
			}
		})
	}
}

// The first thing that is gated is the approval's own record.
func TestNoApprovalIsRecordedWhileHeld(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		e.plan()
		e.w.fail(fault{op: "file", kind: crash})
		e.apply()
		out := e.resume(held)
		if r := out.reset(t, 0); r.Outcome != executor.NotStarted || !r.Open || out.Exit() != diag.ExitMissing || r.Changed {
			t.Errorf("%+v, exit %d", r, out.Exit())
		}
		for id, line := range e.w.filed {
			if strings.Contains(line, "no approval was required") {
				t.Errorf("%s: signed", id)
			}
		}
	})
}

// A provider that cannot be opened, as with a wrong file in its URL, begins nothing; of what
// an earlier process had written and sealed, it is no end either: when that is mended, the
// reset goes on, and the record that closes the run knows of all.
func TestAResumeWithoutItsProvider(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		e.plan()
		op := "Inspect"
		if s.reason == lifecycle.Scheduled {
			op = "Check" // after the old one was sealed
		}
		e.w.fail(fault{op: op, kind: transient})
		e.w.fail(fault{op: op, kind: crash})
		if out := e.apply(); !out.died {
			t.Fatalf("it lives: %+v", out.reset(t, 0))
		}
		records, sealed := e.records(), e.sealedNames()
		if len(records) == 0 {
			t.Fatal("nothing was recorded: this test would see nothing")
		}
		for range 2 {
			e.w.unopenable = "provider"
			out := e.resume()
			if r := out.reset(t, 0); r.Outcome != executor.NotStarted || !r.Open || r.Changed || out.Closed || e.closed() || out.Exit() != diag.ExitError || r.Error != errUnopenable.Error() {
				t.Errorf("%+v, closed %v, exit %d", r, out.Closed, out.Exit())
			}
			if diff := cmp.Diff(append(records, sealed...), append(e.records(), e.sealedNames()...)); diff != "" {
				t.Errorf("recorded and sealed:\n%s", diff)
			}
		}
		e.w.unopenable = ""
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Fatalf("mended: %+v", out.reset(t, 0))
		}
	})
}

func generations(n int64) func(*process, *executor.Job) {
	return func(_ *process, j *executor.Job) { j.Generations["credential.mem_password.a"] = n }
}

func TestSuperseded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		crash  fault
		world  func(*world)
		change func(*process, *executor.Job)
	}{
		"another run finished one": {fault{op: "Put", kind: crash}, nil, generations(1)},
		"somebody set another password": {fault{op: "Put", kind: crash}, func(w *world) {
			a := w.account("a")
			a.versions = nil
			w.add(a, "", "theirs")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{consumers: 1})
			e.plan()
			e.w.fail(tc.crash)
			e.apply()
			if tc.world != nil {
				tc.world(e.w)
			}
			var change []func(*process, *executor.Job)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			stored := e.w.stores["a-value"]
			out := e.resume(change...)
			r := out.reset(t, 0)
			if r.Outcome != executor.Superseded || r.Open || !r.Changed || !r.Sealed || !r.SealedOld || !out.Closed || out.Exit() != diag.ExitUnfinished {
				t.Errorf("%+v, exit %d, closed %v", r, out.Exit(), out.Closed)
			}
			if e.w.stores["a-value"] != stored || e.w.count("Reload") > 0 {
				t.Error("a store was written to, or a consumer reloaded")
			}
			if diff := cmp.Diff([]string{"issue.it", executor.OldSecret}, e.sealedNames()); diff != "" {
				t.Errorf("sealed (-want +got):\n%s", diff)
			}
			if n := len(e.w.notices); n != 1 {
				t.Errorf("%d notices", n)
			}
		})
	}
}

// Taking a version back that did not work is not this run's any more once another run has
// finished a reset: it ends, and is not tried, nor the owner told, at each resume anew.
func TestARollBackThatIsSuperseded(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"killed": {op: "Revoke", kind: crash}, "no answer": {op: "Revoke", kind: ambiguous, times: 3}} {
		e := start(t, setup{typ: "mem_key"})
		e.plan()
		e.w.fail(somebody("Probe", 1, func(w *world) {
			w.account("a").broken = true
			w.fail(f)
		}))
		if r := e.apply(); !r.died && r.reset(t, 0).Outcome != executor.Halted {
			t.Fatalf("%s: %+v", name, r.reset(t, 0))
		}
		revoked, told := e.w.count("Revoke"), len(e.w.notices)
		out := e.resume(func(_ *process, j *executor.Job) { j.Generations["credential.mem_key.a"] = 1 })
		r := out.reset(t, 0)
		if r.Outcome != executor.Superseded || r.Step != "roll_back.new" || r.Open || !r.Sealed || !r.SealedOld || !out.Closed || out.Exit() != diag.ExitUnfinished || !e.closed() {
			t.Errorf("%s: %+v, exit %d, closed %v", name, r, out.Exit(), out.Closed)
		}
		if e.w.count("Revoke") != revoked || len(e.w.notices) != told+1 {
			t.Errorf("%s: revoked %d times more, told %d times more", name, e.w.count("Revoke")-revoked, len(e.w.notices)-told)
		}
	}
}

// Where somebody puts the old secret back (configuration management, a backup) after
// every store has the new one, the state has the only copy of the one that works.
func TestTheOldOnePutBack(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		for _, at := range []string{"Revoke", "EndSessions", "Send"} {
			e := start(t, setup{typ: typ})
			e.w.fail(fault{op: at, kind: crash, effect: true})
			if out := e.apply(); !out.died {
				continue // a type without that step
			}
			a := e.w.account("a")
			a.versions = []version{{id: "v0", value: e.old}}
			out := e.resume()
			r := out.reset(t, 0)
			if r.Outcome != executor.Superseded || !r.SealedOld || !out.Closed || out.Exit() != diag.ExitUnfinished || !strings.Contains(r.Error, "`remint recover -old`") {
				t.Errorf("%s, killed at %s: %+v, exit %d", typ, at, r, out.Exit())
			}
			if got := e.sealed()[executor.OldSecret].Field(probeField(typ)).RevealString(); !e.w.works("a", got) {
				t.Errorf("%s, killed at %s: the old one works, and nobody has it: sealed %v", typ, at, e.sealedNames())
			}
			if len(e.w.notices) == 0 || !strings.Contains(e.w.notices[len(e.w.notices)-1].Summary, "`remint recover -old`") {
				t.Errorf("%s, killed at %s: the owner was told %+v", typ, at, e.w.notices)
			}
		}
	}
}

// A login that is only disabled was not reset by anybody.
func TestDisabledIsNotSuperseded(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.w.account("a").enabled = false
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open {
		t.Errorf("%+v", r)
	}
	e.w.account("a").enabled = true
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

func TestAnotherTargetIsNotTouched(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		crash fault
		want  executor.Outcome
	}{
		"before the first effect": {fault{op: "Check", kind: crash}, executor.Refused},
		"after it":                {fault{op: "Put", kind: crash}, executor.Halted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{})
			e.plan()
			e.w.fail(tc.crash)
			e.apply()
			e.w.identity = "mem-2"
			changes := e.w.count("Set") + e.w.count("Put")
			out := e.resume()
			if r := out.reset(t, 0); r.Outcome != tc.want {
				t.Errorf("%+v, want %s", r, tc.want)
			}
			if n := e.w.count("Set") + e.w.count("Put") - changes; n > 0 {
				t.Errorf("%d changes at another target than the approved one", n)
			}
		})
	}
}

// What drifted while nothing was begun refuses the reset, and changes nothing.
func TestDriftBeforeTheFirstEffect(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		world  func(*world)
		change []func(*process, *executor.Job)
	}{
		"another version":      {world: func(w *world) { w.add(w.account("a"), "", "theirs") }},
		"disabled":             {world: func(w *world) { w.account("a").enabled = false }},
		"gone":                 {world: func(w *world) { w.accounts["a"] = &account{} }},
		"not listed":           {world: unlisted},
		"reset by another run": {world: func(*world) {}, change: []func(*process, *executor.Job){generations(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{})
			e.plan()
			e.w.fail(fault{op: "Check", kind: crash})
			e.apply()
			tc.world(e.w)
			out := e.resume(tc.change...)
			if r := out.reset(t, 0); r.Outcome != executor.Refused || r.Changed || r.Open || out.Exit() != diag.ExitStale || !out.Closed {
				t.Errorf("%+v, exit %d, closed %v", r, out.Exit(), out.Closed)
			}
			if e.w.count("Set") > 0 {
				t.Error("it was set")
			}
		})
	}
}

// An interrupted resume of a half-done reset is no "nothing was changed".
func TestAnInterruptedResumeDoesNotSayThatNothingChanged(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	out := e.resume(func(p *process, _ *executor.Job) { p.halt() })
	if r := out.reset(t, 0); out.Exit() != diag.ExitUnfinished || !r.Changed || !r.Open {
		t.Errorf("exit %d, %+v: the target was changed by an earlier process", out.Exit(), r)
	}
}

// A reset refused earlier asks for the same exit code in a resume.
func TestAnEarlierRefusalKeepsItsExitCode(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.add(e.w.account("a"), "", "theirs")
	e.w.fail(fault{op: "append filed", skip: 1, kind: crash}) // the reset ended, the run did not
	if out := e.apply(); !out.died {
		t.Fatal("it lives")
	}
	if out := e.resume(); out.Exit() != diag.ExitStale {
		t.Errorf("exit %d, %+v", out.Exit(), out.reset(t, 0))
	}
}

func TestRollBack(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"mem_key", "mem_token"} {
		for name, f := range map[string][]fault{
			"at once":              nil,
			"before the intention": {{op: "Revoke", skip: 99}, {op: "append", kind: crash}},
			"before the effect":    {{op: "Revoke", kind: crash}},
			"after the effect":     {{op: "Revoke", kind: crash, effect: true}},
			"it fails at first":    {{op: "Revoke", kind: permanent}},
			"ambiguous":            {{op: "Revoke", kind: ambiguous, effect: true, times: 3}},
		} {
			t.Run(typ+"/"+name, func(t *testing.T) {
				t.Parallel()
				e := start(t, setup{typ: typ})
				e.plan()
				e.w.fail(somebody("Probe", 1, func(w *world) {
					w.account("a").broken = true
					for _, x := range f {
						w.fail(x)
					}
				}))
				out := e.apply()
				for i := 0; i < 3 && !e.closed(); i++ {
					if name == "before the intention" { // then it is the install that has to be looked into
						out = e.resume()
						continue
					}
					out = e.resume(held) // taking back restores: it needs no gate
				}
				r := out.reset(t, 0)
				if r.Outcome != executor.RolledBack || !r.Changed || r.Open || !out.Closed || out.Exit() != diag.ExitUnfinished {
					t.Errorf("%+v, exit %d", r, out.Exit())
				}
				if !e.w.works("a", e.old) || e.w.live("a", e.old) > 0 {
					t.Errorf("old works: %v; %d others live", e.w.works("a", e.old), e.w.live("a", e.old))
				}
				records := of(e.records(), "roll_back")
				if len(records) < 2 || records[0] != "roll_back.new intend" || records[len(records)-1] != "roll_back.new done" {
					t.Errorf("records %v", records)
				}
				done := false
				for id := range e.w.filed {
					done = done || strings.Contains(id, "/roll_back.new#")
				}
				if !done || len(e.sealedNames()) > 0 {
					t.Errorf("evidenced: %v, sealed: %v", done, e.sealedNames())
				}
			})
		}
	}
}

// Two people resume at once: the second one's look was before the first one closed
// the run, and its lease comes after.
func TestAClosedRunIsNotResumed(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 1})
	e.plan()
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	if out := e.resume(); !out.Closed {
		t.Fatalf("not closed: %v", out.diags.Err())
	}
	before, calls := e.records(), len(e.w.calls)
	out := e.resume()
	if out.Result != nil || out.diags.HasErrors() {
		t.Errorf("%+v, %v", out.Result, out.diags.Err())
	}
	if diff := cmp.Diff(before, e.records()); diff != "" {
		t.Errorf("records of a closed run (-before +after):\n%s", diff)
	}
	if n := len(e.w.calls); n != calls {
		t.Errorf("the world was called: %v", e.w.calls[calls:])
	}
}

// Gates that stay shut do not keep a run open that another run has overtaken.
func TestHeldAndOvertakenEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s     setup
		crash fault
		want  executor.Outcome
		exit  diag.Exit
	}{
		"nothing begun": {setup{}, fault{op: "Inspect", kind: crash}, executor.Refused, diag.ExitStale},
		"approved":      {setup{}, fault{op: "Check", kind: crash}, executor.Refused, diag.ExitStale},
		"before revoke": {setup{typ: "mem_key"}, fault{op: "Put", kind: crash, effect: true}, executor.Superseded, diag.ExitUnfinished},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tc.s)
			e.plan()
			e.w.fail(tc.crash)
			e.apply()
			address := e.file.Plan.Resets[0].Address
			out := e.resume(held, func(_ *process, j *executor.Job) { j.Generations[address] = 1 })
			if r := out.reset(t, 0); r.Outcome != tc.want || r.Open || !out.Closed || !e.closed() || out.Exit() != tc.exit {
				t.Errorf("%+v, exit %d, closed %v", r, out.Exit(), out.Closed)
			}
			if !e.w.works("a", e.old) {
				t.Error("the old secret does not work any more")
			}
		})
	}
}

// Another run may finish between the look at the state and the lease.
func TestWhatFinishedBeforeTheLeaseCounts(t *testing.T) {
	t.Parallel()
	stale := func(_ *process, j *executor.Job) { j.Generations = map[string]int64{} }
	t.Run("apply", func(t *testing.T) {
		t.Parallel()
		e := start(t, setup{})
		e.plan()
		late := e.file
		e.plan()
		e.run = "run-2"
		if out := e.apply(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		e.run, e.file = "run-1", late
		if r := e.apply(stale).reset(t, 0); r.Outcome != executor.Refused {
			t.Errorf("%+v", r)
		}
	})
	t.Run("resume", func(t *testing.T) {
		t.Parallel()
		e := start(t, setup{})
		e.plan()
		first, run := e.file, e.run
		e.w.fail(fault{op: "Set", kind: crash, effect: true})
		e.apply()
		e.plan()
		e.run = "run-2"
		if out := e.apply(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		e.run, e.file = run, first
		if r := e.resume(stale).reset(t, 0); r.Outcome != executor.Superseded {
			t.Errorf("%+v", r)
		}
	})
}
