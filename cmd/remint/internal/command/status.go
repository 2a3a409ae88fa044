package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine/diag"
)

func statusVerb() *verb {
	return &verb{
		name: "status", synopsis: "per credential: age, last reset, proof, open runs",
		help: `
Tells of every credential when it was last reset, what its old secret's death
rests on, whether it is due, and which runs concerning it are unfinished. It
reads the workspace and the state; it starts no provider.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if !a.noArgs(args) {
					return diag.ExitError
				}
				e, diags := a.engine(nil, 0)
				if diags.HasErrors() {
					return a.done(diags)
				}
				list, diags := e.Status(ctx)
				if !diags.HasErrors() {
					a.view.Status(list, e.Owed())
				}
				return a.done(diags)
			}
		},
	}
}

func runsVerb() *verb {
	return &verb{
		name: "runs", args: "[RUN]", synopsis: "past and open runs; of one, its steps and outcomes",
		help: `
Lists runs, newest first. With a run, shows how far each of its steps got.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				run := ""
				if len(args) > 0 {
					var ok bool
					if run, ok = a.oneArg(args, "a run"); !ok {
						return diag.ExitError
					}
				}
				e, diags := a.engine(nil, 0)
				if diags.HasErrors() {
					return a.done(diags)
				}
				list, diags := e.Runs(ctx, run)
				if !diags.HasErrors() {
					a.view.Runs(list, run != "", e.Owed())
				}
				return a.done(diags)
			}
		},
	}
}
