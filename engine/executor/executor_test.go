package executor_test

import (
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

var (
	types   = []string{"mem_password", "mem_key", "mem_token"}
	reasons = []lifecycle.Reason{lifecycle.Scheduled, lifecycle.Compromised, lifecycle.Offboarding}
)

// each runs f for every type in every mode.
func each(t *testing.T, f func(t *testing.T, s setup)) {
	for _, typ := range types {
		for _, reason := range reasons {
			t.Run(typ+"/"+string(reason.Mode()), func(t *testing.T) {
				t.Parallel()
				f(t, setup{typ: typ, reason: reason, consumers: 1})
			})
		}
	}
}

func TestAResetFinishesTested(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Finished || r.Proof != lifecycle.Tested || out.Exit() != diag.ExitOK || !out.Closed || !out.Filed {
			t.Fatalf("%+v, exit %d, %s", r, out.Exit(), out.Error)
		}
		if e.w.works("a", e.old) {
			t.Error("the old secret works")
		}
		want := 1
		if s.reason == lifecycle.Offboarding {
			want = 0
		}
		if n := e.w.live("a", e.old); n != want {
			t.Errorf("%d new versions live, want %d", n, want)
		}
		if n := e.sealedNames(); len(n) > 0 {
			t.Errorf("still sealed: %v", n)
		}
		if !e.closed() {
			t.Error("the run is open")
		}
	})
}
