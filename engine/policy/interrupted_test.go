package policy

import (
	"context"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
)

// Who interrupts is not told that a policy denied.
func TestInterruptedIsNotDenied(t *testing.T) {
	s := compileAll(t, named("house", Mandatory, "package remint.approval\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if { some i in numbers.range(1, 300000)\n some j in numbers.range(1, 300000)\n i + j < 0 }\n"))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, diags := s.Eval(ctx, full()); diags.Exit() != diag.ExitError || diags[0].Summary != "Interrupted" || len(diags) != 1 {
		t.Errorf("%v", diags)
	}
}
