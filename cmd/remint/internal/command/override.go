package command

import (
	"context"
	"flag"
	"io"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/internal/atomicfile"
)

func overrideVerb() *verb {
	return &verb{
		name: "override", args: "PLAN", synopsis: "sign that named denials do not stop a plan",
		help: `
Shows the plan and the denials that it would lift, and writes a signed override
beside it, PLAN.NAME.override.json. Only denials of overridable policies can be
lifted, each by its rule and address, by an approver of a group that the
override block names, who neither asks for the plan nor runs it. A denial that
nobody named, now or later in the run, makes the override void. It replaces no
approval and no verification.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.OverrideRequest
			var k signingFlags
			k.declare(fs)
			fs.Var((*listFlag)(&r.Rules), "rule", "the rule whose denials are lifted, `ID` as the plan shows it, or SOURCE/ID; may be repeated")
			fs.Var((*listFlag)(&r.Addresses), "address", "only the denials about `ADDRESS`; may be repeated. All of the rules', unless told")
			fs.StringVar(&r.Reason, "reason", "", "why, `R`, for those who read it later")
			fs.StringVar(&r.Ticket, "ticket", "", "the ticket `T` in which it was decided")
			fs.DurationVar(&r.Expires, "expires", 0, "how long it counts, `T`; as long as the override block allows, unless told")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				return a.override(ctx, r, k, path)
			}
		},
	}
}

func (a *app) override(ctx context.Context, r engine.OverrideRequest, k signingFlags, path string) diag.Exit {
	file, diags := engine.ReadPlan(path)
	signing, wrong := k.signing(a)
	r.Signing, diags = signing, append(diags, wrong...)
	for _, needed := range []struct{ flag, value string }{{"reason=R", r.Reason}, {"ticket=T", r.Ticket}} {
		if needed.value == "" {
			diags = diags.Errorf("Something is missing", "An override has a reason and a ticket: -%s.", needed.flag)
		}
	}
	if len(r.Rules) == 0 {
		diags = diags.Errorf("A rule is missing", "Name the rules whose denials are lifted: -rule=ID.")
	}
	e, faults := a.engine(nil, 0)
	diags = append(diags, faults...)
	r.Approvals, faults = documents(anApproval, nil, path)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	if !a.json {
		a.view.Plan(file, "")
	}
	r.Operator = a.operator()
	signed, diags := e.Override(ctx, file, r)
	a.tellTrust(e)
	if diags.HasErrors() {
		return a.done(diags)
	}
	out := path + "." + signed.Approver + ".override.json"
	if faults := saveDocument(ctx, out, signed.Document); faults.HasErrors() {
		return a.done(faults)
	}
	a.view.OverrideSigned(signed, out)
	return a.done(append(diags, a.tellSigned(ctx, e, signed.Use(), &file.Plan)...))
}

// saveDocument writes what a person signed, whole or not at all.
func saveDocument(ctx context.Context, path string, content []byte) diag.Diagnostics {
	err := atomicfile.Replace(ctx, path, atomicfile.Options{Mode: 0o644}, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		return diag.Errored(0, "What was signed cannot be saved", "%s: %s.", path, reason(err))
	}
	return nil
}
