package executor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// somebody does something at the target just before a call.
func somebody(op string, skip int, does func(*world)) fault {
	return fault{op: op, skip: skip, before: does}
}

func unlisted(w *world) { w.account("a").unlisted = true }

func unrecorded(w *world) { w.account("a").unrecorded = true }

func TestProof(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s setup
		// world is changed before planning, then is done after it; faults meet the run.
		world, then func(*world)
		faults      []fault
		want        executor.Outcome
		proof       lifecycle.Proof
		// dead is whether the old secret is to be refused in the end.
		dead bool
	}{
		"accepted, refused, control": {s: setup{}, want: executor.Finished, proof: lifecycle.Tested, dead: true},
		"the old one is in no store": {
			s: setup{stores: []string{}}, want: executor.Finished, proof: lifecycle.Reported, dead: true,
		},
		"what the store has is not the old one": {
			s: setup{}, world: func(w *world) { w.stores["a-value"] = "another" }, want: executor.Finished, proof: lifecycle.Reported, dead: true,
		},
		"no control in contain": {
			s: setup{reason: lifecycle.Compromised}, world: func(w *world) { w.controller = false },
			want: executor.Finished, proof: lifecycle.Reported, dead: true,
		},
		"no control in retire, nothing listed": {
			s:     setup{typ: "mem_key", reason: lifecycle.Offboarding},
			world: func(w *world) { w.controller = false },
			// the versions were listed at first, and are not at the end
			faults: []fault{somebody("Revoke", 0, unlisted)},
			want:   executor.Halted, dead: true,
		},
		"a control where nothing is listed": {
			s: setup{typ: "mem_key", reason: lifecycle.Offboarding}, faults: []fault{somebody("Revoke", 0, unlisted)},
			want: executor.Finished, proof: lifecycle.Tested, dead: true,
		},
		"unknown, and never recorded": {
			s: setup{typ: "mem_key", stores: []string{}, reason: lifecycle.Offboarding}, then: unrecorded, // a plan of it is refused
			want: executor.Failed, dead: false,
		},
		"unknown, and never recorded, in contain": {
			s: setup{typ: "mem_token", stores: []string{}, reason: lifecycle.Compromised}, then: unrecorded,
			want: executor.Failed, dead: false,
		},
		"unknown, and never listed": {
			s: setup{typ: "mem_key", stores: []string{}, reason: lifecycle.Offboarding}, world: unlisted,
			want: executor.Failed, dead: false,
		},
		"unknown, and not listed at the end": {
			s: setup{typ: "mem_key", stores: []string{}}, faults: []fault{somebody("Revoke", 0, unlisted)},
			want: executor.Halted, dead: true,
		},
		"in place and never listed: the target acknowledged": {
			s: setup{stores: []string{}}, world: unlisted, want: executor.Finished, proof: lifecycle.Reported, dead: true,
		},
		"the old one still works": {
			s: setup{typ: "mem_key"},
			faults: []fault{somebody("Control", 0, nil), somebody("Revoke", 0, func(w *world) {
				w.fail(fault{op: "Probe", before: func(w *world) { w.add(w.account("a"), "", "OLD") }})
			})},
			want: executor.Halted, dead: false,
		},
		"enabled again during the sweep": {
			s: setup{reason: lifecycle.Compromised}, faults: []fault{somebody("EndSessions", 0, func(w *world) { w.account("a").enabled = true })},
			want: executor.Halted, dead: true,
		},
		"enabled again while it is retired": {
			s: setup{reason: lifecycle.Offboarding}, faults: []fault{somebody("EndSessions", 0, func(w *world) { w.account("a").enabled = true })},
			want: executor.Halted, dead: true,
		},
		"another password set during the sweep": {
			s:      setup{reason: lifecycle.Compromised},
			faults: []fault{somebody("EndSessions", 0, func(w *world) { w.add(w.account("a"), "", "theirs") })},
			want:   executor.Halted, dead: true,
		},
		"a version added in contain": {
			s: setup{typ: "mem_key", reason: lifecycle.Compromised}, faults: []fault{somebody("Revoke", 0, func(w *world) { w.add(w.account("a"), "", "theirs") })},
			want: executor.Halted, dead: true,
		},
		"a version added in retire": {
			s: setup{typ: "mem_token", reason: lifecycle.Offboarding}, faults: []fault{somebody("Revoke", 0, func(w *world) { w.add(w.account("a"), "", "theirs") })},
			want: executor.Halted, dead: true,
		},
		"a version added in a cutover is not ours to judge": {
			s: setup{typ: "mem_key"}, faults: []fault{somebody("Revoke", 0, func(w *world) { w.add(w.account("a"), "", "theirs") })},
			want: executor.Finished, proof: lifecycle.Tested, dead: true,
		},
		"the old one put back after install": {
			s: setup{}, faults: []fault{somebody("EndSessions", 0, func(w *world) {
				a := w.account("a")
				a.versions = nil
				w.add(a, "", "OLD")
			})},
			want: executor.Halted, dead: false,
		},
		"a clear answer is not had": {
			s: setup{}, faults: []fault{{op: "Probe", skip: 2, kind: unclear, times: 100}}, want: executor.Halted, dead: true,
		},
		"no clear answer at the beginning": {
			s: setup{}, faults: []fault{{op: "Probe", kind: unclear, times: 100}}, want: executor.Failed, dead: false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tc.s)
			if tc.world != nil {
				tc.world(e.w)
			}
			e.plan()
			if tc.then != nil {
				tc.then(e.w)
			}
			for _, f := range tc.faults {
				e.w.fail(f)
			}
			out := e.apply()
			r := out.reset(t, 0)
			if r.Outcome != tc.want || tc.want == executor.Finished && r.Proof != tc.proof {
				t.Errorf("%+v, want %s %s", r, tc.want, tc.proof)
			}
			if tc.want != executor.Finished && (out.Exit() == diag.ExitOK || out.Outcome() == "finished") {
				t.Errorf("exit %d, %s", out.Exit(), out.Outcome())
			}
			if e.w.works("a", e.old) == tc.dead {
				t.Errorf("the old one works: %v", !tc.dead)
			}
		})
	}
}

// A login begun before the change completes while it is being swept.
func TestSessionsAreSweptUntilTheWindowIsOver(t *testing.T) {
	t.Parallel()
	for _, reason := range reasons {
		e := start(t, setup{reason: reason})
		e.w.settle = 8 * time.Millisecond
		begun := e.w.now()
		e.w.account("a").sessions = []time.Time{begun}
		e.w.fail(somebody("EndSessions", 1, func(w *world) { w.account("a").sessions = append(w.account("a").sessions, begun) }))
		out := e.apply()
		if out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		if n := len(e.w.account("a").sessions); n > 0 {
			t.Errorf("%s: %d sessions of the old secret are open", reason, n)
		}
	}
}

// Sessions begun with the new secret are the service's own.
func TestSessionsOfTheNewSecretLive(t *testing.T) {
	t.Parallel()
	for _, reason := range []lifecycle.Reason{lifecycle.Scheduled, lifecycle.Compromised} {
		e := start(t, setup{reason: reason, consumers: 1})
		e.w.fail(somebody("Reload", 0, func(w *world) { w.account("a").sessions = append(w.account("a").sessions, w.tick()) }))
		if out := e.apply(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		if n := len(e.w.account("a").sessions); n != 1 {
			t.Errorf("%s: %d sessions, want the service's", reason, n)
		}
	}
}

// A reload that failed does not keep the sessions of a dead secret alive: the old
// one is dead in place since install.
func TestAFailedReloadDoesNotKeepOldSessions(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 1, steps: map[string]string{"reload": "on_failure = \"continue\""}})
	e.w.account("a").sessions = []time.Time{e.w.now()}
	e.w.fail(fault{op: "Reload", kind: permanent, times: 100})
	out := e.apply()
	if r := out.reset(t, 0); !r.Open || r.Outcome != executor.Halted {
		t.Errorf("%+v", r)
	}
	if n := len(e.w.account("a").sessions); n > 0 {
		t.Errorf("%d sessions of the old secret are open", n)
	}
	e.w.faults = nil
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// Where two can live, the old one does until everything that needs the new one has
// it, however often that fails, in every process: promise 3.
func TestAFailedReloadKeepsTheOldOneAlive(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", consumers: 1, steps: map[string]string{"reload": "on_failure = \"continue\""}})
	e.w.fail(fault{op: "Reload", kind: permanent, times: 100})
	e.apply()
	for range 3 {
		if !e.w.works("a", e.old) {
			t.Fatal("the old one is dead, and a consumer never picked up the new one")
		}
		if out := e.resume(); out.Exit() == diag.ExitOK {
			t.Errorf("%+v", out.reset(t, 0))
		}
	}
	e.w.faults = nil
	if out := e.resume(); out.Exit() != diag.ExitOK || e.w.works("a", e.old) {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// What a target did not let be read is not what it has not.
func TestWhatIsNotListedIsNotCalledAbsent(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", reason: lifecycle.Offboarding})
	unlisted(e.w)
	e.apply()
	for id, line := range e.w.filed {
		if strings.Contains(line, "there was no old one") {
			t.Errorf("%s says that there was no old one, while it works: %v", id, e.w.works("a", e.old))
		}
	}
}
