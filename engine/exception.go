package engine

import (
	"context"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// excepting loads what an exception from a plan's gates is judged by, and refuses
// plans that there is none for. The workspace is nil where it cannot be read.
func (e *Engine) excepting(ctx context.Context, file *plan.File) (*config.Workspace, *trustBase, diag.Diagnostics) {
	if faults := ofResets(file); faults.HasErrors() {
		return nil, nil, faults
	}
	w, from, diags := e.load(true)
	if w == nil || diags.HasErrors() {
		return nil, nil, diags
	}
	if diags = append(diags, w.Unreached()...); diags.HasErrors() {
		return nil, nil, diags
	}
	diags = append(diags, e.judgedBy(file, from)...)
	return w, from, append(diags, e.unspent(ctx, w, file)...)
}

// countsFor is how long an exception counts: as asked, or as long as its block allows.
func countsFor(asked, most time.Duration, block string) (time.Duration, diag.Diagnostics) {
	switch {
	case asked == 0:
		return most, nil
	case asked < 0 || asked > most:
		return 0, diag.Errored(0, "No such expiry", "-expires must be more than nothing and at most %s: the %s block says so.", most, block)
	}
	return asked, nil
}

// binding ties a statement to a plan from now on.
func (e *Engine) binding(file *plan.File, expires time.Duration) evidence.Binding {
	now := e.opts.Now().UTC().Truncate(time.Second)
	return evidence.Binding{PlanID: file.ID, PlanDigest: file.Digest, PolicyDigest: file.Plan.PolicyDigest, TrustDigest: file.Plan.TrustDigest,
		Targets: gate.Targets(file), CreatedAt: now, ExpiresAt: now.Add(expires)}
}

// exceptional finds the approver who makes an exception, and what she signs it with, under all names that
// she has in any block.
func (e *Engine) exceptional(ctx context.Context, w *config.Workspace, by Signing, what string) (*pen, *config.Approver, diag.Diagnostics) {
	signer, diags := by.pen(ctx)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	who := signer.approver(w)
	i := slices.IndexFunc(w.Approvers, func(a config.Approver) bool { return a.Name == who })
	if i < 0 {
		return nil, nil, append(diags, diag.Errored(diag.ExitMissing, "Not an approver's key", "No approver block has %s. %s of hers would not count.", signer.what, what)...)
	}
	if ended := w.Approvers[i].Ended(e.opts.Now()); ended != "" {
		return nil, nil, append(diags, diag.Errored(diag.ExitMissing, "A key that no longer counts", "%s's key %s. Use her new one, or have it declared.", w.Approvers[i].Name, ended)...)
	}
	return signer, &gate.Persons(w.Approvers)[i], diags
}
