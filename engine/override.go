package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// OverrideRequest says which denials to lift, and why.
type OverrideRequest struct {
	// Signing is what she signs with who answers for it.
	Signing
	// Rules are ids as the plan shows them, or SOURCE/ID; Addresses narrow them down.
	Rules, Addresses []string
	Reason, Ticket   string
	// Expires is as long as the override block allows when zero.
	Expires time.Duration
	// Operator is who would run apply, as far as is known now: approval policies see it.
	Operator  Operator
	Approvals []gate.Document
}

// SignedOverride is an override ready to be saved.
type SignedOverride struct {
	Approver string
	Trust    string
	Override evidence.Override
	Document []byte
	// Left are denials that it does not name, and that somebody else has to.
	Left []gate.Denial
}

// Override signs that named denials of a plan do not stop it. Who signs follows from
// the key: the override block must let her.
func (e *Engine) Override(ctx context.Context, file *plan.File, r OverrideRequest) (*SignedOverride, diag.Diagnostics) {
	w, base, diags := e.excepting(ctx, file)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	denials, faults := e.denied(ctx, file, r)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	named, left, faults := choose(denials, r)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	signer, who, faults := e.exceptional(ctx, w, r.Signing, "An override")
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	if faults := mayOverride(w, who, file, base.writers()); faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	expires, faults := countsFor(r.Expires, w.Override.MaxExpires, "override")
	if faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	o := evidence.Override{Binding: e.binding(file, expires), Denials: named, Approver: who.Name, Reason: r.Reason, Ticket: r.Ticket}
	doc, err := signed(w, signer, evidence.OverrideType, evidence.SignOverride, o)
	if err != nil {
		return nil, diags.Errorf("The override cannot be signed", "%s.", err)
	}
	return &SignedOverride{Approver: who.Name, Trust: file.Plan.Trust, Override: o, Document: doc, Left: left}, diags
}

// mayOverride refuses whom the override block does not let, the requester, and authors.
func mayOverride(w *config.Workspace, who *config.Approver, file *plan.File, authors []string) diag.Diagnostics {
	q := gate.Question{File: file, Approvers: w.Approvers, Authors: authors}
	switch {
	case w.Override == nil:
		return diag.Errored(diag.ExitMissing, "Nobody may override", "There is no override block. `override { groups = [\"GROUP\"] }`, in the trust base where there is one, says who may.")
	case gate.Is(*who, file.Plan.Requester):
		return diag.Errored(diag.ExitMissing, "She may not override", "%s asks for this plan herself: somebody else has to answer for it. Who may: %s.", who.Name, some(q.MayOverride(w.Override)))
	case slices.ContainsFunc(authors, func(a string) bool { return gate.Is(*who, a) }):
		return diag.Errored(diag.ExitMissing, "She may not override", "%s wrote the change of the workspace, as its commits say: somebody else has to answer for it. Who may: %s.", who.Name, some(q.MayOverride(w.Override)))
	case !slices.ContainsFunc(w.Override.Groups, func(g string) bool { return slices.Contains(who.Groups, g) }):
		return diag.Errored(diag.ExitMissing, "She may not override", "%s is in none of the groups that the override block names (%s). Who may: %s.",
			who.Name, strings.Join(w.Override.Groups, ", "), some(q.MayOverride(w.Override)))
	}
	return nil
}

// denied are all denials of a plan as far as they are known before apply: those that
// it shows, and those of the approval policies as they would be asked now.
func (e *Engine) denied(ctx context.Context, file *plan.File, r OverrideRequest) ([]gate.Denial, diag.Diagnostics) {
	out := gate.Denials(string(policy.StagePlan), file.Plan.Decisions)
	s, diags := e.open(ctx, need{judges: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	diags = nil // they were told
	if s.policies.Digest() != file.Plan.PolicyDigest {
		return nil, diag.Errored(diag.ExitStale, "Other policies", "The plan was made under other policies than those at hand. Plan again.")
	}
	resets, faults := s.planner().Restore(file)
	if faults.HasErrors() {
		return out, diags.Warnf("Approval policies were not asked", "What they would say now is not known here, so that apply may find a denial that this override does not name: %s", faultsOf(faults))
	}
	run, faults := s.runOf(ctx, file)
	if faults.HasErrors() {
		return nil, faults
	}
	asked, err := s.lookedAt(ctx, ApprovalsRequest{File: file, Approvals: r.Approvals, Operator: r.Operator}, run)
	if err != nil {
		return nil, diags.Errorf("The run of this plan cannot be read", "%s.", err)
	}
	asked.resets, asked.overrides, asked.glass = resets, nil, nil // what is denied while nothing lifts it
	v := s.weigh(ctx, s.looking(), asked)
	switch {
	case v.unread:
		return out, diags.Warnf("Approval policies were not asked", "What they would say now is not known here, so that apply may find a denial that this override does not name: %s", faultsOf(v.faults))
	case v.faults.HasErrors():
		return nil, v.faults
	}
	return v.answer.Lifting.Left, diags
}

// choose finds the denials that r names, and those that it leaves.
func choose(denials []gate.Denial, r OverrideRequest) (named []evidence.Denial, left []gate.Denial, diags diag.Diagnostics) {
	chosen := map[evidence.Denial]bool{}
	addresses := map[string]bool{}
	for _, rule := range r.Rules {
		found := false
		for _, d := range denials {
			if rule != d.Rule && rule != d.Source+"/"+d.Rule || len(r.Addresses) > 0 && !slices.Contains(r.Addresses, d.Address) {
				continue
			}
			if !d.Overridable {
				return nil, nil, diag.Errored(diag.ExitDenied, "Nothing overrides a mandatory policy", "%s denies, and its policy is mandatory. Mend what it denies, or have the policy changed: %s", d.Name(), d.Message)
			}
			found, chosen[d.Name()], addresses[d.Address] = true, true, true
		}
		if !found {
			diags = diags.Errorf("Not denied", "No denial of this plan is by the rule %q%s. Denied are: %s.", rule, at(r.Addresses), some(namesOf(denials)))
		}
	}
	for _, a := range r.Addresses {
		if !addresses[a] && !diags.HasErrors() {
			diags = diags.Errorf("Not denied", "None of these rules denies anything of %s. Denied are: %s.", a, some(namesOf(denials)))
		}
	}
	if diags.HasErrors() {
		return nil, nil, diags
	}
	for _, d := range denials {
		if chosen[d.Name()] {
			continue
		}
		if !d.Overridable {
			return nil, nil, diag.Errored(diag.ExitDenied, "Nothing overrides a mandatory policy", "An override of this plan would be void: %s denies too, and its policy is mandatory: %s", d.Name(), d.Message)
		}
		left = append(left, d)
	}
	for d := range chosen {
		named = append(named, d)
	}
	slices.SortFunc(named, evidence.Denial.Compare)
	return named, left, nil
}

func at(addresses []string) string {
	if len(addresses) == 0 {
		return ""
	}
	return " about " + some(addresses)
}

func namesOf(denials []gate.Denial) []string {
	var out []string
	for _, d := range denials {
		if s := d.Name().String(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// lift holds the overrides against what the plan and the approval policies deny.
// A broken glass lifts all that can be lifted.
func (s *session) lift(q gate.Question, asked question, approval []plan.Decision, glass *gate.Glass) gate.Lifting {
	denials := slices.Concat(gate.Denials(string(policy.StagePlan), q.File.Plan.Decisions), gate.Denials(string(policy.StageApproval), approval))
	lifting := q.Lift(s.workspace.Override, asked.overrides, denials)
	switch {
	case glass != nil: // while it is not broken, what is missing for that is said instead
		return glass.LiftAll(denials, lifting)
	case asked.voided != "":
		return gate.Lifting{Left: denials, Void: []string{asked.voided}, Uses: lifting.Uses}
	}
	return lifting
}

// recordLifted is what the decision log tells of l: a line for each statement that lifts a
// denial. While the glass is not broken nothing is lifted.
func recordLifted(l gate.Lifting, glass *gate.Glass) []policy.RecordLifted {
	var out []policy.RecordLifted
	add := func(d gate.Denial, with, by, ticket string) {
		out = append(out, policy.RecordLifted{Stage: d.Stage, Source: d.Source, Rule: d.Rule, Address: d.Address, With: with, By: by, Ticket: ticket})
	}
	for _, d := range l.Lifted {
		if glass != nil {
			if glass.Signed != nil && len(glass.Missing) == 0 {
				add(d.Denial, "break-glass", glass.Member.Name, glass.Signed.Ticket)
			}
			continue
		}
		for _, o := range l.Overrides {
			if slices.Contains(o.Signed.Denials, d.Name()) {
				add(d.Denial, "override", o.Approver.Name, o.Signed.Ticket)
			}
		}
	}
	return out
}

// lifted turns what overrides do into diagnostics: faults for what denies.
func (s *session) lifted(l gate.Lifting) diag.Diagnostics {
	var diags diag.Diagnostics
	var left []plan.Decision
	for _, d := range l.Left {
		left = append(left, d.Decision)
	}
	diags = append(diags, s.denied(&plan.Plan{Decisions: left})...)
	for _, v := range l.Void {
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitDenied, Summary: "An override is void", Detail: v + " What is denied now has to be agreed to as a whole, or mended."})
	}
	for i, text := range l.Ignored {
		if i == maxIgnored {
			diags = diags.Warnf("Overrides do not count", "%d more do not count.", len(l.Ignored)-i)
			break
		}
		diags = diags.Warnf("An override does not count", "%s", text)
	}
	for i, d := range l.Lifted {
		if i == maxIgnored {
			diags = diags.Warnf("Overridden", "%d more denials are overridden.", len(l.Lifted)-i)
			break
		}
		diags = append(diags, diag.Diagnostic{Severity: diag.Warning, Summary: "Overridden", Address: d.Address,
			Detail: fmt.Sprintf("%s denies, and %s lifted that: %s", d.Source+"/"+d.Rule, strings.Join(d.By, ", "), d.Message)})
	}
	return diags
}

// keptOverrides are the overrides that a run keeps, and why they are void, if they are.
func (s *session) keptOverrides(ctx context.Context, run string, m meta) (kept []gate.Document, void string, err error) {
	later, err := executor.KeptOverrides(ctx, s.journal, run)
	if kept = slices.Concat(m.Overrides, later); err != nil || len(kept) == 0 {
		return kept, "", err
	}
	void, err = executor.Voided(ctx, s.journal, run)
	return kept, void, err
}
