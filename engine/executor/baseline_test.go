package executor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Who asked and who agreed is recorded before the target is asked anything.
func TestTheTargetIsAskedAfterTheGates(t *testing.T) {
	t.Parallel()
	for reason, step := range map[lifecycle.Reason]string{lifecycle.Scheduled: "issue.it", lifecycle.Compromised: "revoke.old"} {
		e := start(t, setup{reason: reason})
		e.plan()
		e.w.fail(fault{op: "Inspect", kind: permanent})
		r := e.apply().reset(t, 0)
		if r.Outcome != executor.Failed || r.Step != step {
			t.Errorf("%s: %+v", reason, r)
		}
		if got := e.records()[:2]; !slices.Equal(got, []string{"verify.requester done", "approve.owners done"}) {
			t.Errorf("%s: records %v", reason, got)
		}
	}
}

// A resume tries the new secret once to see whether the reset is still ours, and not
// before every step: targets count logins.
func TestOneLoginTellsThatItIsOurs(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 2})
	e.plan()
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	before := e.w.count("Probe")
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Fatalf("%+v", out.reset(t, 0))
	}
	if n := e.w.count("Probe") - before; n != 3 { // ours, the old one, the new one
		t.Errorf("%d logins", n)
	}
}

// Every store is asked once whether it could take a new secret, before there is one.
func TestStoresAreAskedBeforeANewOneIsMade(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s    setup
		want int
	}{{setup{typ: "mem_key"}, 2}, {setup{typ: "mem_token", reason: lifecycle.Compromised}, 2}, {setup{typ: "mem_key", reason: lifecycle.Offboarding}, 0}} {
		e := start(t, tc.s)
		if out := e.apply(); out.Exit() != diag.ExitOK || e.w.count("Check") != tc.want {
			t.Errorf("%+v: %+v, asked %d times", tc.s, out.reset(t, 0), e.w.count("Check"))
		}
	}
	// One that may be made already is looked for, whatever the stores say.
	e := start(t, setup{typ: "mem_token", retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Mint", kind: crash, effect: true})
	e.apply()
	e.w.fail(fault{op: "Check", kind: permanent, times: 100})
	if out := e.resume(); out.Exit() != diag.ExitOK || e.w.live("a", e.old) != 1 {
		t.Errorf("%+v, %d live", out.reset(t, 0), e.w.live("a", e.old))
	}
}

// What a target says before the first effect decides whether there is one.
func TestWhatIsSeenFirst(t *testing.T) {
	t.Parallel()
	contain := lifecycle.Compromised
	for name, tc := range map[string]struct {
		s setup
		// planned is done before the plan, then after it.
		planned, then func(*world)
		want          executor.Outcome
		says          string
	}{
		"another who has our token":  {s: setup{}, then: func(w *world) { w.fence = 1 }, want: executor.Failed, says: "the target was changed with fencing token 1, and this run's is 1"},
		"a newer token than ours":    {s: setup{}, then: func(w *world) { w.fence = 2 }, want: executor.Failed, says: "the target was changed with fencing token 2, and this run's is 1"},
		"a key's versions hidden":    {s: setup{typ: "mem_key"}, then: unlisted, want: executor.Failed, says: "the target does not let its versions be read"},
		"a password's versions":      {s: setup{}, planned: unlisted, want: executor.Finished},
		"no record, and contain":     {s: setup{typ: "mem_token", reason: contain}, then: unrecordedA, want: executor.Failed, says: "nothing could show that it is dead"},
		"no record, and retire":      {s: setup{typ: "mem_key", reason: lifecycle.Offboarding}, then: unrecordedA, want: executor.Failed, says: "nothing could show that it is dead"},
		"no record, and cutover":     {s: setup{typ: "mem_key"}, planned: unrecordedA, want: executor.Halted, says: "THE OLD SECRET STILL WORKS"},
		"no record, but in a store":  {s: setup{typ: "mem_key", reason: contain}, planned: func(w *world) { unrecordedA(w); w.identifies = true }, want: executor.Finished},
		"nothing there, but records": {s: setup{typ: "mem_key", reason: contain}, planned: func(w *world) { w.accounts["a"] = &account{} }, want: executor.Finished},
		"gone, but listed":           {s: setup{}, then: func(w *world) { w.account("a").exists = false }, want: executor.Refused, says: errDrifted},
		"its identity for good":      {s: setup{}, then: func(w *world) { w.fail(fault{op: "Identity", kind: permanent, times: 100}) }, want: executor.Failed, says: "Identity failed"},
		"its identity later":         {s: setup{}, then: func(w *world) { w.fail(fault{op: "Identity", kind: transient, times: 2}) }, want: executor.Finished},
		"the old one not sealed":     {s: setup{}, then: func(w *world) { w.fail(fault{op: "seal old", kind: permanent}) }, want: executor.Failed, says: "the secret cannot be sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tc.s)
			if tc.planned != nil {
				tc.planned(e.w)
			}
			e.plan()
			if tc.then != nil {
				tc.then(e.w)
			}
			out := e.apply()
			r := out.reset(t, 0)
			if r.Outcome != tc.want || !strings.Contains(r.Error, tc.says) || (r.Error == "") != (tc.want == executor.Finished) {
				t.Errorf("%+v, want %s", r, tc.want)
			}
			if tc.want == executor.Failed {
				e.untouched(t)
				if n := e.w.count("Identity"); strings.Contains(name, "for good") && n != 1 {
					t.Errorf("the identity was asked for %d times", n)
				}
			}
		})
	}
}

const errDrifted = "the target changed since it was planned: plan again"

func unrecordedA(w *world) { w.account("a").unrecorded = true }

// In contain an old secret that cannot be tried holds nothing up: it is what has to die.
func TestContainDoesNotWaitForTheOldOne(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{{op: "Probe", kind: unclear}, {op: "Probe", kind: permanent}, {op: "Probe", kind: transient, effect: true}} {
		e := start(t, setup{reason: lifecycle.Compromised})
		e.plan()
		e.w.fail(f)
		out := e.apply()
		if r := out.reset(t, 0); out.Exit() != diag.ExitOK || r.Proof != lifecycle.Reported {
			t.Errorf("%s: %+v", f.kind, r)
		}
	}
}

// Of several stores, the old secret is the first value that the target accepts, and
// the others are secrets all the same.
func TestTheOldOneIsTheFirstThatIsAccepted(t *testing.T) {
	t.Parallel()
	e := start(t, setup{stores: []string{"value"}})
	e.w.stores["a-value"] = "OF-LAST-YEAR"
	e.plan()
	e.w.fail(fault{op: "Put", kind: permanent, says: func(*world) string { return "cannot replace OF-LAST-YEAR there" }})
	r := e.apply().reset(t, 0)
	if r.Outcome != executor.Halted || !strings.Contains(r.Error, "cannot replace ") || strings.Contains(r.Error+e.evidence(), "OF-LAST-YEAR") {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"issue.it"}, e.sealedNames()); diff != "" {
		t.Errorf("sealed (-want +got):\n%s", diff)
	}
}

// The old secret is looked for in every store: where one is stale, another may have it.
func TestTheOldOneIsLookedForInEveryStore(t *testing.T) {
	t.Parallel()
	for i, reason := range append(reasons[:len(reasons):len(reasons)], reasons...) {
		e := start(t, setup{reason: reason, extra: " store \"mem\" \"spare\" {\n key = \"a-spare\"\n field = \"value\"\n }\n"})
		e.w.stores["a-value"], e.w.stores["a-spare"] = "OF-LAST-YEAR", "OLD"
		if i >= len(reasons) {
			e.w.stores["a-value"], e.w.stores["a-spare"] = "OLD", "OF-LAST-YEAR"
		}
		if r := e.apply().reset(t, 0); r.Outcome != executor.Finished || r.Proof != lifecycle.Tested {
			t.Errorf("%s: %+v", reason, r)
		}
	}
}

// A login that was not accepted is in evidence, though nothing was begun.
func TestALoginBeforeTheStopIsEvidenced(t *testing.T) {
	t.Parallel()
	e := start(t, setup{retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Probe", kind: unclear, before: func(w *world) { w.detail = "try later" }})
	r := e.apply().reset(t, 0)
	if want := "the target gives no clear answer to the old secret, so nothing was begun: try later at " + endpoint; r.Outcome != executor.Failed || r.Error != want {
		t.Errorf("%+v, want %q", r, want)
	}
	said := e.steps("issue.it")
	if len(said) != 1 || said[0].Outcome != string(journal.Failed) {
		t.Fatalf("%+v", said)
	}
	want := []evidence.Probe{{Subject: "old", Verdict: string(provider.Unclear), Basis: "tested", Endpoint: endpoint, Detail: "try later", At: said[0].Probes[0].At}}
	if diff := cmp.Diff(want, said[0].Probes); diff != "" || said[0].Probes[0].At.IsZero() {
		t.Errorf("probes (-want +got):\n%s", diff)
	}
}

// A login that changed nothing has no effect that could be in doubt.
func TestALoginLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{ambiguous, unclassed, transient} {
		e := start(t, setup{retry: ptr(once)})
		e.plan()
		e.w.fail(fault{op: "Probe", skip: 1, kind: kind})
		e.apply()
		if got := of(e.records(), "confirm"); !slices.Equal(got, []string{"confirm.it failed"}) {
			t.Errorf("%s: %v", kind, got)
		}
	}
}

// Code that dereferences nothing is named by its own place, not by the runtime's.
func TestWherePanicsAre(t *testing.T) {
	t.Parallel()
	e := start(t, setup{retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Inspect", before: func(w *world) {
		w.mu.Unlock() // as it was before the call
		var nobody *account
		nobody.exists = true
	}})
	r := e.apply().reset(t, 0)
	if r.Outcome != executor.Failed || !strings.Contains(r.Error, "panicked at github.com/remint-dev/remint/engine/executor_test.TestWherePanicsAre.") {
		t.Errorf("%+v", r)
	}
	if _, line, _ := strings.Cut(r.Error, "TestWherePanicsAre.func1:"); line == "" || line[0] < '1' || line[0] > '9' {
		t.Errorf("no line: %s", fmt.Sprint(r.Error))
	}
}
