package policy

import (
	"context"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
)

// Who interrupts is not told that a policy denied.
func TestInterruptedIsNotDenied(t *testing.T) {
	s := compileAll(t, named("house", Mandatory, "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"none\"\n"))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, diags := s.Eval(ctx, full()); diags.Exit() != diag.ExitError || diags[0].Summary != "Interrupted" || len(diags) != 1 {
		t.Errorf("%v", diags)
	}
	if _, diags := s.Eval(context.Background(), full()); diags.HasErrors() {
		t.Error(diags.Err())
	}
}
