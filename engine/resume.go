package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// ResumeRequest says what to finish.
type ResumeRequest struct {
	// Run is one run; "" means every open one.
	Run string
	// Approvals found now are added to those that the run kept.
	Approvals []gate.Document
	// Proofs and Overrides likewise.
	Proofs    Proofs
	Overrides []gate.Document
	Glass     []gate.Document
	Operator  Operator
	// Unattended is set when nobody looks on at a terminal.
	Unattended bool
}

// Resume finishes what was interrupted: open runs, and evidence that is not
// filed yet. With nothing open it does nothing and has no results.
func (e *Engine) Resume(ctx, soft context.Context, req ResumeRequest) ([]*executor.Result, diag.Diagnostics) {
	w, _, _, diags := e.loadAnyway(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	// A cheap look first: nothing open needs no variables and no providers.
	j, faults := e.state(ctx, w, false)
	if faults.HasErrors() { // what is open in it is not known
		return nil, append(diags, unfinished(faults)...)
	}
	if j == nil {
		return nil, append(diags, noSuchRun(req.Run)...)
	}
	open, faults := openRuns(ctx, j, req.Run)
	pending := false
	if !faults.HasErrors() { // a state that cannot be read is told once
		var err error
		if pending, err = unfiled(ctx, j); err != nil {
			faults = diag.Errored(diag.ExitUnfinished, "The state cannot be read", "%s.", err)
		}
	}
	_ = j.Close()
	if faults.HasErrors() || len(open) == 0 && !pending {
		return nil, append(diags, faults...)
	}
	s, diags := e.open(ctx, need{state: true, signer: true, anyway: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	diags = append(diags, warned(s.unread)...)
	if faults := s.older(ctx, false); faults.HasErrors() {
		return nil, append(diags, unfinished(faults)...)
	}
	var results []*executor.Result
	for _, run := range open {
		res, faults := s.resume(ctx, soft, run, req)
		diags = append(diags, faults...)
		if res != nil {
			results = append(results, res)
		}
	}
	x, faults := s.executor("")
	if faults.HasErrors() {
		return results, append(diags, faults...)
	}
	defer x.close()
	if err := x.FileEvidence(ctx); err != nil {
		diags = append(diags, diag.Errored(diag.ExitUnfinished, "Evidence is not filed yet", "%s. Mend this, then `remint resume`.", err)...)
	}
	return results, diags
}

// unfinished are faults that keep what may have been begun from being finished.
func unfinished(faults diag.Diagnostics) diag.Diagnostics {
	for i := range faults {
		faults[i].Exit = diag.ExitUnfinished
	}
	return faults
}

func noSuchRun(id string) diag.Diagnostics {
	if id == "" {
		return nil
	}
	return diag.Errored(0, "No such run", "The state knows no run %q. `remint runs` lists them.", id)
}

func openRuns(ctx context.Context, j journal.Journal, id string) ([]string, diag.Diagnostics) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return nil, diag.Errored(diag.ExitUnfinished, "The state cannot be read", "%s.", err)
	}
	var open []string
	found := id == ""
	for i := len(runs) - 1; i >= 0; i-- { // oldest first
		if id != "" && runs[i].ID != id {
			continue
		}
		found = true
		if runs[i].ClosedAt.IsZero() {
			open = append(open, runs[i].ID)
		}
	}
	if !found {
		return nil, noSuchRun(id)
	}
	return open, nil
}

// unfiled reports whether evidence waits to be filed. What cannot be read is
// not nothing.
func unfiled(ctx context.Context, j journal.Journal) (bool, error) {
	for _, err := range j.Unfiled(ctx, "") {
		return err == nil, err
	}
	return false, nil
}

// resume finishes one run.
func (s *session) resume(ctx, soft context.Context, id string, req ResumeRequest) (*executor.Result, diag.Diagnostics) {
	fail := func(exit diag.Exit, format string, args ...any) (*executor.Result, diag.Diagnostics) {
		return nil, diag.Errored(exit, "Run "+id+" cannot be resumed", format, args...)
	}
	run, err := s.journal.Run(ctx, id)
	if err != nil {
		return fail(diag.ExitUnfinished, "%s.", err)
	}
	file, err := plan.Read(bytes.NewReader(run.Plan))
	if err != nil {
		return fail(diag.ExitUnfinished, "Its plan in the state is damaged: %s.", err)
	}
	m, err := decodeMeta(run.Meta)
	if err != nil {
		return fail(diag.ExitUnfinished, "%s.", err)
	}
	x, diags := s.executor(id)
	if diags.HasErrors() {
		return nil, unfinished(diags)
	}
	defer x.close()
	job := &executor.Job{
		Run: id, File: file, Refused: m.Refused, Operator: req.Operator.Name, OperatorNames: req.Operator.Also,
		Unattended: req.Unattended, Facts: m.Facts, Generations: s.generations(), Judged: m.Judged,
	}
	if m.Denied != nil {
		job.Operator, job.OperatorNames, job.Authors = run.Operator, m.OperatorNames, m.Authors
		if err := x.FinishDenial(ctx, job, m.Denied); err != nil {
			return fail(diag.ExitUnfinished, "It was denied, and evidence of that cannot be written: %s.", err)
		}
		return nil, nil
	}
	if m.Review != nil {
		job.Operator, job.OperatorNames, job.Authors = run.Operator, m.OperatorNames, m.Authors
		if err := x.FinishReview(ctx, job, m.Review); err != nil {
			return fail(diag.ExitUnfinished, "It is a review, and evidence of that cannot be written: %s.", err)
		}
		return nil, nil
	}
	if file.Plan.TrustChange != nil {
		job.Operator, job.OperatorNames, job.Authors = run.Operator, m.OperatorNames, m.Authors
		for _, d := range m.Approvals {
			job.Gate.Approvals = append(job.Gate.Approvals, gate.Approval{Document: d})
		}
		if err := x.FinishTrust(ctx, job); err != nil {
			return fail(diag.ExitUnfinished, "It made another trust base this state's, and evidence of that cannot be written: %s.", err)
		}
		return nil, nil
	}
	if diags = s.pinnedBut(m); diags.HasErrors() {
		return nil, diags
	}
	options := s.engine.policyOptions(s.workspace)
	if x.Policies, diags = m.judges(ctx, file.Plan.PolicyDigest, options, s.sources); diags.HasErrors() {
		if ctx.Err() != nil {
			return fail(diag.ExitUnfinished, "It was interrupted while its policies were read. Nothing was changed by this attempt.")
		}
		// What was allowed goes on; what its own policies must say about the result waits.
		x.Policies = options.Unread(file.Plan.PolicyDigest, diags)
	}
	defer x.Policies.Close()
	resets, diags := s.planner().Restore(file)
	if diags.HasErrors() {
		return nil, diags
	}
	for _, r := range resets {
		if _, no := m.Refused[r.Plan.Address]; !no {
			job.Resets = append(job.Resets, r)
		}
	}
	again, err := s.reopened(ctx, run, file, m, req)
	if err != nil {
		return fail(diag.ExitUnfinished, "%s.", err)
	}
	job.KeptVerifications, job.BreakGlass = req.Proofs.keep(file), m.BreakGlass
	again.resets, again.judged = resets, &job.JudgedAgain
	job.Authors, job.OpenedBy = again.authors, append([]string{run.Operator}, m.OperatorNames...)
	if job.Unopened, err = s.opensSeal(ctx, id); err != nil {
		return fail(diag.ExitUnfinished, "%s. Nothing was changed by this attempt.", err)
	}
	job.Gate, job.Verified, job.Held = s.held(ctx, again.question)
	var unheard diag.Diagnostics
	if job.Answers, unheard = s.answers(ctx, run, file, again.operators); unheard.HasErrors() {
		return nil, unheard
	}
	if job.Unopened != nil {
		unheard = append(unheard, s.shutSeal(ctx, id, job.Unopened)...)
	}
	unheard = append(unheard, noted(job.Gate)...)
	for _, a := range job.Gate.Approvals {
		if !slices.ContainsFunc(again.kept, func(k gate.Document) bool { return bytes.Equal(k.Content, a.Document.Content) }) {
			job.Kept = append(job.Kept, a.Document)
		}
	}
	job.KeptBreakGlass = again.glass.fresh(job.Gate.Glass)
	for _, o := range job.Gate.Lifting.Overrides {
		if !slices.ContainsFunc(again.keptOverrides, func(k gate.Document) bool { return bytes.Equal(k.Content, o.Document.Content) }) {
			job.KeptOverrides = append(job.KeptOverrides, o.Document)
		}
	}
	res, diags := x.Resume(ctx, soft, job)
	return res, append(unheard, diags...)
}

// reason is an error's text without the path that the caller names anyway.
func reason(err error) string {
	var unwrapped interface{ Unwrap() error }
	if errors.As(err, &unwrapped) && unwrapped.Unwrap() != nil {
		return fmt.Sprint(unwrapped.Unwrap())
	}
	return err.Error()
}
