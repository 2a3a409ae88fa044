package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/verify"
)

// EvalRequest says what policies are asked about, to see what they say: nothing is
// decided by it, and nothing is logged.
type EvalRequest struct {
	// File is the plan; nil where Input is.
	File *plan.File
	// Stage is policy.StagePlan unless it is set, or Input says another.
	Stage policy.Stage
	// Input is a whole input document, which is asked about as it is.
	Input []byte
	// The approval stage sees these; Now is the engine's clock unless it is set.
	Approvals  []gate.Document
	Proofs     Proofs
	Operator   Operator
	Unattended bool
	Now        time.Time
	// Address narrows the result stage down to one reset.
	Address string
}

// Evaluation is what policies said, and what they were asked: in the result stage
// an input for each reset.
type Evaluation struct {
	policy.Explanation
	Inputs []*policy.Input
}

// PolicyEval asks the policies of today what they say, and explains which rules held:
// at the plan stage about the credentials and the reason of a saved plan, as the
// targets are now; at the approval stage likewise, with the approvals and the
// verification at hand; at the result stage about what the run of the plan observed.
func (e *Engine) PolicyEval(ctx context.Context, r EvalRequest) (*Evaluation, diag.Diagnostics) {
	if r.Input != nil {
		return e.evalInput(ctx, r)
	}
	if faults := ofResets(r.File); faults.HasErrors() { // it would be asked about whatever is due
		return nil, faults
	}
	if r.Stage == policy.StageResult {
		return e.evalResult(ctx, r)
	}
	s, diags := e.open(ctx, need{unlogged: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	planned, faults := s.planner().Plan(ctx, planner.Again(r.File))
	if diags = append(diags, faults...); planned == nil {
		return nil, diags
	}
	if planned.File.Digest != r.File.Digest {
		diags = diags.Warnf("The plan is stale", "The decision is about what would be planned now, which is not what the file says.")
	}
	in := planner.Input(cmp.Or(r.Stage, policy.StagePlan), &planned.File.Plan, planned.Resets)
	in.Authors = s.base.authorship()
	if in.Stage == policy.StageApproval {
		faults := s.consenting(ctx, in, &planned.File.Plan.Requirements, r)
		if diags = append(diags, faults...); faults.HasErrors() {
			return nil, diags
		}
	}
	out := &Evaluation{}
	diags = append(diags, s.explain(ctx, out, in, planned.Resets)...)
	return s.told(out, diags)
}

// consenting adds to in what the approval policies see, as apply would have it.
// Nothing is spent, and nobody is told.
func (s *session) consenting(ctx context.Context, in *policy.Input, requirements *plan.Requirements, r EvalRequest) diag.Diagnostics {
	now := r.Now.UTC()
	if r.Now.IsZero() {
		now = s.engine.opts.Now().UTC()
	}
	verified, diags := s.shown(ctx, r.File, r.Proofs, s.engine.opts.Now)
	decided, faults := s.engine.decisions(ctx, s.workspace, s.journal, r.File)
	by, unusable := authority(s.workspace.Settings.Approvals.TrustedRoot)
	if diags = append(diags, append(faults, unusable...)...); diags.HasErrors() {
		return diags
	}
	asked := question{file: r.File, documents: r.Approvals, operator: r.Operator.Name, operators: r.Operator.names(), unattended: r.Unattended}
	q := s.asking(asked, decided, verified, by, now)
	answer := gate.Ask(q)
	for _, why := range answer.Ignored {
		diags = diags.Warnf("An approval does not count", "%s", why)
	}
	in.Requirements = requirements
	s.consented(in, asked, q, answer)
	return diags
}

// shown judges documents of verifications without remembering anything: what a
// verifier takes once is not taken here.
func (s *session) shown(ctx context.Context, file *plan.File, p Proofs, now func() time.Time) (verify.Outcome, diag.Diagnostics) {
	documents, diags := p.read(file)
	checker := s.engine.checker(s.workspace, verify.Forgetful{}, p.Getenv)
	checker.Now = now
	outcome, refused := checker.Check(ctx, file, documents, nil)
	for _, r := range refused {
		diags = diags.Warnf("A verification does not count", "%s", r)
	}
	return outcome, diags
}

// evalResult asks the result policies about what the run of a plan observed, as they
// are asked at the end of each reset.
func (e *Engine) evalResult(ctx context.Context, r EvalRequest) (*Evaluation, diag.Diagnostics) {
	s, diags := e.open(ctx, need{judges: true, unlogged: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	run, m, faults := s.ranFrom(ctx, r.File)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	resets, faults := s.planner().Restore(r.File)
	if faults.HasErrors() {
		return nil, diags.Errorf("The workspace is another one", "What run %s was planned from is not what the workspace says now: %s Put it back to what it was, or ask about an input of your own with -input=FILE.", run.ID, faultsOf(faults))
	}
	if s.policies.Digest() != r.File.Plan.PolicyDigest {
		diags = diags.Warnf("Other policies", "The policies are not those of run %s: this is what those of today say of what it observed.", run.ID)
	}
	observed, err := executor.Observed(ctx, s.journal, run.ID, resets)
	if err != nil {
		return nil, diags.Errorf("The state cannot be read", "%s.", err)
	}
	as, faults := s.agreed(ctx, r.File, run, m)
	diags = append(diags, faults...)
	out := &Evaluation{}
	for _, reset := range resets {
		result := observed[reset.Plan.Address]
		if result == nil || r.Address != "" && reset.Plan.Address != r.Address {
			continue
		}
		one := []*planner.Reset{reset}
		in := planner.Input(policy.StageResult, &r.File.Plan, one)
		in.Requirements, in.Operator, in.Unattended = &r.File.Plan.Requirements, run.Operator, m.Unattended
		in.Approvals, in.Verification = as.Approvals, as.Verification
		in.Resets[0].Result = result
		if faults := s.explain(ctx, out, in, one); faults.HasErrors() {
			diags = append(diags, faults...)
		}
	}
	if len(out.Inputs) == 0 && !diags.HasErrors() {
		return nil, diags.Errorf("Nothing was observed", "Run %s has observed nothing of %s. Ask about an input of your own with -input=FILE.", run.ID, cmp.Or(r.Address, "any credential"))
	}
	return s.told(out, diags)
}

// ranFrom finds the run in which a plan was applied, and what that kept.
func (s *session) ranFrom(ctx context.Context, file *plan.File) (journal.Run, meta, diag.Diagnostics) {
	fail := func(format string, args ...any) (journal.Run, meta, diag.Diagnostics) {
		return journal.Run{}, meta{}, diag.Errored(0, "No run of this plan", format, args...)
	}
	if s.journal == nil {
		return fail("There is no state here that could know one. Results are asked about what a run observed, or about an input of your own: -input=FILE.")
	}
	runs, err := s.journal.Runs(ctx)
	if err != nil {
		return fail("The state cannot be read: %s.", err)
	}
	for _, listed := range runs {
		if listed.PlanID != file.ID {
			continue
		}
		run, err := s.journal.Run(ctx, listed.ID)
		if err != nil {
			return fail("The state cannot be read: %s.", err)
		}
		m, err := decodeMeta(run.Meta)
		if err != nil {
			return fail("%s: %s.", run.ID, err)
		}
		if kept, err := plan.Read(bytes.NewReader(run.Plan)); err != nil || kept.Digest != file.Digest {
			return fail("Run %s of the plan's id was of another plan.", run.ID)
		}
		if m.Denied == nil {
			return run, m, nil
		}
	}
	return fail("The state knows no run of it. Apply it, or ask about an input of your own with -input=FILE.")
}

// agreed are the approvals and the verification that a run kept, as they stood when
// it was opened. What was brought on the command line is not kept.
func (s *session) agreed(ctx context.Context, file *plan.File, run journal.Run, m meta) (policy.Input, diag.Diagnostics) {
	opened := func() time.Time { return run.OpenedAt }
	verified, diags := s.shown(ctx, file, Proofs{Documents: m.Verifications}, opened)
	by, _ := authority(s.workspace.Settings.Approvals.TrustedRoot)
	answer := gate.Ask(gate.Question{
		File: file, Requirements: file.Plan.Requirements, Approvers: s.workspace.Approvers, Documents: m.Approvals, Operators: append([]string{run.Operator}, m.OperatorNames...),
		Authors:  m.Authors,
		Verified: verified, MaxExpires: s.workspace.Settings.Approvals.MaxExpires, Authority: by, Now: run.OpenedAt.UTC(),
	})
	return policy.Input{Approvals: answer.Input(), Verification: verified.Policy(file.Plan.Requester)}, diags
}

// evalInput asks about a document as it is.
func (e *Engine) evalInput(ctx context.Context, r EvalRequest) (*Evaluation, diag.Diagnostics) {
	in, err := policy.ReadInput(r.Input)
	if err != nil {
		return nil, diag.Errored(0, "The input cannot be used", "%s. schemas/examples shows one for each stage, and `policy eval -out=FILE PLAN` writes one.", capital(err.Error()))
	}
	if r.Stage != "" && r.Stage != in.Stage {
		return nil, diag.Errored(0, "Another stage", "The input is of %s, and -stage says %s. Leave -stage out.", in.Stage, r.Stage)
	}
	s, diags := e.open(ctx, need{judges: true, unlogged: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	if slices.ContainsFunc(in.Resets, func(r policy.Reset) bool { return r.Change != nil }) {
		diags = diags.Warnf("The base's side is not asked about", "A reset of the input differs from a trust base. In a run it is judged by the base's values as well, which is a question of its own.")
	}
	out := &Evaluation{}
	diags = append(diags, s.explain(ctx, out, in, nil)...)
	return s.told(out, diags)
}

// explain asks about in, and about the trust base's side of it, and adds what is said
// to out.
func (s *session) explain(ctx context.Context, out *Evaluation, in *policy.Input, resets []*planner.Reset) diag.Diagnostics {
	explained, faults := s.policies.Explain(ctx, in, planner.Before(in, resets)...)
	if faults.HasErrors() {
		return faults
	}
	if len(out.Inputs) == 0 {
		out.Explanation = explained
	} else {
		out.Also(&explained)
	}
	out.Inputs = append(out.Inputs, in)
	return faults
}

// told is what was said, with its denials as faults; nil where nothing was asked.
func (s *session) told(out *Evaluation, diags diag.Diagnostics) (*Evaluation, diag.Diagnostics) {
	if len(out.Inputs) == 0 {
		return nil, diags
	}
	return out, append(diags, s.denied(&plan.Plan{Decisions: out.Verdict.Decisions})...)
}
