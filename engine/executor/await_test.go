package executor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// lingering is a target at which a change goes on when whoever asked for it is gone, and
// is not to be seen before it is over.
type lingering struct {
	controlled
	*lingers
}

// lingers is which call lingers, and what is going on since.
type lingers struct {
	op    string
	going func(w *world)
}

var errGoingOn = provider.Errorf(provider.Transient, "another transaction holds it")

// linger has p killed in the middle of op, the change going on; other changes wait, and
// give up.
func (t lingering) linger(op string, change func(w *world)) (bool, error) {
	switch {
	case t.going != nil:
		return true, errGoingOn
	case t.op == op:
		t.op, t.going = "", change
		t.p.die()
		return true, errCrashed
	}
	return false, nil
}

func (t lingering) Await(context.Context, provider.Credential) error {
	if t.going != nil {
		return provider.Errorf(provider.Conflict, "%v", errGoingOn)
	}
	return nil
}

func (t lingering) Set(ctx context.Context, m provider.Mutation, s secret.Material) (provider.Applied, error) {
	if met, err := t.linger("Set", func(w *world) {
		a := w.account(name(m.Credential))
		if m.Credential.Type == "mem_password" {
			a.versions = nil
		}
		w.add(a, m.Label, s.Field(probeField(m.Credential.Type)).RevealString())
	}); met {
		return provider.Applied{}, err
	}
	return t.controlled.Set(ctx, m, s)
}

func (t lingering) Mint(ctx context.Context, m provider.Mutation, args provider.Attrs) (secret.Material, provider.Applied, error) {
	if met, err := t.linger("Mint", func(w *world) { w.add(w.account(name(m.Credential)), m.Label, "nobody has it") }); met {
		return secret.Material{}, provider.Applied{}, err
	}
	return t.controlled.Mint(ctx, m, args)
}

func (t lingering) Revoke(ctx context.Context, m provider.Mutation, ids []string) (provider.Applied, error) {
	if met, err := t.linger("Revoke", func(w *world) {
		a := w.account(name(m.Credential))
		a.versions, a.enabled = nil, false
	}); met {
		return provider.Applied{}, err
	}
	return t.controlled.Revoke(ctx, m, ids)
}

// A change that goes on when its process is dead is not taken for one that did not happen:
// the reset stays open, nothing is erased, and it is finished once that is over.
func TestAChangeThatOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		typ    string
		reason lifecycle.Reason
		op     string
	}{
		"a password":                 {"mem_password", lifecycle.Scheduled, "Set"},
		"a password in contain":      {"mem_password", lifecycle.Compromised, "Set"},
		"a password that is revoked": {"mem_password", lifecycle.Compromised, "Revoke"},
		"one that is retired":        {"mem_password", lifecycle.Offboarding, "Revoke"},
		"a key":                      {"mem_key", lifecycle.Scheduled, "Set"},
		"a token":                    {"mem_token", lifecycle.Scheduled, "Mint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{typ: tc.typ, reason: tc.reason})
			at := &lingers{op: tc.op}
			e.w.wrap = func(c controlled) provider.Provider { return lingering{c, at} }
			if out := e.apply(); !out.died || at.going == nil {
				t.Fatalf("it lives: %+v", out.Resets)
			}
			sealed := strings.Join(e.sealedNames(), " ")
			for range 2 {
				out := e.resume()
				r := out.reset(t, 0)
				if r.Outcome != executor.Halted || !r.Open || !r.Changed || out.Exit() != diag.ExitUnfinished || !strings.Contains(r.Error, "another transaction holds it") {
					t.Errorf("while it goes on: %+v", r)
				}
				// Whoever looked would say that it did not happen, which is not true yet.
				if looked := tc.op != "Revoke"; looked && (r.Question == nil || r.Question.Step != "") {
					t.Errorf("while it goes on, it asks %+v", r.Question)
				}
				if now := strings.Join(e.sealedNames(), " "); now != sealed {
					t.Errorf("sealed is %s, was %s", now, sealed)
				}
			}
			e.w.mu.Lock()
			at.going(e.w)
			at.going = nil
			e.w.mu.Unlock()
			if out := e.resume(); out.Exit() != diag.ExitOK || !out.Closed {
				t.Fatalf("when it is over: %+v", out.reset(t, 0))
			}
			kept := e.w.stores["a-"+probeField(tc.typ)]
			if lives := tc.reason != lifecycle.Offboarding; e.w.works("a", kept) != lives || e.w.works("a", e.old) || e.w.live("a", kept) > 0 {
				t.Errorf("what is in the store works: %v; the old one does: %v; %d others do", e.w.works("a", kept), e.w.works("a", e.old), e.w.live("a", kept))
			}
		})
	}
}
