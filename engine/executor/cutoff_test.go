package executor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// What is cut off while it looks about begins nothing, and what it saw counts for
// nothing: the resume looks again, proves more, and leaves nothing sealed that the first
// process had kept for a proof.
func TestCutOffBeforeAnythingBegan(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", reason: lifecycle.Compromised})
	e.w.identifies = false
	e.plan()
	e.w.fail(fault{op: "Probe", kind: unclear, before: func(*world) { e.last.halt(); e.last.kill() }})
	out := e.apply()
	if r := out.reset(t, 0); r.Outcome != executor.Halted || r.Changed || !r.Open || r.Error != "interrupted" {
		t.Errorf("%+v", r)
	}
	e.untouched(t)
	if slices.ContainsFunc(e.records(), func(r string) bool { return strings.HasSuffix(r, " intend") }) {
		t.Errorf("something was announced: %v", e.records())
	}
	if !slices.Contains(e.sealedNames(), "old.0") {
		t.Fatalf("the world does not show it: %v", e.sealedNames())
	}
	out = e.resume()
	if r := out.reset(t, 0); r.Outcome != executor.Finished || r.Proof != lifecycle.Tested {
		t.Errorf("%+v", r)
	}
	if names := e.sealedNames(); len(names) > 0 {
		t.Errorf("%v stayed sealed", names)
	}
}

// A resume that is cut off after it has undone what an earlier process may have done
// ends nothing: the reset stays open, and the next resume does it.
func TestCutOffAfterAnOrphanWasRevoked(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_token"})
	e.w.fail(fault{op: "Mint", kind: crash, effect: true})
	e.apply()
	e.w.faults = nil
	e.w.fail(fault{op: "Revoke", before: func(w *world) {
		w.fail(fault{op: "Inspect", kind: transient, before: func(*world) { e.last.halt(); e.last.kill() }})
	}})
	out := e.resume()
	if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || r.Error != "interrupted" {
		t.Errorf("%+v", r)
	}
	if n := e.w.live("a", e.old); n != 0 {
		t.Errorf("the world does not show it: %d new versions live", n)
	}
	e.w.faults = nil
	if out := e.resume(); out.Exit() != diag.ExitOK || out.reset(t, 0).Outcome != executor.Finished || e.w.live("a", e.old) != 1 {
		t.Errorf("%+v; %d new versions live", out.reset(t, 0), e.w.live("a", e.old))
	}
}
