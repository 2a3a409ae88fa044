package executor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// elsewhere moves the old secret to a name that is not the credential's: it works
// there, and the target lists nothing for the credential.
func elsewhere(w *world) {
	a := w.account("a")
	a.exists, a.enabled = false, false
	for i := range a.versions {
		a.versions[i].elsewhere = true
	}
}

// A secret that a store holds, and that the target does not list for the credential,
// is dead only where it is refused: a list that never had it shows nothing.
func TestWhatTheTargetListsElsewhere(t *testing.T) {
	t.Parallel()
	// again is somebody who puts it there again once it was killed.
	again := func(op string, n int) fault {
		return somebody(op, 0, func(w *world) {
			w.fail(fault{op: "Probe", before: func(w *world) {
				for range n {
					w.add(w.account("a"), "", "OLD")
				}
				elsewhere(w)
			}})
		})
	}
	for name, tc := range map[string]struct {
		reason          lifecycle.Reason
		retires, unsaid bool
		faults          []fault
		want            executor.Outcome
		says            string
		// alive is whether it works in the end.
		alive bool
	}{
		"retired":                   {reason: lifecycle.Offboarding, retires: true, want: executor.Finished},
		"revoked":                   {reason: lifecycle.Offboarding, want: executor.Finished},
		"compromised":               {reason: lifecycle.Compromised, want: executor.Finished},
		"retired, in two processes": {reason: lifecycle.Offboarding, retires: true, faults: []fault{{op: "Retire", kind: crash}}, want: executor.Finished},
		"retired, and the reply was lost": {
			reason: lifecycle.Offboarding, retires: true, faults: []fault{{op: "Retire", kind: crash, effect: true}}, want: executor.Finished,
		},
		"it dies before its proof": {reason: lifecycle.Offboarding, retires: true, faults: []fault{{op: "Control", kind: crash}}, want: executor.Finished},
		"it is there again": {
			reason: lifecycle.Offboarding, retires: true, faults: []fault{again("Retire", 1)},
			want: executor.Halted, says: "whether the old secret is dead is unknown", alive: true,
		},
		"it is there again, compromised": {
			reason: lifecycle.Compromised, faults: []fault{again("Revoke", 1)},
			want: executor.Halted, says: "whether the old secret is dead is unknown", alive: true,
		},
		"nobody can name it, and it lives": {
			reason: lifecycle.Offboarding, retires: true, unsaid: true, want: executor.Halted, says: "whether the old secret is dead is unknown", alive: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{typ: "mem_key", reason: tc.reason})
			e.w.identifies, e.w.retires = !tc.unsaid, tc.retires
			elsewhere(e.w)
			e.plan()
			for _, f := range tc.faults {
				e.w.fail(f)
			}
			out := e.apply()
			if len(tc.faults) > 0 && tc.faults[0].kind == crash {
				out = e.resume()
			}
			r := out.reset(t, 0)
			if r.Outcome != tc.want || !strings.Contains(r.Error, tc.says) || tc.want == executor.Finished && r.Proof != lifecycle.Reported {
				t.Errorf("%+v, want %s", r, tc.want)
			}
			old := func(v version) bool { return v.value == e.old }
			if alive := slices.ContainsFunc(e.w.account("a").versions, old); alive != tc.alive {
				t.Errorf("it works: %v", alive)
			}
			if tc.alive && e.w.stores["a-private_key"] != e.old {
				t.Errorf("the store has %q, and the old one may work", e.w.stores["a-private_key"])
			}
			sealed := slices.ContainsFunc(e.sealedNames(), executor.IsOld)
			if sealed != (tc.want == executor.Halted) {
				t.Errorf("what was kept for the proof is sealed: %v", sealed)
			}
		})
	}
}
