package executor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

const (
	permanent = "permanent"
	transient = "transient"
	ambiguous = "ambiguous"
)

// of keeps the records of one step.
func of(records []string, step string) []string {
	return slices.DeleteFunc(records, func(r string) bool { return !strings.HasPrefix(r, step+".") })
}

func held(_ *process, j *executor.Job) {
	j.Held = &executor.Held{Exit: diag.ExitMissing, Why: "an approval is missing"}
}

// What the first effect of a type and mode is called, here and in the journal.
func firstEffect(s setup) (op, step string) {
	switch {
	case s.reason != lifecycle.Scheduled:
		return "Revoke", "revoke"
	case s.typ == "mem_token":
		return "Mint", "issue"
	}
	return "Set", "install"
}

func TestAFailureWithoutEffectIsNoEffect(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		op, step := firstEffect(s)
		for _, kind := range []string{permanent, transient, "conflict", "not_found"} {
			e := start(t, s)
			e.w.fail(fault{op: op, kind: kind, times: 100})
			out := e.apply()
			r := out.reset(t, 0)
			if r.Outcome != executor.Failed || r.Changed || r.Open || out.Exit() != diag.ExitError || !out.Closed {
				t.Errorf("%s: %+v, exit %d, closed %v", kind, r, out.Exit(), out.Closed)
			}
			want := []string{step + "." + stepName(step) + " intend", step + "." + stepName(step) + " failed"}
			if kind == transient {
				want = slices.Concat(want, want, want)
			}
			if diff := cmp.Diff(want, of(e.records(), step)); diff != "" {
				t.Errorf("%s: records (-want +got):\n%s", kind, diff)
			}
			if !e.w.works("a", e.old) || len(e.sealedNames()) > 0 {
				t.Errorf("%s: old works: %v, sealed: %v", kind, e.w.works("a", e.old), e.sealedNames())
			}
		}
	})
}

func stepName(phase string) string {
	switch phase {
	case "revoke":
		return "old"
	case "prove":
		return "dead"
	}
	return "it"
}

// The attempt failed without effect, and the process died before the end.
func TestAStepThatFailedNeedsTheGateAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		op, _ := firstEffect(s)
		e := start(t, s)
		e.w.fail(fault{op: op, kind: transient})
		e.w.fail(fault{op: op, kind: transient, before: func(w *world) { w.fail(fault{op: "append", kind: crash, effect: true}) }})
		if out := e.apply(); !out.died {
			t.Fatalf("it lives: %+v", out.Result)
		}
		before := e.w.count(op)
		out := e.resume(held)
		r := out.reset(t, 0)
		if r.Outcome != executor.NotStarted || !r.Open || r.Changed || out.Exit() != diag.ExitMissing || e.w.count(op) != before {
			t.Errorf("held: %+v, exit %d, %d more calls", r, out.Exit(), e.w.count(op)-before)
		}
		if out = e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%+v, exit %d", out.reset(t, 0), out.Exit())
		}
	})
}

// What may have happened is found out by looking, whether it had or not.
func TestAnAmbiguousAttemptIsProbed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		op, _ := firstEffect(s)
		if s.reason == lifecycle.Compromised { // revoking again is safe: see what restores instead
			op, _ = firstEffect(setup{typ: s.typ, reason: lifecycle.Scheduled})
		}
		for _, kind := range []string{ambiguous, unclassed} {
			for _, effect := range []bool{false, true} {
				e := start(t, s)
				e.w.fail(fault{op: op, kind: kind, effect: effect})
				out := e.apply()
				if out.Exit() != diag.ExitOK {
					t.Errorf("%s, effect %v: %+v", kind, effect, out.reset(t, 0))
				}
				want := 1
				if s.reason == lifecycle.Offboarding {
					want = 0
				}
				if n := e.w.live("a"); n != want {
					t.Errorf("%s, effect %v: %d versions live, want %d", kind, effect, n, want)
				}
				sets := 2
				if effect {
					sets = 1
				}
				if op == "Set" && e.w.count("Set") != sets {
					t.Errorf("%s, effect %v: set %d times, want %d", kind, effect, e.w.count("Set"), sets)
				}
			}
		}
	})
}

func TestACallThatHangsIsAmbiguous(t *testing.T) {
	t.Parallel()
	e := start(t, setup{steps: map[string]string{"install": "timeout = \"1ms\""}})
	e.w.fail(fault{op: "Set", kind: hang, effect: true, times: 3})
	out := e.apply()
	r := out.reset(t, 0)
	if out.Exit() != diag.ExitOK && (r.Outcome != executor.Halted || !r.Changed) {
		t.Errorf("%+v", r)
	}
	if out.Closed { // one of its attempts was looked into, and found
		return
	}
	if out = e.resume(); out.Exit() != diag.ExitOK && !e.closed() {
		t.Errorf("resumed: %+v", out.reset(t, 0))
	}
}

func TestAmbiguousThenPermanentStaysUnknown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		op, step string
		s        setup
	}{
		{"Revoke", "revoke", setup{typ: "mem_key"}},
		{"Revoke", "revoke", setup{reason: lifecycle.Compromised}},
		{"Revoke", "revoke", setup{typ: "mem_token", reason: lifecycle.Offboarding}},
	} {
		for _, effect := range []bool{false, true} {
			e := start(t, tc.s)
			e.w.fail(fault{op: tc.op, kind: ambiguous, effect: effect})
			e.w.fail(fault{op: tc.op, kind: permanent})
			out := e.apply()
			r := out.reset(t, 0)
			if r.Outcome != executor.Halted || !r.Changed || !r.Open || out.Exit() != diag.ExitUnfinished || out.Closed {
				t.Errorf("%+v, exit %d", r, out.Exit())
			}
			want := []string{"revoke.old intend", "revoke.old unknown", "revoke.old intend", "revoke.old unknown"}
			if diff := cmp.Diff(want, of(e.records(), "revoke")); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if len(e.w.notices) != 1 || e.w.notices[0].Kind != "halted" {
				t.Errorf("notices %+v", e.w.notices)
			}
			if out := e.resume(held); out.Exit() != diag.ExitOK { // begun: it needs no gate
				t.Errorf("resumed: %+v", out.reset(t, 0))
			}
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	none, two, five := "", "retry {\n attempts = 2\n delay = \"1us\"\n }\n", "retry {\n attempts = 5\n delay = \"1us\"\n }\n"
	for name, tc := range map[string]struct {
		retry *string
		want  int
	}{"default": {&none, 3}, "two": {&two, 2}, "five": {&five, 5}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{retry: tc.retry})
			e.w.fail(fault{op: "Set", kind: transient, times: 100})
			e.apply()
			if got := e.w.count("Set"); got != tc.want {
				t.Errorf("tried %d times, want %d", got, tc.want)
			}
			if got := len(of(e.records(), "install")); got != 2*tc.want {
				t.Errorf("%d records", got)
			}
		})
	}
}

// Every kind of call that may pass is tried again.
func TestWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Inspect", "Probe", "Check", "Set", "Put", "Holds", "Reload", "EndSessions", "Send"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{consumers: 1})
			e.plan()
			e.w.fail(fault{op: op, kind: transient, times: 2})
			if out := e.apply(); out.Exit() != diag.ExitOK {
				t.Errorf("%+v", out.reset(t, 0))
			}
		})
	}
}

func TestTheTargetsIdentityIsAskedAgain(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.w.fail(fault{op: "Identity", kind: transient, times: 2})
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// Lock-out policies count: no more than six logins in half an hour are not
// accepted, over all processes.
func TestFewLoginsAreNotAccepted(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Probe", skip: 1, kind: unclear, times: 1000}) // all but the first, with the old one
	e.apply()
	for range 5 {
		e.resume()
	}
	if got := e.w.count("Probe"); got != 7 {
		t.Errorf("%d logins, want the accepted one and six", got)
	}
	e.w.faults = nil
	if out := e.resume(); out.Exit() == diag.ExitOK {
		t.Error("it went on within the half hour")
	}
	e.w.clock = e.w.clock.Add(31 * time.Minute)
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// Whatever fails after a mint, no version is left that nobody knows of.
func TestAMintedSecretThatCannotBeSealedIsNotForgotten(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_token"})
	e.w.fail(fault{op: "seal issue.it", kind: permanent, times: 100})
	out := e.apply()
	r := out.reset(t, 0)
	if e.w.live("a", e.old) > 0 && (!r.Changed || out.Closed) {
		t.Errorf("a new version lives at the target, and the reset says %+v, closed %v", r, out.Closed)
	}
	e.w.faults = nil
	if out := e.resume(); out.Exit() != diag.ExitOK || e.w.live("a", e.old) != 1 {
		t.Errorf("%+v; %d new versions live", out.reset(t, 0), e.w.live("a", e.old))
	}
}

// Where versions cannot be listed, an orphan cannot be found: nothing may be
// minted over it.
func TestAnOrphanThatCannotBeListedIsNotMintedOver(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_token"})
	e.plan()
	e.w.fail(fault{op: "Mint", kind: ambiguous, effect: true, before: func(w *world) { w.account("a").unlisted = true }})
	out := e.apply()
	if n := e.w.live("a", e.old); n > 1 {
		t.Errorf("%d new versions live: %+v", n, out.reset(t, 0))
	}
}

// An install that may have happened and had not is not yet begun: finding that
// out does not open the gate.
func TestAnUncertainInstallThatHadNoEffectNeedsTheGate(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"mem_password", "mem_key"} {
		e := start(t, setup{typ: typ})
		e.w.fail(fault{op: "Set", kind: crash})
		e.apply()
		out := e.resume(held)
		if e.w.count("Set") > 1 || !e.w.works("a", e.old) {
			t.Errorf("%s: it was set while the gates were closed: %+v", typ, out.reset(t, 0))
		}
	}
}
