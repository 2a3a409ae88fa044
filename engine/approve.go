package engine

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// ApproveRequest says how to sign an approval.
type ApproveRequest struct {
	Signing
	Comment string
	// Expires is how long it counts; zero for DefaultExpiry, or less where the trust
	// base caps it.
	Expires time.Duration
	// Reject says no instead, and Withdraw takes back what the same person decided before.
	Reject, Withdraw bool
}

// SignedApproval is an approval ready to be saved.
type SignedApproval struct {
	// Approver is the name of the approver block with this key.
	Approver string
	// Trust is the plan's: self-asserted, pinned or base.
	Trust    string
	Approval evidence.Approval
	Document []byte
	// Kept is the declared source of decisions that it was written to; "" without one.
	Kept string
}

// DefaultExpiry is how long an approval counts unless it says otherwise.
const DefaultExpiry = 24 * time.Hour

// maxExpiry is the longest that an approval may count.
const maxExpiry = 30 * 24 * time.Hour

// Approve signs that a plan may, or may not, be applied. Who signs follows from
// the key: it must be that of an approver of the workspace.
//
// A plan that the state at hand knows to be applied is refused; an approver who
// has no state, or cannot read it, may approve all the same: apply asks again.
func (e *Engine) Approve(ctx context.Context, file *plan.File, r ApproveRequest) (*SignedApproval, diag.Diagnostics) {
	w, base, diags := e.load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	if file.Plan.TrustChange == nil { // such a change is approved under the base before it
		diags = append(diags, e.judgedBy(file, base)...)
	}
	if diags = append(diags, e.unspent(ctx, w, file)...); diags.HasErrors() {
		return nil, diags
	}
	if diags = append(diags, r.expiry(w.Settings.Approvals.MaxExpires)...); diags.HasErrors() {
		return nil, diags
	}
	if !file.Plan.Applyable && !file.Plan.Liftable() {
		return nil, diags.Errorf("The plan is not applyable", "It was made with -offline, or a policy denies it; there is nothing to approve.")
	}
	signer, faults := r.pen(ctx)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	who, where := signer.approver(w), "No approver block"
	switch {
	case file.Plan.TrustChange != nil:
		who, where = holderOf(file.Plan.TrustChange, signer.id), "No approver of the trust base before the change"
	case base != nil:
		where = "No approver of the trust base (" + base.String() + ")"
	}
	if who == "" {
		return nil, append(diags, diag.Errored(diag.ExitMissing, "Not an approver's key", "%s has %s: %s.", where, signer.what, whoInstead(w, file.Plan.TrustChange))...)
	}
	now := e.opts.Now().UTC().Truncate(time.Millisecond)
	if i := slices.IndexFunc(w.Approvers, func(x config.Approver) bool { return x.Name == who }); i >= 0 && file.Plan.TrustChange == nil {
		if ended := w.Approvers[i].Ended(now); ended != "" {
			return nil, append(diags, diag.Errored(diag.ExitMissing, "A key that no longer counts", "%s's key %s: sign with another key of hers, or have a new one declared.", who, ended)...)
		}
	}
	a := evidence.Approval{
		PlanID: file.ID, PlanDigest: file.Digest, PolicyDigest: file.Plan.PolicyDigest, TrustDigest: file.Plan.TrustDigest,
		Targets: gate.Targets(file), Decision: evidence.Approve, Approver: who, Comment: r.Comment,
		CreatedAt: now, ExpiresAt: now.Add(r.Expires), Nonce: rand.Text(),
	}
	switch {
	case r.Withdraw:
		a.Decision = evidence.Withdraw
	case r.Reject:
		a.Decision = evidence.Reject
	}
	var doc []byte
	var err error
	if file.Plan.TrustChange != nil && r.Keyless != nil { // whoever accepts it has the trusted root that counts
		doc, err = evidence.SignApproval(signer.Signer, a)
	} else {
		doc, err = signed(w, signer, evidence.ApprovalType, evidence.SignApproval, a)
	}
	if err != nil && signer.identity != (evidence.Identity{}) {
		return nil, append(diags, diag.Errored(diag.ExitMissing, "The certificate does not count", "%s.", capital(err.Error()))...)
	}
	if err != nil {
		return nil, diags.Errorf("The approval cannot be signed", "%s.", err)
	}
	out := &SignedApproval{Approver: who, Trust: file.Plan.Trust, Approval: a, Document: doc}
	out.Kept, faults = e.keepDecision(ctx, w, file, out)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	return out, diags
}

// expiry settles how long an approval counts.
func (r *ApproveRequest) expiry(longest time.Duration) diag.Diagnostics {
	if r.Expires == 0 {
		r.Expires = DefaultExpiry
		if longest > 0 {
			r.Expires = min(DefaultExpiry, longest)
		}
	}
	switch {
	case r.Expires < 0 || r.Expires > maxExpiry:
		return diag.Errored(0, "No such expiry", "-expires must be more than nothing and at most %s.", maxExpiry)
	case longest > 0 && r.Expires > longest:
		return diag.Errored(0, "An approval does not count that long", "-expires must be at most %s: remint.approvals.max_expires caps it.", longest)
	}
	return nil
}

// unspent refuses a plan that the state knows to be applied. One whose run is open
// may be approved: resume asks for approvals again.
func (e *Engine) unspent(ctx context.Context, w *config.Workspace, file *plan.File) diag.Diagnostics {
	unknown := func(diags diag.Diagnostics) diag.Diagnostics {
		return diag.Diagnostics{}.Warnf("Whether the plan is spent is not known", "%s", diags[0].Detail)
	}
	j, faults := e.state(ctx, w, false)
	if faults.HasErrors() {
		return unknown(faults)
	}
	if j == nil {
		return nil
	}
	defer j.Close()
	runs, err := j.Runs(ctx)
	if err != nil {
		return unknown(diag.Errored(0, "", "%s.", err))
	}
	for _, run := range runs {
		if run.PlanID == file.ID && !run.ClosedAt.IsZero() {
			return spent(run)
		}
	}
	return nil
}

// whoInstead says what somebody does whose key is nobody's.
func whoInstead(w *config.Workspace, c *plan.TrustChange) string {
	names := approverNames(w)
	if c != nil { // who counts is whom the base before it declares, and no new block helps
		names = nil
		for _, h := range c.Approvers {
			if addrs.Identifier(h.Name) && !slices.Contains(names, h.Name) {
				names = append(names, h.Name)
			}
		}
		return "have one of them decide (" + some(names) + ")"
	}
	if len(names) == 0 {
		return "declare an approver block with it"
	}
	return "sign with the key of one of them (" + some(names) + "), or have yours declared"
}

// holderOf names the person whom a change of trust base says has this key. What it
// says decides nothing: whose approval counts is for those who accept it.
func holderOf(c *plan.TrustChange, id string) string {
	for _, h := range c.Approvers {
		if h.KeyID == id && addrs.Identifier(h.Name) {
			return h.Name
		}
	}
	return ""
}
