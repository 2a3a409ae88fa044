package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func recoverVerb() *verb {
	return &verb{
		name: "recover", args: "[ADDRESS]", synopsis: "take a new secret that no store holds out of the sealed state",
		help: `
A reset of a credential without a store leaves the new secret sealed in the
state. recover opens it, writes the field asked for into a file of mode 0600, and
with -erase forgets it. It also opens what an unfinished run has sealed.
Of several sealed secrets of ADDRESS it takes the one that may work; where that
is not one, or another is wanted, -run names it. A secret that was replaced since,
which ` + "`remint status`" + ` lists, is forgotten without a file: -erase -run=RUN.
With -old it takes the secret that the run was to kill: an open run keeps it
until it is proven dead, one that ended as superseded or abandoned until it is
forgotten, since it may be the one that works.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.RecoverRequest
			fs.StringVar(&r.Out, "out", "", "write the secret to `FILE`, which must not exist")
			fs.StringVar(&r.Field, "field", "", "the `FIELD` of the secret; needed where there are several")
			fs.StringVar(&r.Run, "run", "", "the secret that `RUN` made; ADDRESS may be left out where it made one")
			fs.BoolVar(&r.Erase, "erase", false, "forget the sealed copy afterwards")
			fs.BoolVar(&r.Old, "old", false, "the old secret instead, which a run keeps until it is proven dead")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if len(args) > 0 || r.Run == "" {
					var ok bool
					if r.Address, ok = a.oneArg(args, "a credential's address"); !ok {
						return diag.ExitError
					}
				}
				if r.Out == "" && (!r.Erase || r.Run == "") {
					a.fault("A file is missing", "Name the file that the secret goes to: -out=FILE. It is never printed. (What was replaced is forgotten without one: -erase -run=RUN.)")
					return diag.ExitError
				}
				e, diags := a.engine(nil, 0)
				if diags.HasErrors() {
					return a.done(diags)
				}
				address, diags := e.Recover(ctx, r)
				if !diags.HasErrors() {
					if r.Out != "" {
						a.view.Note("The secret of " + address + " is in " + r.Out + ".")
					}
					if r.Erase {
						a.view.Note("The sealed copy is forgotten.")
					}
				}
				return a.done(diags)
			}
		},
	}
}
