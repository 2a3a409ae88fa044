package command

import (
	"context"
	"flag"
	"io/fs"

	"github.com/remint-dev/remint/engine/diag"
)

func providersVerb() *verb {
	return &verb{
		name: "providers", synopsis: "providers, credential types, stores, consumers, notifiers, verifiers",
		help: `Lists what a workspace may name, with what each credential type can do.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.jsonFlag(fs)
			return func(_ context.Context, args []string) diag.Exit {
				if !a.noArgs(args) {
					return diag.ExitError
				}
				a.view.Providers(a.parts.Registry)
				return diag.ExitOK
			}
		},
	}
}

func schemaVerb() *verb {
	return &verb{
		name: "schema", args: "[NAME]", synopsis: "the attributes of every block; the schemas of documents",
		help: `
Shows the attributes of every provider block, credential type, store, consumer,
notifier and verifier, or of those named NAME.

Of a document it prints the JSON schema: policy-input is what policies are asked
about, and there are plan, events, decision, verification, evidence-run,
evidence-step, evidence-reset, evidence-approval, evidence-override,
evidence-break-glass, evidence-resolution and evidence-review.`,
		setup: func(a *app, flags *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.jsonFlag(flags)
			return func(_ context.Context, args []string) diag.Exit {
				name := ""
				if len(args) > 0 {
					var ok bool
					if name, ok = a.oneArg(args, "a name"); !ok {
						return diag.ExitError
					}
				}
				if a.view.Schema(a.parts.Registry, name) {
					return diag.ExitOK
				}
				document, err := fs.ReadFile(a.parts.Schemas, name+".schema.json")
				if err != nil {
					a.fault("No such name", "Nothing is called %q. `remint providers` lists what there is, and `remint schema -help` the documents.", name)
					return diag.ExitError
				}
				a.view.Text(string(document))
				return diag.ExitOK
			}
		},
	}
}
