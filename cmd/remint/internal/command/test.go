package command

import (
	"context"
	"flag"
	"io"

	"github.com/remint-dev/remint/cmd/remint/internal/view"
	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/internal/atomicfile"
)

func testVerb() *verb {
	return &verb{
		name: "test", synopsis: "run the workspace's tests of its runbooks and policies",
		help: `
Runs the files *.reminttest.hcl: each run makes a plan against mocked targets,
with the workspace's own runbooks and policies, and compares steps, order,
decisions, requirements and faults with what the file says. Nothing real is
opened, changed or recorded.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var filter listFlag
			fs.Var(&filter, "filter", "only this `FILE` of tests; may be repeated")
			junit := fs.String("junit", "", "write the outcome to `FILE` as JUnit XML")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if !a.noArgs(args) {
					return diag.ExitError
				}
				return a.test(ctx, filter, *junit)
			}
		},
	}
}

func (a *app) test(ctx context.Context, filter []string, junit string) diag.Exit {
	e, diags := a.engine(nil, 0)
	var outcomes []engine.TestOutcome
	if !diags.HasErrors() {
		outcomes, diags = e.Test(ctx, filter)
	}
	failed := diags.HasErrors()
	if junit != "" {
		diags = append(diags, saveJUnit(ctx, junit, outcomes, diags)...)
	}
	if failed {
		return a.done(diags)
	}
	a.view.Tests(outcomes)
	exit := a.done(diags)
	for _, o := range outcomes {
		if o.Faults.HasErrors() {
			return diag.ExitError
		}
	}
	return exit
}

// saveJUnit writes what came of the tests, also where faults kept them from being run: what
// stood there before would be taken for the outcome.
func saveJUnit(ctx context.Context, path string, outcomes []engine.TestOutcome, faults diag.Diagnostics) diag.Diagnostics {
	if !replaceable(path, "<?xml") {
		return diag.Errored(0, "The outcome cannot be written", "%s is there already and is no XML. Give -junit=FILE another name.", path)
	}
	err := atomicfile.Replace(ctx, path, atomicfile.Options{Mode: 0o644}, func(w io.Writer) error {
		text, err := view.JUnit(outcomes, faults)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err != nil {
		return diag.Errored(0, "The outcome cannot be written", "%s: %s.", path, err)
	}
	return nil
}
