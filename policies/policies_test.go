package policies

import (
	"context"
	"github.com/remint-dev/remint/engine/policy"
	"testing"
)

func TestC(t *testing.T) {
	s, d := policy.Compile(context.Background(), []policy.Source{{Name: "builtin", FS: FS, Enforcement: "mandatory", Path: "policies"}})
	if d.HasErrors() {
		t.Fatal(d.Err())
	}
	r, d := s.Eval(context.Background(), &policy.Input{Stage: "remint.plan", Trust: "self-asserted", Reason: "scheduled", Resets: []policy.Reset{{Address: "credential.a.b", Person: true, HasSessions: true, EntropyBits: 100.5, InUseBy: "x.y", Production: true}}})
	for _, x := range r.Decisions {
		t.Log(x)
	}
	t.Log(r.Requirements, d.Err())
}
