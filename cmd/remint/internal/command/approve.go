package command

import (
	"context"
	"flag"
	"io"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/internal/atomicfile"
)

func approveVerb() *verb {
	return &verb{
		name: "approve", args: "PLAN", synopsis: "sign that a plan may be applied",
		help: `
Shows the plan and writes a signed approval beside it, PLAN.NAME.approval.json.
The approval is bound to this very plan, its policies, its trust base and its
targets. NAME is that of the approver block with the key's public half.
Where the remint block declares a source of decisions, it is written there first.
With -keyless there is no key to keep: an ID token is shown to a Fulcio certificate
authority, and a timestamp authority says when that certificate signed.
-withdraw takes back an approval or a rejection: what the same person signed before
does not count any more. She may decide again.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.ApproveRequest
			var k signingFlags
			k.declare(fs)
			fs.StringVar(&r.Comment, "comment", "", "say something, `C`, to those who read it")
			fs.DurationVar(&r.Expires, "expires", 0, "how long it counts, `T`; 24h unless said, or less where the trust base caps it")
			fs.BoolVar(&r.Reject, "reject", false, "say no instead: a rejection blocks the plan")
			fs.BoolVar(&r.Withdraw, "withdraw", false, "take back what you decided before")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				return a.approve(ctx, r, k, path)
			}
		},
	}
}

func (a *app) approve(ctx context.Context, r engine.ApproveRequest, k signingFlags, path string) diag.Exit {
	file, diags := engine.ReadPlan(path)
	signing, wrong := k.signing(a)
	r.Signing, diags = signing, append(diags, wrong...)
	if r.Reject && r.Withdraw {
		diags = diags.Errorf("One decision at a time", "-reject says no, and -withdraw takes back what was said before: say one of them.")
	}
	e, faults := a.engine(nil, 0)
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return a.done(diags)
	}
	if !a.json {
		a.view.Plan(file, "")
	}
	signed, diags := e.Approve(ctx, file, r)
	a.tellTrust(e)
	if diags.HasErrors() {
		return a.done(diags)
	}
	out := path + "." + signed.Approver + ".approval.json"
	err := atomicfile.Replace(ctx, out, atomicfile.Options{Mode: 0o644}, func(w io.Writer) error {
		_, err := w.Write(signed.Document)
		return err
	})
	if err != nil {
		return a.done(diag.Errored(0, "The approval cannot be saved", "%s: %s.", out, reason(err)))
	}
	a.view.Approved(signed, out)
	return a.done(append(diags, a.tellSigned(ctx, e, signed.Use(), &file.Plan)...))
}
