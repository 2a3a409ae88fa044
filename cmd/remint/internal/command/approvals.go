package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func approvalsVerb() *verb {
	return &verb{
		name: "approvals", args: "PLAN", synopsis: "who has approved a plan, who may, what is missing",
		help: `
Shows the approvals, the overrides and the verification beside a plan as apply would count them
now: whose count, which do not and why, what each requirement lacks and who could
give it. Where only a part of the plan is held up, it says how to plan the rest.
Exits 4 while something is missing, 3 while what the plan shows is denied.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var named, verified, overrides listFlag
			fs.Var(&overrides, "override", "an override `FILE`, besides those beside the plan; may be repeated")
			fs.Var(&named, "approval", "an approval `FILE`, besides those beside the plan; may be repeated")
			fs.Var(&verified, "verification", "a `FILE` that verify wrote, besides the one beside the plan; may be repeated")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				return a.approvals(ctx, path, named, overrides, verified)
			}
		},
	}
}

func (a *app) approvals(ctx context.Context, path string, named, overrides, verified listFlag) diag.Exit {
	file, diags := engine.ReadPlan(path)
	if diags.HasErrors() {
		return a.done(diags)
	}
	agreed, faults := documents(anApproval, named, path)
	diags = append(diags, faults...)
	lifting, faults := documents(anOverride, overrides, path)
	diags = append(diags, faults...)
	var f proofFlags
	proofs, faults := f.proofs(a, verified, path)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	e, faults := a.engine(nil, 0)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	report, faults := e.Approvals(ctx, file, agreed, lifting, proofs, a.operator())
	a.tellTrust(e)
	if diags = append(diags, faults...); report == nil {
		return a.done(diags)
	}
	a.view.Approvals(file, report)
	if exit := a.done(diags); exit != diag.ExitOK {
		return exit
	}
	if len(report.Answer.Lifting.Left) > 0 {
		return diag.ExitDenied
	}
	if !report.Answer.Passed() {
		return diag.ExitMissing
	}
	return diag.ExitOK
}
