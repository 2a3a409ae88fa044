package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func resumeVerb() *verb {
	return &verb{
		name: "resume", args: "[RUN]", synopsis: "finish what was interrupted",
		help: `
Finishes one run, or every open one, and files evidence that is not filed yet.
What may have happened is looked into before anything is done again; resuming
twice is the same as resuming once. Where looking does not tell, one question is
asked, which ` + "`remint resolve`" + ` answers. With nothing open it exits 0.`,
		events: true,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var named listFlag
			fs.Var(&named, "approval", "an approval `FILE`, for steps that still need one; may be repeated")
			var verified, overrides listFlag
			var glass listFlag
			fs.Var(&glass, "break-glass", "a new statement, `FILE`, for a run that broke the glass; may be repeated")
			fs.Var(&overrides, "override", "an override `FILE`, for steps that still need one; may be repeated")
			var proof proofFlags
			fs.Var(&verified, "verification", "a `FILE` that verify wrote, for steps that still need one; may be repeated")
			proof.flags(fs)
			parallel := parallelism(fs)
			a.workspaceFlags(fs)
			return func(_ context.Context, args []string) diag.Exit {
				run := ""
				if len(args) > 0 {
					var ok bool
					if run, ok = a.oneArg(args, "a run"); !ok {
						return diag.ExitError
					}
				}
				return a.resume(run, resumeFiles{named, overrides, glass, verified}, proof, *parallel)
			}
		},
	}
}

// resumeFiles are what a resume is given beside what the run keeps.
type resumeFiles struct{ approvals, overrides, glass, verifications []string }

func (a *app) resume(run string, given resumeFiles, proof proofFlags, parallel int) diag.Exit {
	sink, flush := a.view.Run()
	defer flush()
	e, diags := a.engine(sink, parallel)
	agreed, faults := documents(anApproval, given.approvals, "")
	diags = append(diags, faults...)
	overrides, faults := documents(anOverride, given.overrides, "")
	diags = append(diags, faults...)
	glass, faults := documents(aBreakGlass, given.glass, "")
	diags = append(diags, faults...)
	proofs, faults := proof.proofs(a, given.verifications, "")
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return a.done(diags)
	}
	results, diags := e.Resume(a.hard, a.soft, engine.ResumeRequest{Run: run, Approvals: agreed, Overrides: overrides, Glass: glass, Proofs: proofs, Operator: a.operator(), Unattended: !a.term.Watched()})
	a.tellTrust(e)
	flush()
	if len(results) == 0 && !diags.HasErrors() {
		a.view.Note("Nothing is open.")
	}
	a.view.Results(results)
	exit := a.done(diags)
	for _, r := range results {
		exit = max(exit, r.Exit())
	}
	return exit
}
