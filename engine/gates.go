package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/verify"
)

// question is what the gates are asked, by apply and by resume alike.
type question struct {
	file      *plan.File
	resets    []*planner.Reset
	documents []gate.Document
	overrides []gate.Document
	// glass is there where the glass is to be broken.
	glass *glassDocuments
	// voided is the sentence with which a result made the overrides worth nothing.
	voided string
	proofs Proofs
	// operators are all who ran, or run, any part of it.
	operators  []string
	unattended bool
	// judged is told how the approval policies judged.
	judged *[]plan.Judgement
}

// consent puts the approvals to the approval policies and to the gate, and what is
// denied to the overrides. It passed when the diagnostics have no errors.
func (s *session) consent(ctx context.Context, asked question) (gate.Answer, verify.Outcome, diag.Diagnostics) {
	now := s.engine.opts.Now().UTC()
	doc := &asked.file.Plan
	verified, diags := s.verified(ctx, asked.file, asked.proofs)
	decided, unread := s.engine.decisions(ctx, s.workspace, s.journal, asked.file)
	if diags = append(diags, unread...); unread.HasErrors() {
		return gate.Answer{}, verified, diags
	}
	by, unusable := authority(s.workspace.Settings.Approvals.TrustedRoot)
	if diags = append(diags, unusable...); unusable.HasErrors() {
		return gate.Answer{}, verified, diags
	}
	q := gate.Question{
		File: asked.file, Requirements: doc.Requirements, Approvers: s.workspace.Approvers, Documents: besides(asked.documents, decided),
		Operators: asked.operators, Authors: s.base.writers(), Verified: verified, MaxExpires: s.workspace.Settings.Approvals.MaxExpires, Authority: by, Now: now,
	}
	var glass *gate.Glass
	if asked.glass != nil {
		g := q.Break(s.workspace.BreakGlass, asked.glass.documents)
		if glass = &g; g.Signed != nil {
			q = q.Lowered(g)
		}
		diags = append(diags, unbroken(g)...)
	}
	answer := gate.Ask(q)
	uses := answer.Uses
	if answer.Glass = glass; glass != nil {
		uses = slices.Concat(uses, glass.Uses)
	}
	told, untold := s.tellUses(ctx, asked.file, uses)
	answer.Told, diags = told, append(diags, untold...)
	in := planner.Input(policy.StageApproval, doc, asked.resets)
	in.Requirements, in.Operator, in.Approvals = &doc.Requirements, asked.operators[len(asked.operators)-1], answer.Input()
	in.Verification = verified.Policy(doc.Requester)
	in.Unattended, in.Now = asked.unattended, &now
	judged, faults := s.policies.Eval(ctx, in, planner.Before(in, asked.resets)...)
	*asked.judged = append(*asked.judged, judged.Judgement)
	diags = append(diags, faults...)
	if faults.HasErrors() {
		return answer, verified, append(diags, s.denied(doc)...)
	}
	answer.Lifting = s.lift(q, asked, judged.Decisions, glass)
	diags = append(diags, s.lifted(answer.Lifting)...)
	told, untold = s.tellUses(ctx, asked.file, answer.Lifting.Uses)
	maps.Copy(answer.Told, told)
	diags = append(diags, untold...)
	if q.Requirements = judged.Requirements; glass != nil && glass.Signed != nil {
		q = q.Lowered(*glass)
	}
	said := map[string]bool{} // both kinds of policies want the subject verified
	for _, m := range slices.Concat(answer.Rejections, answer.Missing, gate.Ask(q).Missing) {
		if said[m] {
			continue
		}
		said[m] = true
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "Approval or verification is missing", Detail: m})
	}
	for i, m := range answer.Ignored {
		if i == maxIgnored {
			diags = diags.Warnf("Approvals do not count", "%d more do not count.", len(answer.Ignored)-i)
			break
		}
		diags = diags.Warnf("An approval does not count", "%s", m)
	}
	return answer, verified, diags
}

// held says why nothing irreversible may begin in a resume, nil if it may. The
// judges of today must be those that the plan was approved under, and must still agree.
func (s *session) held(ctx context.Context, asked question) (gate.Answer, verify.Outcome, *executor.Held) {
	doc := &asked.file.Plan
	var differs []string
	if s.policies.Digest() != doc.PolicyDigest {
		differs = append(differs, "the policies")
	}
	if s.trustDigest != doc.TrustDigest || !plan.TrustCovers(s.engine.trustWord(), doc.Trust) {
		differs = append(differs, "the trust base (approvers, policies, signer, verifiers, providers, notifiers, commands)")
	}
	if len(differs) > 0 || s.unread.HasErrors() {
		asked.proofs.Presented = nil // a code that other verifiers take must not be remembered
	}
	answer, verified, diags := s.consent(ctx, asked)
	switch {
	case s.unread.HasErrors():
		return gate.Answer{}, verified, &executor.Held{Exit: diag.ExitDenied, Why: s.heldWithout()}
	case len(differs) > 0:
		return gate.Answer{}, verified, &executor.Held{Exit: diag.ExitStale, Why: "what this step was approved under has changed: " + strings.Join(differs, ", ") +
			". Put it back and resume, or plan again"}
	case diags.HasErrors():
		why := append([]string{faultsOf(diags)}, answer.Lifting.Ignored...)
		if answer.Glass != nil {
			why = append(why, answer.Glass.Ignored...)
		}
		return answer, verified, &executor.Held{Exit: diags.Exit(), Why: "the gates do not let this step begin: " + strings.Join(why, " ") +
			" Give approvals with `remint resume -approval=FILE`, overrides with `-override=FILE`, verifications with `-verification=FILE`, or plan again"}
	}
	return answer, verified, nil
}

// faultsOf is what errors say, as sentences.
func faultsOf(diags diag.Diagnostics) string {
	var out []string
	for _, d := range diags {
		if d.Severity == diag.Error {
			out = append(out, d.Summary+": "+d.Detail)
		}
	}
	return strings.Join(out, " ")
}

// generations are the finished resets that the state knows of.
func (s *session) generations() map[string]int64 {
	out := make(map[string]int64, len(s.known))
	for address, c := range s.known {
		out[address] = c.Generation
	}
	return out
}

// maxIgnored is how many approvals that do not count are told one by one: anybody
// can lay files beside a plan.
const maxIgnored = 20
