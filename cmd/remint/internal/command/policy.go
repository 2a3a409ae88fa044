package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func policyVerb() *verb {
	return &verb{
		name: "policy", args: "eval PLAN | test", synopsis: "what policies say of a plan; their tests",
		help: `
eval PLAN   asks the workspace's policies and the built-in library about a saved
            plan, and shows which rule decided what, and where it stands
test        runs the tests in the workspace's policy folders, with coverage`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			threshold := fs.Float64("threshold", 0, "fail below `N` percent of coverage (test)")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit { return a.policy(ctx, args, *threshold) }
		},
	}
}

func (a *app) policy(ctx context.Context, args []string, threshold float64) diag.Exit {
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	switch {
	case len(args) == 2 && args[0] == "eval":
		file, diags := engine.ReadPlan(args[1])
		if diags.HasErrors() {
			return a.done(diags)
		}
		judged, diags := e.PolicyEval(ctx, file)
		if judged == nil {
			return a.done(diags)
		}
		a.view.PolicyEval(judged)
		return a.done(diags)
	case len(args) == 1 && args[0] == "test":
		report, diags := e.PolicyTest(ctx)
		if report == nil {
			return a.done(diags)
		}
		a.view.PolicyTest(report)
		exit := a.done(diags)
		if !report.Passed() || report.Coverage < threshold {
			return diag.ExitError
		}
		return exit
	}
	a.fault("What about the policies?", "Say `remint policy eval PLAN` or `remint policy test`.")
	return diag.ExitError
}
