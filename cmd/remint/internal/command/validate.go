package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine/diag"
)

func validateVerb() *verb {
	return &verb{
		name: "validate", synopsis: "find every fault in the workspace, offline",
		help: `
Checks the workspace, its runbooks for every mode, and its policies, without
starting a provider or needing a variable. All faults are shown at once.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if !a.noArgs(args) {
					return diag.ExitError
				}
				e, diags := a.engine(nil, 0)
				if !diags.HasErrors() {
					_, diags = e.Validate(ctx)
					a.tellTrust(e)
				}
				a.view.Validation(diags)
				return diags.Exit()
			}
		},
	}
}
