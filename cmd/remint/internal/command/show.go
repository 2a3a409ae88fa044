package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func showVerb() *verb {
	return &verb{
		name: "show", args: "PLAN", synopsis: "show a saved plan",
		help: `
Shows a plan as reviewers read it, after checking that it is exactly what was
written. It starts no provider and needs no workspace. With -trust, or
REMINT_TRUST, it also says whether the plan was made under that trust base.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.workspaceFlags(fs)
			return func(_ context.Context, args []string) diag.Exit {
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				file, diags := engine.ReadPlan(path)
				if diags.HasErrors() {
					return a.done(diags)
				}
				a.view.Plan(file, path)
				beside, faults := documents(anOverride, nil, path)
				a.view.Diagnostics(faults)
				a.view.OverridesBeside(beside)
				e, diags := a.engine(nil, 0)
				if diags.HasErrors() || a.trust == "" && !a.pinned() {
					return a.done(diags)
				}
				diags = e.CheckTrust(file)
				a.tellTrust(e)
				if len(diags) == 0 {
					a.view.Note("The plan was made under this trust base: " + file.Plan.TrustDigest)
				}
				return a.done(diags)
			}
		},
	}
}

// oneArg takes exactly one positional argument.
func (a *app) oneArg(args []string, what string) (string, bool) {
	if len(args) == 1 {
		return args[0], true
	}
	a.fault("Wrong number of arguments", "remint %s takes one argument, %s; it was given %d.", a.verb.name, what, len(args))
	return "", false
}
