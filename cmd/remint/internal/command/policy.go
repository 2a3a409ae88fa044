package command

import (
	"context"
	"flag"
	"maps"
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
              that rule from saying anything, or made it. With -stage=approval it asks
              as apply would, with the approvals and the verification beside the plan,
              at the time of -now; with -stage=result about what the plan's run has
              observed. -out keeps the input, and -input asks about such a document,
              changed or not, without a plan. Nothing is decided by it, and logged
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
			out := fs.String("out", "", "write the bundle, or the input that was asked about, to `FILE` (bundle, eval)")
			var q evalFlags
			q.flags(fs)
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if faults := policyFlags(fs, args, *threshold); faults.HasErrors() {
					return a.done(faults)
				}
				if len(args) == 2 && args[0] == "bundle" {
					r.Dir = args[1]
					return a.policyBundle(ctx, r, *out)
				}
				if len(args) > 0 && args[0] == "eval" {
					return a.policyEval(ctx, args[1:], q, *out, how)
				}
				return a.policy(ctx, args, *threshold)
			}
		},
	}
}

// flagsOf are the flags that are about one of the things that `policy` does, by it.
var flagsOf = map[string][]string{
	"test":         {"threshold"},
	"eval":         {"explain", "rule", "out", "stage", "input", "now", "address", "unattended", "approval", "verification"},
	"bundle":       {"key", "revision", "out"},
	"new":          nil,
	"capabilities": nil,
}

// policyFlags refuses flags that would be ignored, and a threshold that nothing could miss or meet.
func policyFlags(fs *flag.FlagSet, args []string, threshold float64) (diags diag.Diagnostics) {
	if len(args) == 0 {
		return nil
	}
	own, known := flagsOf[args[0]]
	fs.Visit(func(f *flag.Flag) {
		var goes []string
		for _, what := range slices.Sorted(maps.Keys(flagsOf)) {
			if slices.Contains(flagsOf[what], f.Name) {
				goes = append(goes, "`policy "+what+"`")
			}
		}
		if known && len(goes) > 0 && !slices.Contains(own, f.Name) {
			diags = diags.Errorf("A flag of something else", "-%s goes with %s. `policy %s` would ignore it: leave it out.", f.Name, strings.Join(goes, " and "), args[0])
		}
	})
	if percentage := threshold >= 0 && threshold <= 100; !percentage { // which excludes what is no number
		diags = diags.Errorf("No such threshold", "-threshold is %g, and must be a percentage from 0 to 100.", threshold)
	}
	return diags
}

func (a *app) policy(ctx context.Context, args []string, threshold float64) diag.Exit {
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
	if len(args) == 1 && args[0] == "test" {
		report, diags := e.PolicyTest(ctx)
		if report == nil {
			return a.done(diags)
		}
		a.view.PolicyTest(report)
		if enough := report.Coverage >= threshold; !enough { // nor where one of them is no number
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
