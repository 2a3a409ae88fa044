package engine

import (
	"context"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// PolicyEval asks the plan policies about the credentials and the reason of a
// saved plan, as the targets are now, and explains which rules held.
func (e *Engine) PolicyEval(ctx context.Context, file *plan.File) (*policy.Explanation, diag.Diagnostics) {
	if faults := ofResets(file); faults.HasErrors() { // it would be asked about whatever is due
		return nil, faults
	}
	s, diags := e.open(ctx, need{})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	planned, faults := s.planner().Plan(ctx, planner.Again(file))
	if diags = append(diags, faults...); planned == nil {
		return nil, diags
	}
	if planned.File.Digest != file.Digest {
		diags = diags.Warnf("The plan is stale", "The decision is about what would be planned now, which is not what the file says.")
	}
	in := planner.Input(policy.StagePlan, &planned.File.Plan, planned.Resets)
	in.Authors = s.base.authorship()
	explained, faults := s.policies.Explain(ctx, in, planner.Before(in, planned.Resets)...)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	return &explained, append(diags, s.denied(&plan.Plan{Decisions: explained.Verdict.Decisions})...)
}

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
