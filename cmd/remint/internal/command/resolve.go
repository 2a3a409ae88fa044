package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func resolveVerb() *verb {
	return &verb{
		name: "resolve", args: "RUN STEP", synopsis: "answer, signed, what no probe can tell",
		help: `
Answers the question that resume asked about a step of an open run: did it happen?
RUN may be the beginning of a run's id. STEP is written as resume and runs show it,
ADDRESS/STEP, or STEP alone where only one reset asks about it. done: it happened
once, and the reset goes on after it. not-done: it did not, and is begun again. The
answer is signed with an approver's key, whoever runs this, and stands in evidence
as asserted, under her name. Nothing happens before the next resume.

An answer never takes the place of a proof. A reset that can never be finished is
given up with ADDRESS as STEP and -as=not-done: it is closed as abandoned.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.ResolveRequest
			var k signingFlags
			fs.StringVar(&r.Answer, "as", "", "the answer, `done|not-done`")
			k.declare(fs)
			fs.StringVar(&r.Comment, "comment", "", "say something, `C`, to those who read it")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				if len(args) != 2 {
					a.fault("A run and a step", "remint resolve takes a run and a step, as `remint resume` and `remint runs RUN` show them, and was given %d arguments.", len(args))
					return diag.ExitError
				}
				r.Run, r.Subject = args[0], args[1]
				return a.resolve(ctx, r, k)
			}
		},
	}
}

func (a *app) resolve(ctx context.Context, r engine.ResolveRequest, k signingFlags) diag.Exit {
	e, diags := a.engine(nil, 0)
	if r.Answer == "" {
		diags = diags.Errorf("An answer is missing", "Say -as=done or -as=not-done.")
	}
	signing, wrong := k.signing(a)
	r.Signing, diags = signing, append(diags, wrong...)
	if diags.HasErrors() {
		return a.done(diags)
	}
	signed, diags := e.Resolve(ctx, r)
	a.tellTrust(e)
	if !diags.HasErrors() {
		a.view.Resolved(signed)
		diags = append(diags, a.tellSigned(ctx, e, signed.Use(), nil)...)
	}
	return a.done(diags)
}
