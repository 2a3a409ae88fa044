package executor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
)

// What the owner is told at the end is true of where the new secret is, of who still
// has the old one, and of how that one's death is known.
func TestWhatTheOwnerIsTold(t *testing.T) {
	t.Parallel()
	const contain, retire = lifecycle.Compromised, lifecycle.Offboarding
	never := func(phase string) map[string]string { return map[string]string{phase: "when = false"} }
	absent := func(w *world) { w.accounts["a"] = &account{} }
	unknown := func(w *world) { w.stores["a-value"] = "" }
	for name, tc := range map[string]struct {
		s     setup
		world func(*world)
		want  string
	}{
		"in place": {s: setup{consumers: 1}, want: "was reset: the old secret is dead, the new one is where it is needed."},
		"no store": {
			s:    setup{stores: []string{}},
			want: "was reset: the old secret is dead by the target's own records, the new one stays sealed in the state, since no store has all of it (`remint recover`).",
		},
		"its public half alone": {
			s:    setup{typ: "mem_key", stores: []string{"public_key"}},
			want: "was reset: the old secret is dead by the target's own records, the new one stays sealed in the state, since no store has all of it (`remint recover`).",
		},
		"a store left out": {
			s: setup{steps: map[string]string{"distribute": `when = each.key != "mem.value"`}, extra: " store \"mem\" \"other\" {\n key = \"a-other\"\n field = \"value\"\n }\n"},
			want: "was reset: the old secret is dead, the new one is where it is needed, but for what was left out. " +
				"Not given the new one, and may still hold the old one: mem.value.",
		},
		"the only whole one left out, contained": {
			s: setup{typ: "mem_key", reason: contain, steps: map[string]string{"distribute": `when = each.key != "mem.private_key"`}},
			want: "was reset: the old secret is dead, the new one stays sealed in the state, since no store has all of it (`remint recover`). " +
				"Not given the new one, and may still hold the old one: mem.private_key.",
		},
		"a consumer left out": {
			s:    setup{consumers: 2, steps: never("reload")},
			want: "was reset: the old secret is dead, the new one is where it is needed, but for what was left out. Did not pick up the new one: mem.c0, mem.c1.",
		},
		"the old one unknown": {world: unknown, want: "was reset: the old secret is dead by the target's own records, the new one is where it is needed."},
		"the first":           {world: func(w *world) { absent(w); unknown(w) }, want: "was reset: there was no old secret, the new one is where it is needed."},
		"the first, contained": {
			s: setup{reason: contain}, world: func(w *world) { absent(w); unknown(w) }, want: "was reset: there was no old secret, the new one is where it is needed.",
		},
		"retired":              {s: setup{reason: retire}, want: "was retired: nobody can use it any more."},
		"retired, unknown":     {s: setup{reason: retire}, world: unknown, want: "was retired: by the target's own records nobody can use it any more."},
		"retired, never there": {s: setup{reason: retire}, world: absent, want: "was retired: the target did not have it."},
		"retired, not emptied": {
			s:    setup{reason: retire, steps: never("distribute")},
			want: "was retired: nobody can use it any more. Not emptied, and may still hold it: mem.value.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tc.s)
			if tc.world != nil {
				tc.world(e.w)
			}
			e.plan()
			e.apply()
			if len(e.w.notices) != 1 {
				t.Fatalf("%d notices", len(e.w.notices))
			}
			reported := strings.Contains(strings.Join(e.w.notices[0].Changes, "\n"), ", by its own records")
			if want := e.w.notices[0].Proof == string(lifecycle.Reported); reported != want {
				t.Errorf("reported %v: %q", want, e.w.notices[0].Changes)
			}
			_, told, _ := strings.Cut(e.w.notices[0].Summary, " ")
			if diff := cmp.Diff(tc.want, told); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A consumer that failed, and was passed over, is not said to have the new one.
func TestTheOwnerHearsWhoFailed(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 1, retry: ptr(once), steps: map[string]string{"reload": `on_failure = "continue"`}})
	e.plan()
	e.w.fail(fault{op: "Reload", kind: permanent})
	e.apply()
	if len(e.w.notices) == 0 || !strings.HasSuffix(e.w.notices[0].Summary, "the new one is where it is needed, but for what was left out. Did not pick up the new one: mem.c0.") {
		t.Errorf("%+v", e.w.notices)
	}
}
