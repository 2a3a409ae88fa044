package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
)

func approvalsVerb() *verb {
	return &verb{
		name: "approvals", args: "PLAN", synopsis: "who has approved a plan, who may, what is missing",
		help: `
Shows the approvals, the overrides and the verification beside a plan as apply would count them
now: whose count, which do not and why, what each requirement lacks and who could
give it, where policies deny, and whether the glass may be broken. It asks what apply
asks, the approval policies too, and looks into the state where there is one. It starts
no provider, and writes and tells nothing: what only a look at the targets shows, apply
alone says. Where only a part of the plan is held up, it says how to plan the rest.
Where the plan's run is open, it is about its resume.
The exit code is apply's: 4 while something is missing, 3 while something is denied,
5 where the plan is stale or spent, 0 where nothing is in the way.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var f approvalsFlags
			fs.Var(&f.overrides, "override", "an override `FILE`, besides those beside the plan; may be repeated")
			fs.Var(&f.approvals, "approval", "an approval `FILE`, besides those beside the plan; may be repeated")
			fs.Var(&f.verified, "verification", "a `FILE` that verify wrote, besides the one beside the plan; may be repeated")
			fs.BoolVar(&f.glass, "break-glass", false, "answer as apply -break-glass would be")
			fs.BoolVar(&f.auto, "auto-approve", false, "answer as apply -auto-approve would be, where nobody looks on")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				return a.approvals(ctx, path, f)
			}
		},
	}
}

// approvalsFlags are the flags of approvals.
type approvalsFlags struct {
	approvals, overrides, verified listFlag
	glass, auto                    bool
}

func (a *app) approvals(ctx context.Context, path string, f approvalsFlags) diag.Exit {
	r := engine.ApprovalsRequest{BreakGlass: f.glass, Operator: a.operator(), Unattended: f.auto || !a.term.Watched()}
	file, diags := engine.ReadPlan(path)
	if diags.HasErrors() {
		return a.done(diags)
	}
	r.File = file
	var faults diag.Diagnostics
	for _, x := range []struct {
		kind  signed
		named listFlag
		to    *[]gate.Document
	}{{anApproval, f.approvals, &r.Approvals}, {anOverride, f.overrides, &r.Overrides}, {aBreakGlass, nil, &r.Glass}} {
		*x.to, faults = documents(x.kind, x.named, path)
		diags = append(diags, faults...)
	}
	var none proofFlags // nothing is brought: it would be spent
	r.Proofs, faults = none.proofs(a, f.verified, path)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	e, faults := a.engine(nil, 0)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	report, faults := e.Approvals(ctx, r)
	a.tellTrust(e)
	if diags = append(diags, faults...); report == nil {
		return a.done(diags)
	}
	a.view.Approvals(file, report, diags)
	return report.Exit
}
