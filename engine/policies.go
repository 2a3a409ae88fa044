package engine

import (
	"context"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/policy"
)

// PolicyTest runs the Rego tests of the workspace's policies. The built-in library's are
// run where it is made.
func (e *Engine) PolicyTest(ctx context.Context) (*policy.TestReport, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	sources, faults := e.PolicySources(w)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	if sources = sources[1:]; len(sources) == 0 { // the first is the library
		return nil, diags.Errorf("Nothing to test", "The workspace has no policy block, and so no policies of its own; the built-in library is tested where it is made. `remint policy new FOLDER` makes a folder of policies with tests.")
	}
	report, faults := policy.Test(ctx, sources, policy.Options{})
	return report, append(diags, faults...)
}
