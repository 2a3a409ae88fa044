package command

import (
	"context"
	"flag"
	"slices"
	"strings"

	"github.com/remint-dev/remint/cmd/remint/internal/view"
	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/policy"
)

func policyVerb() *verb {
	return &verb{
		name: "policy", args: "eval PLAN | test | new FOLDER | bundle FOLDER | capabilities", synopsis: "what policies say of a plan; their tests",
		help: `
eval PLAN     asks the workspace's policies and the built-in library about a saved
              plan, and shows which rule decided what, and where it stands; with
              -explain also their Rego and what they read; with -rule=ID what kept
              that rule from saying anything, or made it
test          runs the tests in the workspace's policy folders, with coverage by rule
new FOLDER    makes a folder with two rules and their tests to begin with
bundle FOLDER builds a signed bundle of it, in OPA's format, for a policy block that
              says bundle and public_key; -key, -revision and -out say how
capabilities  prints what Rego may call, in OPA's own format, for editors and
              opa check --capabilities`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			threshold := fs.Float64("threshold", 0, "fail below `N` percent of coverage (test)")
			var how view.Explained
			fs.BoolVar(&how.Why, "explain", false, "show the Rego of rules that held, and what of the input they read (eval)")
			fs.StringVar(&how.Rule, "rule", "", "explain the rule `ID`, or SOURCE/ID, whether it held or not (eval)")
			var r engine.BundleRequest
			fs.StringVar(&r.Key, "key", "", "sign with the private key in `FILE`, PKCS#8 PEM (bundle)")
			fs.StringVar(&r.Revision, "revision", "", "`N`, a number or a time that only grows (bundle)")
			out := fs.String("out", "", "write the bundle to `FILE` (bundle)")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if len(args) == 2 && args[0] == "bundle" {
					r.Dir = args[1]
					return a.policyBundle(ctx, r, *out)
				}
				return a.policy(ctx, args, *threshold, how)
			}
		},
	}
}

func (a *app) policy(ctx context.Context, args []string, threshold float64, how view.Explained) diag.Exit {
	switch {
	case len(args) == 2 && args[0] == "new":
		return a.policyNew(args[1])
	case len(args) == 1 && args[0] == "capabilities":
		a.view.Text(string(policy.Capabilities()))
		return diag.ExitOK
	}
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	switch {
	case len(args) == 2 && args[0] == "eval":
		file, diags := engine.ReadPlan(args[1])
		if diags.HasErrors() {
			return a.done(diags)
		}
		judged, diags := e.PolicyEval(ctx, file)
		a.tellTrust(e)
		if judged == nil {
			return a.done(diags)
		}
		if how.Rule != "" && !slices.ContainsFunc(judged.Rules, how.Of) {
			a.fault("There is no such rule", "No rule that is asked about a plan has the id %q. There are %s.", how.Rule, strings.Join(ruleIDs(judged), ", "))
			return diag.ExitError
		}
		a.view.PolicyEval(judged, how)
		return a.done(diags)
	case len(args) == 1 && args[0] == "test":
		report, diags := e.PolicyTest(ctx)
		if report == nil {
			return a.done(diags)
		}
		a.view.PolicyTest(report)
		if report.Coverage < threshold {
			diags = diags.Errorf("Too little is tested", "Tests cover %.1f %% of the Rego, and -threshold wants %g %%.", report.Coverage, threshold)
		}
		exit := a.done(diags)
		if !report.Passed() {
			return diag.ExitError
		}
		return exit
	}
	a.fault("What about the policies?", "Say `remint policy eval PLAN`, `policy test`, `policy new FOLDER`, `policy bundle FOLDER` or `policy capabilities`.")
	return diag.ExitError
}

// ruleIDs are those that can be explained one by one.
func ruleIDs(x *policy.Explanation) []string {
	var ids []string
	for _, r := range x.Rules {
		if r.ID != "" {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
