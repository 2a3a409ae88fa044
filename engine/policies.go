package engine

import (
	"context"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/policy"
)

// PolicyTest runs the Rego tests of the workspace's policies; of the built-in
// library where it has none.
func (e *Engine) PolicyTest(ctx context.Context) (*policy.TestReport, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	sources, faults := e.PolicySources(w)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	if len(sources) > 1 {
		sources = sources[1:]
	}
	report, faults := policy.Test(ctx, sources, policy.Options{})
	return report, append(diags, faults...)
}
