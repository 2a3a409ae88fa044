package executor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// revive puts the old secret back beside whatever there is.
func revive(w *world) {
	a := w.account("a")
	a.versions = append(a.versions, version{id: "v1", value: "OLD"})
	a.exists, a.enabled = true, true
}

// A proof is of its moment: a resume makes it again, and finishes nothing on one from
// before the interruption.
func TestTheProofIsMadeAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		e.w.fail(fault{op: "Send", kind: "permanent"})
		e.w.fail(fault{op: "Send", kind: "permanent"}) // the owner is not told of the halt either
		if out := e.apply(); out.Exit() != diag.ExitUnfinished {
			t.Fatalf("exit %d", out.Exit())
		}
		revive(e.w)
		out := e.resume()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || r.Proof != "" || out.Exit() != diag.ExitUnfinished || out.Closed ||
			!strings.Contains(r.Error, "somebody put it back") {
			t.Errorf("alive again: %+v, exit %d, closed %v", r, out.Exit(), out.Closed)
		}
		for _, n := range e.w.notices {
			if n.Kind == "finished" {
				t.Errorf("the owner was told that %s", n.Summary)
			}
		}
		if !slices.Contains(e.sealedNames(), executor.OldSecret) {
			t.Error("the old one works, and the state has it no more")
		}
		a := e.w.account("a")
		a.versions = slices.DeleteFunc(a.versions, func(v version) bool { return v.value == "OLD" })
		if s.reason == lifecycle.Offboarding {
			a.exists, a.enabled = len(a.versions) > 0, false
		}
		out = e.resume()
		if r := out.reset(t, 0); out.Exit() != diag.ExitOK || r.Proof != lifecycle.Tested {
			t.Errorf("revoked by hand: %+v, exit %d", r, out.Exit())
		}
	})
}

// What nobody undid is done once, but for the proof, which stands in evidence twice.
func TestOnlyTheProofIsMadeAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		e.w.fail(fault{op: "Send", kind: crash})
		if out := e.apply(); !out.died {
			t.Fatal("it lives")
		}
		before := e.records()
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		prove := "prove.dead"
		if s.reason == lifecycle.Compromised {
			prove += "#2"
		}
		want := []string{prove + " intend", prove + " done", "notify.owner intend", "notify.owner done", "ended"}
		if diff := cmp.Diff(want, e.records()[len(before):]); diff != "" {
			t.Errorf("what the resume did (-want +got):\n%s", diff)
		}
	})
}

// Where the credential was reset again by another run, the proof that an earlier process
// made counts still: what it was about is not kept for nothing.
func TestAnotherRunAfterTheProof(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Send", kind: crash})
	e.apply()
	out := e.resume(generations(1))
	if r := out.reset(t, 0); r.Outcome != executor.Superseded || r.SealedOld || !out.Closed {
		t.Errorf("%+v, closed %v", r, out.Closed)
	}
}

// A store that somebody restored gets the new secret again, and its consumer is told,
// before the old one is revoked: a service would read a secret that is dead.
func TestARestoredStoreIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		for _, at := range []string{"Reload", "Revoke", "Probe", "Send"} {
			if typ == "mem_password" && at == "Revoke" {
				continue // the new one takes the old one's place
			}
			t.Run(typ+"/"+at, func(t *testing.T) {
				t.Parallel()
				e := start(t, setup{typ: typ, consumers: 1})
				f := fault{op: at, kind: crash}
				if at == "Probe" {
					f.skip = 2 // the baseline's and that of confirm: it is the proof's
				}
				e.w.fail(f)
				if out := e.apply(); !out.died {
					t.Fatal("it was not killed")
				}
				key := "a-" + probeField(typ)
				fresh := e.w.stores[key]
				e.w.stores[key] = "OLD"
				e.w.calls = nil
				if out := e.resume(); out.Exit() != diag.ExitOK {
					t.Fatalf("%+v", out.reset(t, 0))
				}
				if e.w.stores[key] != fresh {
					t.Errorf("the store holds %q", e.w.stores[key])
				}
				if e.w.count("Put") != 1 || e.w.count("Reload") != 1 {
					t.Errorf("%d stores were written to, %d consumers told", e.w.count("Put"), e.w.count("Reload"))
				}
				put, revoke := slices.Index(e.w.calls, "Put"), slices.Index(e.w.calls, "Revoke")
				if revoke >= 0 && revoke < put {
					t.Errorf("the old one was revoked before the store had the new one: %v", e.w.calls)
				}
			})
		}
	}
}

// A store that does not answer may hold anything: nothing is finished on its word of
// before, and the new secret stays sealed.
func TestAStoreThatDoesNotAnswerAgain(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Send", kind: crash})
	e.apply()
	e.w.fail(fault{op: "Holds", kind: "permanent", times: 1})
	e.w.fail(fault{op: "Put", kind: "permanent", times: 1})
	out := e.resume()
	if r := out.reset(t, 0); r.Outcome != executor.Halted || out.Exit() != diag.ExitUnfinished || !slices.Contains(e.sealedNames(), "issue.it") {
		t.Errorf("%+v, exit %d, sealed %v", r, out.Exit(), e.sealedNames())
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// What somebody else put there since may be the only copy of it.
func TestAStoreThatSomebodyTook(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key"})
	e.w.fail(fault{op: "Revoke", kind: crash})
	e.apply()
	e.w.stores["a-private_key"] = "theirs"
	out := e.resume()
	if r := out.reset(t, 0); r.Outcome != executor.Halted || !strings.Contains(r.Error, "somebody wrote to it since") || out.Exit() != diag.ExitUnfinished {
		t.Errorf("%+v, exit %d", r, out.Exit())
	}
	if e.w.stores["a-private_key"] != "theirs" || !e.w.works("a", e.old) {
		t.Error("it was overwritten, or the old one revoked")
	}
	delete(e.w.stores, "a-private_key")
	if out := e.resume(); out.Exit() != diag.ExitOK || e.w.stores["a-private_key"] == "" {
		t.Errorf("emptied: %+v", out.reset(t, 0))
	}
}

// In retire, a store that got an old secret back is emptied again; what else somebody
// put there is not ours.
func TestARestoredStoreIsEmptiedAgain(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{"OLD": "", "somebody else's": "somebody else's", "": ""} {
		e := start(t, setup{reason: lifecycle.Offboarding})
		e.w.fail(fault{op: "Send", kind: crash})
		e.apply()
		if content != "" {
			e.w.stores["a-value"] = content
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Fatalf("%q: %+v", content, out.reset(t, 0))
		}
		if got := e.w.stores["a-value"]; got != want {
			t.Errorf("%q: the store holds %q", content, got)
		}
	}
}
