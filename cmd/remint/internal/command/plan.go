package command

import (
	"context"
	"flag"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// selection are the flags that say what a plan is about.
type selection struct {
	reason, ticket, requester, where string
	all                              bool
}

func (s *selection) flags(fs *flag.FlagSet) {
	var names []string
	for _, r := range lifecycle.Reasons() {
		names = append(names, string(r))
	}
	fs.StringVar(&s.reason, "reason", string(lifecycle.Scheduled), "why: `R` is one of "+strings.Join(names, ", "))
	fs.StringVar(&s.ticket, "ticket", "", "the ticket `T` that this is about")
	fs.StringVar(&s.requester, "requester", "", "`WHO` asks for it; a claim. You, unless told")
	fs.StringVar(&s.where, "where", "", "an expression `EXPR` over type, name, key, address, owner, environment, labels, provider")
	fs.BoolVar(&s.all, "all", false, "every credential of the workspace")
}

func (s *selection) request(a *app, args []string) (planner.Request, diag.Diagnostics) {
	r := planner.Request{Reason: lifecycle.Reason(s.reason), Ticket: s.ticket, Requester: s.requester, Where: s.where, All: s.all, Addresses: args}
	if r.Requester == "" {
		r.Requester = a.operator().Name
	}
	var diags diag.Diagnostics
	if !r.Reason.Valid() {
		var names []string
		for _, x := range lifecycle.Reasons() {
			names = append(names, string(x))
		}
		diags = diags.Errorf("No such reason", "-reason=%s: it must be one of %s.%s", s.reason, strings.Join(names, ", "), didYouMean(s.reason, names))
	}
	return r, diags
}

func planVerb() *verb {
	return &verb{
		name: "plan", args: "[ADDRESS…]", synopsis: "show and save what a reset would do",
		help: `
Reads the targets, orders the steps, asks the policies, shows the plan, and
saves it with -out. Nothing outside is changed.

Without a selection the plan is about what max_age says is due; a credential
whose age is unknown is due. The reasons forgotten, compromised and offboarding
need addresses, -where or -all. One that was retired (offboarding) is made again
only where its address is named. With -offline no provider is started and no
variable is needed: for looking at strangers' changes; such a plan is never
applied.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var sel selection
			sel.flags(fs)
			out := fs.String("out", "", "save the plan to `FILE`")
			offline := fs.Bool("offline", false, "start no provider, need no variables; never applyable")
			detailed := fs.Bool("detailed-exitcode", false, "exit 2 when changes are planned")
			parallel := parallelism(fs)
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				return a.plan(ctx, sel, args, *out, *offline, *detailed, *parallel)
			}
		},
	}
}

func parallelism(fs *flag.FlagSet) *int {
	return fs.Int("parallelism", 10, "work on `N` credentials at once")
}

func (a *app) plan(ctx context.Context, sel selection, args []string, out string, offline, detailed bool, parallel int) diag.Exit {
	req, diags := sel.request(a, args)
	e, faults := a.engine(a.view.Planning(), parallel)
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return a.done(diags)
	}
	file, diags := e.Plan(ctx, req, offline)
	a.tellTrust(e)
	if file == nil {
		return a.done(diags)
	}
	if out != "" && diags.HasErrors() && (!file.Plan.Liftable() || withoutDecisions(diags, true).HasErrors()) {
		diags = diags.Warnf("Not saved", "Nothing can be agreed to in this plan, so %s was not written. What may stand there is an earlier plan.%s", out, unsaved(file))
		out = ""
	}
	if out != "" {
		if faults := savePlan(file, out); faults.HasErrors() {
			return a.done(append(diags, faults...))
		}
	}
	a.view.Plan(file, out)
	exit := a.done(withoutDecisions(diags, a.json))
	if exit = max(exit, diags.Exit()); exit == diag.ExitOK && detailed && len(file.Plan.Resets) > 0 {
		return diag.ExitChanges
	}
	return exit
}

// unsaved says how to have the denials of a plan explained that is in no file.
func unsaved(f *plan.File) string {
	if !slices.ContainsFunc(f.Plan.Decisions, func(d plan.Decision) bool { return d.Level == plan.Deny }) {
		return ""
	}
	return " To see which rules deny, and what they read: the same `remint plan` with -json in place of -out, `> denied.json`, and then `remint policy eval -explain denied.json`."
}

// withoutDecisions leaves out denials, which the plan itself shows; without all,
// one of each rule stays, with where it stands.
func withoutDecisions(diags diag.Diagnostics, all bool) diag.Diagnostics {
	shown := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(diags), func(d diag.Diagnostic) bool {
		if d.Exit != diag.ExitDenied || !strings.HasPrefix(d.Summary, "Denied by policy ") {
			return false
		}
		again := shown[d.Summary]
		shown[d.Summary] = true
		return all || again || d.Rule == nil
	})
}

// savePlan writes a plan file, whole or not at all. It replaces a plan, and nothing
// else that is there: a mistyped -out must not cost a key or a workspace.
func savePlan(f *plan.File, path string) diag.Diagnostics {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 && !plan.Recognized(path) {
		return diag.Errored(0, "The plan cannot be saved", "%s is there already and is no plan. Give -out=FILE another name.", path)
	}
	err := atomicfile.Replace(context.Background(), path, atomicfile.Options{Mode: 0o644}, func(w io.Writer) error { return f.Write(w) })
	if err != nil {
		return diag.Errored(0, "The plan cannot be saved", "%s: %s.", path, reason(err))
	}
	return nil
}
