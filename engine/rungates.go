package engine

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// gates asks the policies of the approval and the result stage, as far as the run
// speaks of them. Both see who agreed, and how the requester was verified.
func (t *trial) gates(ctx context.Context, w *config.Workspace, policies *policy.Set) {
	said := t.run.Approval
	if said == nil {
		said = &config.TestApproval{Strength: lifecycle.None}
	}
	before := len(t.diags)
	agreed := policy.Input{
		Requirements: &t.planned.File.Plan.Requirements, Operator: said.Operator, Unattended: said.Unattended,
		Approvals: t.approvals(w, said), Verification: t.verification(w, said),
	}
	if t.diags[before:].HasErrors() {
		return
	}
	if t.run.Approval != nil {
		in := t.input(policy.StageApproval, t.planned.Resets, agreed)
		now := t.now
		if !said.Now.IsZero() {
			now = said.Now
		}
		in.Now = &now
		t.ask(ctx, policies, in, planner.Before(in, t.planned.Resets)...)
	}
	for _, r := range t.run.Results {
		t.result(ctx, policies, agreed, r)
	}
}

// fault is one of what the run says itself.
func (t *trial) fault(summary, detail string, args ...any) {
	t.diags = t.diags.Errorf(summary, detail, args...)
	t.diags[len(t.diags)-1].Range = &t.run.Range
}

func (t *trial) input(stage policy.Stage, resets []*planner.Reset, agreed policy.Input) *policy.Input {
	in := planner.Input(stage, &t.planned.File.Plan, resets)
	in.Requirements, in.Operator, in.Unattended = agreed.Requirements, agreed.Operator, agreed.Unattended
	in.Approvals, in.Verification = agreed.Approvals, agreed.Verification
	return in
}

// approvals are those of whom the run names, as apply counts them.
func (t *trial) approvals(w *config.Workspace, said *config.TestApproval) []policy.Approval {
	people := gate.Persons(w.Approvers)
	var approved []config.Approver
	for _, name := range said.ApprovedBy {
		i := slices.IndexFunc(people, func(a config.Approver) bool { return a.Name == name })
		if i < 0 {
			t.fault("There is no such approver", "The run is approved by %q, and the workspace has no approver of that name.", name)
			continue
		}
		approved = append(approved, people[i])
	}
	out := []policy.Approval{}
	for _, a := range gate.Once(approved) {
		out = append(out, policy.Approval{Approver: a.Name, Groups: a.Groups})
	}
	return out
}

// verification is how the run says that the requester was verified, by verifiers that
// the workspace has.
func (t *trial) verification(w *config.Workspace, said *config.TestApproval) *policy.Verification {
	out := &policy.Verification{Identity: said.Identity, Strength: said.Strength, Bound: said.Bound, Methods: []policy.VerificationMethod{}}
	for _, name := range said.Methods {
		i := slices.IndexFunc(w.Verifiers, func(b *config.Block) bool { return b.Type+"."+b.Name == name })
		if i < 0 {
			t.fault("There is no such verifier", "The run's requester is verified by %q, and the workspace has no verifier of that TYPE.NAME.", name)
			continue
		}
		claims := said.Claims
		if claims == nil {
			claims = map[string]string{}
		}
		out.Methods = append(out.Methods, policy.VerificationMethod{
			Verifier: name, Method: w.Verifiers[i].Type, Identity: said.Identity, Strength: said.Strength, Bound: said.Bound, Claims: claims,
		})
	}
	return out
}

// result asks about each reset alone, as the engine does.
func (t *trial) result(ctx context.Context, policies *policy.Set, agreed policy.Input, r config.TestResult) {
	found := false
	for _, reset := range t.planned.Resets {
		if reset.Credential.Addr != r.Address && reset.Credential.Addr.Block() != r.Address {
			continue
		}
		found = true
		one := []*planner.Reset{reset}
		in := t.input(policy.StageResult, one, agreed)
		in.Resets[0].Result = &policy.Result{
			Proof: r.Proof, NewAccepted: r.NewAccepted, StoresConfirmed: r.StoresConfirmed, Reloaded: r.Reloaded,
			SessionsEnded: r.SessionsEnded, Notified: r.Notified, Asserted: append([]string{}, r.Asserted...), Final: r.Final,
		}
		t.ask(ctx, policies, in, planner.Before(in, one)...)
	}
	if !found {
		t.fault("A result of nothing", "The run has a result of %s, which its plan does not reset: no policy was asked about it. Name it in `addresses`, or make it due.", r.Address)
	}
}
