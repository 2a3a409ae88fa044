package engine

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/verify"
)

// ApprovalsRequest says which plan is looked at, and what lies beside it.
type ApprovalsRequest struct {
	File                        *plan.File
	Approvals, Overrides, Glass []gate.Document
	// BreakGlass asks what apply -break-glass would be answered.
	BreakGlass bool
	Proofs     Proofs
	// Operator and Unattended are as for ApplyRequest.
	Operator   Operator
	Unattended bool
}

// ApprovalsReport is what apply would be told of a plan's gates now: who has approved
// it, who may, and what is missing.
type ApprovalsReport struct {
	Answer   gate.Answer
	Verified verify.Outcome
	// Passed is whether apply would begin, as far as that can be told without looking
	// at a target, and Exit the code with which it would refuse.
	Passed bool
	Exit   diag.Exit
	// Run is the open run of this plan: the answer is then the one that resume gets.
	Run string
	// Glass is there where statements lie beside the plan that break the glass, or that
	// was asked about.
	Glass *GlassReport
	// Rest is the -where of the resets that nothing holds up, "" where that is all
	// or none of them.
	Rest string
}

// GlassReport is whether the glass may be broken for a plan.
type GlassReport struct {
	// Applies is whether apply -break-glass would begin.
	Applies bool
	Glass   gate.Glass
	// Why are sentences about what keeps it from that.
	Why []string
}

// Approvals says how far a plan's gates are open, as apply would be told now. It asks
// what apply asks, and starts no provider, changes nothing, and tells nobody. What the
// state remembers counts where there is one here. There is no report where the answer
// is not known at all; its exit code is that of apply, and of the diagnostics.
func (e *Engine) Approvals(ctx context.Context, r ApprovalsRequest) (*ApprovalsReport, diag.Diagnostics) {
	if faults := ofResets(r.File); faults.HasErrors() {
		return nil, faults
	}
	s, diags := e.open(ctx, need{judges: true, gates: true, look: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	faults := madeOffline(r.File)
	if !faults.HasErrors() {
		faults = append(faults, e.judgedBy(r.File, s.base)...)
	}
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	diags = slices.Concat(diags, s.base.anonymous(), s.doubtful(r.File))
	run, faults := s.runOf(ctx, r.File)
	diags = append(diags, faults...)
	if faults.Exit() == diag.ExitStale {
		return nil, diags
	}
	resets, faults := s.still(r.File, run)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	asked, err := s.lookedAt(ctx, r, run)
	if err != nil {
		return nil, diags.Errorf("The run of this plan cannot be read", "%s.", err)
	}
	asked.resets = resets
	v := s.weigh(ctx, s.looking(), asked)
	if diags = append(diags, v.faults...); v.unread {
		return nil, diags
	}
	diags = append(append(diags, noted(v.answer)...), s.besides(ctx, r.File, run, r.BreakGlass)...)
	out := &ApprovalsReport{Answer: v.answer, Verified: v.verified, Rest: rest(r.File, v.answer)}
	if run != nil {
		out.Run, out.Rest = run.ID, "" // a resume goes on with what nothing holds up
	}
	out.Exit = append(slices.Clone(diags), s.said(v.answer)...).Exit()
	out.Passed = out.Exit == diag.ExitOK
	out.Glass = s.glassReport(ctx, r, asked, out)
	return out, diags
}

// lookedAt is what the gates are asked of a plan: as apply asks, or, where its run is
// open, as resume does.
func (s *session) lookedAt(ctx context.Context, r ApprovalsRequest, run *journal.Run) (question, error) {
	judged := &[]plan.Judgement{} // nobody keeps it
	if run == nil {
		apply := ApplyRequest{BreakGlass: r.BreakGlass, Glass: r.Glass}
		return question{
			file: r.File, documents: r.Approvals, overrides: r.Overrides, glass: apply.glass(), proofs: r.Proofs,
			operator: r.Operator.Name, operators: r.Operator.names(), unattended: r.Unattended, judged: judged,
		}, nil
	}
	full, err := s.journal.Run(ctx, run.ID)
	if err != nil {
		return question{}, err
	}
	m, err := decodeMeta(full.Meta)
	if err != nil {
		return question{}, err
	}
	again, err := s.reopened(ctx, full, r.File, m, ResumeRequest{
		Approvals: r.Approvals, Overrides: r.Overrides, Glass: r.Glass, Proofs: r.Proofs, Operator: r.Operator, Unattended: r.Unattended,
	})
	if err != nil {
		return question{}, err
	}
	again.judged = judged
	return again.question, nil
}

// besides is what holds a plan up besides who agreed. Of an open run only who owes a
// review is asked, and of judges that cannot be compared nothing is said.
func (s *session) besides(ctx context.Context, file *plan.File, run *journal.Run, breaking bool) diag.Diagnostics {
	if run != nil {
		return s.owing(ctx, false)
	}
	if !s.comparable() {
		return s.owing(ctx, breaking)
	}
	return s.standing(ctx, file, breaking)
}

// glassReport says whether the glass may be broken, where that was asked about or a
// statement lies there. The glass is not broken for a run that is open.
func (s *session) glassReport(ctx context.Context, r ApprovalsRequest, asked question, seen *ApprovalsReport) *GlassReport {
	switch {
	case seen.Run != "" || asked.glass == nil && len(r.Glass) == 0:
		return nil
	case asked.glass != nil:
		out := &GlassReport{Applies: seen.Passed, Glass: *seen.Answer.Glass}
		if !out.Applies {
			out.Why = lacks(seen.Answer)
		}
		return out
	}
	asked.glass = &glassDocuments{documents: r.Glass}
	v := s.weigh(ctx, s.looking(), asked)
	faults := append(s.diagnostics(v), s.besides(ctx, r.File, nil, true)...)
	out := &GlassReport{Applies: !faults.HasErrors()}
	if v.answer.Glass != nil {
		out.Glass = *v.answer.Glass
	}
	for _, d := range faults {
		if d.Severity == diag.Error && !slices.Contains(out.Why, d.Detail) {
			out.Why = append(out.Why, d.Detail)
		}
	}
	return out
}

// lacks is all that an answer lacks, a sentence each.
func lacks(a gate.Answer) []string {
	out := slices.Concat(a.Rejections, a.Missing)
	if a.Glass != nil {
		out = slices.Concat(a.Glass.Missing, out)
	}
	for _, d := range a.Lifting.Left {
		out = append(out, d.Name().String()+" denies: "+d.Message)
	}
	return out
}
