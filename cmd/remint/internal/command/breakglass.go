package command

import (
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func breakGlassVerb() *verb {
	return &verb{
		name: "break-glass", args: "PLAN", synopsis: "sign that a plan cannot wait for all of its gates",
		help: `
Shows the plan and writes a signed statement beside it, PLAN.NAME.breakglass.json,
for apply -break-glass. Who signs is a member of the group that the break_glass
block names; she may be who asks for the plan and who applies it, and must be
verified for this very plan at aal2 or better (remint verify). One other approver
has to approve. Denials of overridable policies do not stop the plan then; those
of mandatory ones do. The named people are told before anything is changed, and a
review is owed (remint review): while one is overdue, no glass is broken again.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.BreakGlassRequest
			var k signingFlags
			k.declare(fs)
			fs.StringVar(&r.Reason, "reason", "", "why, `R`, for those who review it")
			fs.StringVar(&r.Ticket, "ticket", "", "the ticket `T` of the incident")
			fs.DurationVar(&r.Expires, "expires", 0, "how long it counts, `T`; as long as the break_glass block allows, unless told")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				return a.breakGlass(ctx, r, k, path)
			}
		},
	}
}

func (a *app) breakGlass(ctx context.Context, r engine.BreakGlassRequest, k signingFlags, path string) diag.Exit {
	file, diags := engine.ReadPlan(path)
	signing, wrong := k.signing(a)
	r.Signing, diags = signing, append(diags, wrong...)
	if r.Reason == "" {
		diags = diags.Errorf("A reason is missing", "Say why this cannot wait: -reason=R.")
	}
	e, faults := a.engine(nil, 0)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	if !a.json {
		a.view.Plan(file, "")
	}
	signed, diags := e.BreakGlass(ctx, file, r)
	a.tellTrust(e)
	if diags.HasErrors() {
		return a.done(diags)
	}
	out := path + "." + signed.Statement.Member + ".breakglass.json"
	if faults := saveDocument(ctx, out, signed.Document); faults.HasErrors() {
		return a.done(faults)
	}
	a.view.BreakGlassSigned(signed, out)
	return a.done(append(diags, a.tellSigned(ctx, e, signed.Use(), &file.Plan)...))
}

func reviewVerb() *verb {
	return &verb{
		name: "review", args: "RUN", synopsis: "review a run that broke the glass",
		help: `
Signs, as an approver, what a review of a run that broke the glass has
found, and files it in evidence: that pays what the run owes. RUN may be the
beginning of a run's id. Who asked for the run, ran or resumed it, approved it or
broke the glass for it cannot review it.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.ReviewRequest
			var k signingFlags
			k.declare(fs)
			fs.StringVar(&r.Comment, "comment", "", "what was found, `C`")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				var ok bool
				if r.Run, ok = a.oneArg(args, "a run"); !ok {
					return diag.ExitError
				}
				return a.review(ctx, r, k)
			}
		},
	}
}

func (a *app) review(ctx context.Context, r engine.ReviewRequest, k signingFlags) diag.Exit {
	e, diags := a.engine(nil, 0)
	signing, wrong := k.signing(a)
	r.Signing, diags = signing, append(diags, wrong...)
	if r.Comment == "" {
		diags = diags.Errorf("A comment is missing", "Say what the review has found: -comment=C.")
	}
	if diags.HasErrors() {
		return a.done(diags)
	}
	r.Operator, r.Facts = a.operator(), a.facts()
	review, diags := e.Review(ctx, r)
	a.tellTrust(e)
	if !diags.HasErrors() {
		a.view.Reviewed(review)
	}
	return a.done(diags)
}
