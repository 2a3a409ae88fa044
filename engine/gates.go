package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
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
	// operator is who runs it now, by the name that policies see; operators are all names
	// of all who ran, or run, any part of it.
	operator  string
	operators []string
	// authors are who had written the change when the run was opened or resumed before.
	authors    []string
	unattended bool
	// judged is told how the approval policies judged.
	judged *[]plan.Judgement
}

// verdict is what the gates say of a plan now. It is the one answer: apply and resume
// go by it, and approvals shows it.
type verdict struct {
	answer   gate.Answer
	verified verify.Outcome
	// faults are what kept the question from being answered, in whole or in part,
	// besides what the answer says. unread is set where the answer is not known at all.
	faults diag.Diagnostics
	unread bool
	// uses are all uses of approvers' keys.
	uses []gate.Use
}

// diagnostics are all that there is to say: it passed when they have no errors.
func (s *session) diagnostics(v verdict) diag.Diagnostics {
	return append(slices.Clone(v.faults), s.said(v.answer)...)
}

// consent asks the gates for who applies or resumes a plan, and tells the owners of
// the keys that were used. It passed when the diagnostics have no errors.
func (s *session) consent(ctx context.Context, asked question) (gate.Answer, verify.Outcome, diag.Diagnostics) {
	v := s.weigh(ctx, memory{s.journal}, asked)
	told, untold := s.tellUses(ctx, asked.file, v.uses)
	if other := v.answer.Instead; other != nil {
		told["requester"] = other.String()
	}
	v.answer.Told, v.faults = told, append(v.faults, untold...)
	return v.answer, v.verified, s.diagnostics(v)
}

// weigh puts the approvals to the gate and to the approval policies, and what is
// denied to the overrides. It tells nobody, and what it finds out is in the verdict
// alone, but for what verifiers remember in m.
func (s *session) weigh(ctx context.Context, m provider.Memory, asked question) verdict {
	now := s.engine.opts.Now().UTC()
	doc := &asked.file.Plan
	var v verdict
	v.verified, v.faults = s.verified(ctx, m, asked.file, asked.proofs)
	decided, unread := s.engine.decisions(ctx, s.workspace, s.journal, asked.file)
	by, unusable := authority(s.workspace.Settings.Approvals.TrustedRoot)
	v.faults = slices.Concat(v.faults, unread, unusable)
	if v.unread = unread.HasErrors() || unusable.HasErrors(); v.unread {
		return v
	}
	q := s.asking(asked, decided, v.verified, by, now)
	var glass *gate.Glass
	if asked.glass != nil {
		g := q.Break(s.workspace.BreakGlass, asked.glass.documents)
		if glass = &g; g.Signed != nil {
			q = q.Lowered(g)
		}
		v.uses = g.Uses
	}
	v.answer = gate.Ask(q)
	v.answer.Glass, v.uses = glass, slices.Concat(v.answer.Uses, v.uses)
	in := planner.Input(policy.StageApproval, doc, asked.resets)
	in.Requirements = &doc.Requirements
	s.consented(in, asked, q, v.answer)
	judged, faults := s.policies.EvalLifted(ctx, in, func(found policy.Verdict) []policy.RecordLifted {
		v.answer.Lifting = s.lift(q, asked, found.Decisions, glass)
		return recordLifted(v.answer.Lifting, glass)
	}, planner.Before(in, asked.resets)...)
	*asked.judged = append(*asked.judged, judged.Judgement)
	v.faults = append(v.faults, faults...)
	if faults.HasErrors() { // nothing lifts what the plan shows then
		v.answer.Lifting = gate.Lifting{Left: gate.Denials(string(policy.StagePlan), doc.Decisions)}
		return v
	}
	v.answer.Warned = slices.DeleteFunc(slices.Clone(judged.Decisions), func(d plan.Decision) bool { return d.Level == plan.Deny })
	v.uses = append(v.uses, v.answer.Lifting.Uses...)
	if q.Requirements = judged.Requirements; glass != nil && glass.Signed != nil {
		q = q.Lowered(*glass)
	}
	v.answer = v.answer.And(gate.Ask(q))
	return v
}

// asking is what the gate is asked of a plan: the same by whoever asks, so that who only
// looks is answered as apply is.
func (s *session) asking(asked question, decided []gate.Document, verified verify.Outcome, by *evidence.Authority, now time.Time) gate.Question {
	return gate.Question{
		File: asked.file, Requirements: asked.file.Plan.Requirements, Approvers: s.workspace.Approvers, Documents: besides(asked.documents, decided),
		Operators: asked.operators, Authors: eachOnce(asked.authors, s.base.writers()), Verified: verified, MaxExpires: s.workspace.Settings.Approvals.MaxExpires, Authority: by, Now: now,
	}
}

// consented adds to in what the approval policies see besides the plan.
func (s *session) consented(in *policy.Input, asked question, q gate.Question, answer gate.Answer) {
	in.Operator, in.Approvals, in.Unattended, in.Now = asked.operator, answer.Input(), asked.unattended, &q.Now
	in.Verification, in.Authors = q.Verified.Policy(asked.file.Plan.Requester), s.base.authorship()
}

// said turns an answer into diagnostics: faults for all that it lacks.
func (s *session) said(a gate.Answer) diag.Diagnostics {
	var diags diag.Diagnostics
	if a.Glass != nil {
		diags = append(diags, unbroken(*a.Glass)...)
	}
	diags = slices.Concat(diags, noted(a), s.lifted(a.Lifting))
	for _, m := range slices.Concat(a.Rejections, a.Missing) {
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "Approval or verification is missing", Detail: m})
	}
	for i, m := range a.Ignored {
		if i == maxIgnored {
			diags = diags.Warnf("Approvals do not count", "%d more do not count.", len(a.Ignored)-i)
			break
		}
		diags = diags.Warnf("An approval does not count", "%s", m)
	}
	return diags
}

// standing finds what holds a plan up besides who agreed to it: reviews that are
// overdue, and judges other than those that the state knows.
func (s *session) standing(ctx context.Context, file *plan.File, breaking bool) diag.Diagnostics {
	diags := s.owing(ctx, breaking)
	if len(file.Plan.Resets) > 0 {
		diags = append(diags, s.familiar(ctx)...)
	}
	return diags
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
