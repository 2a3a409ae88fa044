package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

func graphVerb() *verb {
	return &verb{
		name: "graph", args: "[PLAN | ADDRESS…]", synopsis: "the steps and their order, as a drawing",
		help: `
Draws the steps of a saved plan, or of what ` + "`remint plan -offline`" + ` would show,
for Graphviz (dot) or Mermaid.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var sel selection
			sel.flags(fs)
			format := fs.String("format", "dot", "`FORMAT` is dot or mermaid")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if *format != "dot" && *format != "mermaid" {
					a.fault("No such format", "-format=%s: it must be dot or mermaid.", *format)
					return diag.ExitError
				}
				file, diags := a.drawn(ctx, sel, args)
				if file == nil {
					return a.done(diags)
				}
				a.view.Graph(file, *format)
				return a.done(withoutDecisions(diags, true))
			}
		},
	}
}

// drawn is the plan to draw: a saved one, or one made offline.
func (a *app) drawn(ctx context.Context, sel selection, args []string) (*plan.File, diag.Diagnostics) {
	if len(args) == 1 && !isAddress(args[0]) {
		return engine.ReadPlan(args[0])
	}
	req, diags := sel.request(a, args)
	if len(args) == 0 && sel.where == "" {
		req.All = true
	}
	e, faults := a.engine(nil, 0)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	return e.Plan(ctx, req, true)
}
