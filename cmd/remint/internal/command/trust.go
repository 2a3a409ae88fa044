package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

// trustFlags are the flags of trust.
type trustFlags struct {
	out       string
	auto      bool
	approvals listFlag
}

func trustVerb() *verb {
	return &verb{
		name: "trust", args: "show | propose -out=FILE | accept [FILE]", synopsis: "who judges; take over other judges",
		help: `
show     the trust base, its digest, and how it differs from the one that the
         state knows
propose  writes the change from the one that the state knows to this one, for
         ` + "`remint approve -key=KEY FILE`" + ` by approvers of the former
accept   makes this one the state's. One approver of the base before must have
         approved the change, who is not the one who accepts it; approvals beside
         FILE are found. Where that base had no approvers, FILE is not needed

The state remembers the judges of its first apply. Nothing is applied under
others until they were accepted.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var f trustFlags
			fs.StringVar(&f.out, "out", "", "where propose writes, `FILE`")
			fs.BoolVar(&f.auto, "auto-approve", false, "do not ask before accepting; skips nothing else")
			fs.Var(&f.approvals, "approval", "an approval `FILE`, besides those beside the change; may be repeated")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit { return a.judges(ctx, f, args) }
		},
	}
}

func (a *app) judges(ctx context.Context, f trustFlags, args []string) diag.Exit {
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	switch {
	case len(args) == 1 && args[0] == "show":
		report, diags := e.ShowTrust(ctx)
		if report != nil {
			a.view.Trust(report)
		}
		return a.done(diags)
	case len(args) == 1 && args[0] == "propose":
		return a.propose(ctx, e, f.out)
	case (len(args) == 1 || len(args) == 2) && args[0] == "accept":
		return a.accept(ctx, e, f, args[1:])
	}
	a.fault("What about the trust base?", "Say `remint trust show`, `remint trust propose -out=FILE` or `remint trust accept FILE`.")
	return diag.ExitError
}

func (a *app) propose(ctx context.Context, e *engine.Engine, out string) diag.Exit {
	if out == "" {
		a.fault("A file is missing", "Name where the change is written: remint trust propose -out=FILE.")
		return diag.ExitError
	}
	file, diags := e.ProposeTrust(ctx, a.operator().Name)
	if diags.HasErrors() {
		return a.done(diags)
	}
	if diags = append(diags, savePlan(file, out)...); !diags.HasErrors() {
		a.view.Plan(file, out)
	}
	return a.done(diags)
}

func (a *app) accept(ctx context.Context, e *engine.Engine, f trustFlags, args []string) diag.Exit {
	req := engine.AcceptRequest{Operator: a.operator(), Facts: a.facts()}
	var diags, faults diag.Diagnostics
	beside := ""
	if len(args) == 1 {
		beside = args[0]
		req.File, diags = engine.ReadPlan(beside)
	}
	req.Approvals, faults = documents(anApproval, f.approvals, beside)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	acceptance, diags := e.PrepareTrust(ctx, req)
	a.tellTrust(e)
	if diags.HasErrors() {
		return a.done(diags)
	}
	defer acceptance.Close()
	a.view.Diagnostics(diags)
	if !f.auto {
		a.view.Plan(acceptance.File, "")
		if !a.ask(ctx, "Let these judge from now on? Only \"yes\" goes on: ") {
			a.fault("Not accepted", "The answer was not \"yes\". Nothing was changed.")
			return diag.ExitError
		}
	}
	diags = acceptance.Accept(ctx)
	if !diags.HasErrors() {
		a.view.TrustAccepted(acceptance.File, acceptance.Run())
	}
	return a.done(diags)
}
