package command

import (
	"bufio"
	"context"
	"flag"
	"os"
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
)

// applyFlags are the flags of apply.
type applyFlags struct {
	selection
	auto      bool
	ephemeral bool
	glass     bool
	approvals listFlag
	overrides listFlag
	verified  listFlag
	proof     proofFlags
	parallel  int
}

func applyVerb() *verb {
	return &verb{
		name: "apply", args: "[PLAN | ADDRESS…]", synopsis: "carry out a plan: reset, prove, tell, evidence",
		help: `
Derives the plan again from workspace, policies and targets, refuses what
differs from the given one, asks the gates, and carries it out. Each step is
in the journal before it begins; evidence of each is signed.

The argument is a saved plan, or what ` + "`remint plan`" + ` takes. Approvals that lie
beside the plan (PLAN.*.approval.json) are found, and so are overrides
(PLAN.*.override.json) and PLAN.verification.json. The first interrupt lets the
steps in flight finish, the second cuts them off; ` + "`remint resume`" + ` goes on.

-json takes a saved plan, or -auto-approve: events leave no place to show a plan.`,
		events: true,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var f applyFlags
			f.flags(fs)
			fs.BoolVar(&f.auto, "auto-approve", false, "do not ask before beginning; skips nothing else")
			fs.BoolVar(&f.ephemeral, "accept-ephemeral-state", false, "with CI set and the state in a file, which may go with the job: reset in place all the same")
			fs.BoolVar(&f.glass, "break-glass", false, "by a statement that break-glass wrote beside the plan: with one approver, and overridable denials lifted; a review is owed")
			fs.Var(&f.approvals, "approval", "an approval `FILE`, besides those beside the plan; may be repeated")
			fs.Var(&f.overrides, "override", "an override `FILE`, besides those beside the plan; may be repeated")
			fs.Var(&f.verified, "verification", "a `FILE` that verify wrote, besides the one beside the plan; may be repeated")
			f.proof.flags(fs)
			fs.IntVar(&f.parallel, "parallelism", 10, "work on `N` credentials at once")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit { return a.apply(ctx, fs, f, args) }
		},
	}
}

func (a *app) apply(ctx context.Context, fs *flag.FlagSet, f applyFlags, args []string) diag.Exit {
	sink, flush := a.view.Run()
	defer flush()
	e, diags := a.engine(sink, f.parallel)
	req, faults := a.applyRequest(fs, f, args)
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return a.done(diags)
	}
	app, diags := e.Prepare(ctx, req)
	a.tellTrust(e)
	if diags.HasErrors() {
		return a.done(diags)
	}
	defer app.Close()
	a.view.Diagnostics(diags)
	a.view.Requester(app)
	if len(app.File.Plan.Resets) == 0 {
		a.view.Nothing(app.File)
		return diag.ExitOK
	}
	if !f.auto {
		a.view.Plan(app.File, "")
		if !a.ask(ctx, "Reset these credentials? Only \"yes\" goes on: ") {
			a.fault("Not applied", "The answer was not \"yes\". Nothing was changed.")
			return diag.ExitError
		}
	}
	res, diags := app.Apply(a.hard, a.soft)
	flush()
	exit := a.done(diags)
	if res == nil {
		return exit
	}
	a.view.Results([]*executor.Result{res})
	return max(exit, res.Exit())
}

// applyRequest reads the positional arguments: a plan file, or addresses.
func (a *app) applyRequest(fs *flag.FlagSet, f applyFlags, args []string) (engine.ApplyRequest, diag.Diagnostics) {
	req := engine.ApplyRequest{Operator: a.operator(), Unattended: f.auto || !a.term.Watched(), Facts: a.facts(), CI: a.term.CI, AcceptEphemeralState: f.ephemeral}
	var diags diag.Diagnostics
	plans := 0
	for _, x := range args {
		if !isAddress(x) {
			plans++
		}
	}
	switch {
	case plans == 0 && a.json && !f.auto:
		return req, diags.Errorf("The plan would be seen by nobody", "With -json there is no plan to look at before the question. Add -auto-approve, or save a plan with `remint plan -out=FILE`, look at it, and name the file.")
	case plans == 0:
		var faults diag.Diagnostics
		req.Request, faults = f.request(a, args)
		diags = append(diags, faults...)
	case len(args) > 1:
		return req, diags.Errorf("A plan and something else", "Give one plan file, or addresses, which begin with \"credential.\".")
	default:
		fs.Visit(func(fl *flag.Flag) {
			switch fl.Name {
			case "reason", "ticket", "requester", "where", "all":
				diags = diags.Errorf("A plan says this already", "-%s goes with addresses, not with a saved plan.", fl.Name)
			}
		})
		file, faults := engine.ReadPlan(args[0])
		diags = append(diags, faults...)
		req.File = file
	}
	beside := ""
	if plans == 1 {
		beside = args[0]
	}
	var faults diag.Diagnostics
	req.Approvals, faults = documents(anApproval, f.approvals, beside)
	diags = append(diags, faults...)
	if req.BreakGlass = f.glass; f.glass {
		if plans == 0 {
			diags = diags.Errorf("A plan is missing", "-break-glass goes with a saved plan: the statement is about that very plan.")
		}
		req.Glass, faults = documents(aBreakGlass, nil, beside)
		diags = append(diags, faults...)
	}
	req.Overrides, faults = documents(anOverride, f.overrides, beside)
	diags = append(diags, faults...)
	req.Proofs, faults = f.proof.proofs(a, f.verified, beside)
	return req, append(diags, faults...)
}

// ask puts a question on the terminal; anything but "yes" is no.
func (a *app) ask(ctx context.Context, question string) bool {
	a.view.Prompt(question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.term.In).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case s := <-answer:
		return s == "yes"
	case <-ctx.Done():
		return false
	}
}

// facts are circumstances that evidence keeps.
func (a *app) facts() map[string]string {
	facts := map[string]string{}
	if a.term.CI {
		facts["ci"] = "true"
	}
	if host, err := os.Hostname(); err == nil {
		facts["host"] = host
	}
	return facts
}

// isAddress tells an address from a plan file.
func isAddress(s string) bool { return strings.HasPrefix(s, "credential.") }
