package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine/diag"
)

func recoverVerb() *verb {
	return &verb{
		name: "recover", args: "ADDRESS", synopsis: "take a new secret that no store holds out of the sealed state",
		help: `
A reset of a credential without a store leaves the new secret sealed in the
state. recover opens it, writes the field asked for into a file of mode 0600, and
with -erase forgets it. It also opens what an unfinished run has sealed.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			out := fs.String("out", "", "write the secret to `FILE`, which must not exist")
			field := fs.String("field", "", "the `FIELD` of the secret; needed where there are several")
			erase := fs.Bool("erase", false, "forget the sealed copy afterwards")
			old := fs.Bool("old", false, "the old secret instead, which a run keeps until it is proven dead")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				address, ok := a.oneArg(args, "a credential's address")
				if !ok {
					return diag.ExitError
				}
				if *out == "" {
					a.fault("A file is missing", "Name the file that the secret goes to: -out=FILE. It is never printed.")
					return diag.ExitError
				}
				e, diags := a.engine(nil, 0)
				if diags.HasErrors() {
					return a.done(diags)
				}
				diags = e.Recover(ctx, address, *field, *out, *old, *erase)
				if !diags.HasErrors() {
					a.view.Note("The secret of " + address + " is in " + *out + ".")
				}
				return a.done(diags)
			}
		},
	}
}
