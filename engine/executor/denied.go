package executor

import (
	"context"
	"strings"

	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
)

// Deny leaves evidence of a run that its gates did not let begin: a file of its
// own, opened and closed at once. Its plan is not spent. job.Meta must say that
// the run was denied, so that a resume finishes this evidence and nothing else.
func (x *Executor) Deny(ctx context.Context, job *Job, why []string) error {
	if err := x.Journal.Open(ctx, journal.Run{
		ID: job.Run, PlanID: deniedPrefix + job.Run, PlanDigest: job.File.Digest, Operator: job.Operator, OpenedAt: x.now(),
		Plan: encodePlan(job.File), Meta: job.Meta,
	}); err != nil {
		return err
	}
	return x.FinishDenial(ctx, job, why)
}

// FinishDenial writes what Deny had not written when it was interrupted.
func (x *Executor) FinishDenial(ctx context.Context, job *Job, why []string) error {
	r := &run{x: x, job: job}
	doc := &job.File.Plan
	err := r.append(ctx, &journal.Close{Run: job.Run, At: x.now(), Outcome: "denied"}, nil,
		line{event: "opened", fill: func(p *evidence.Run) { p.Facts, p.Verification = job.Facts, job.Verified.Evidence() }},
		line{event: "denied", fill: func(p *evidence.Run) {
			p.Requirements, p.Decisions, p.Outcome, p.Judged = &doc.Requirements, doc.Decisions, strings.Join(why, "\n"), job.Judged
		}},
		line{event: "closed", fill: func(p *evidence.Run) {
			p.Outcome, p.Total, p.Resets = "denied", p.Sequence, []evidence.ResetLink{}
		}})
	if err != nil {
		return err
	}
	return x.fileRun(ctx, job.Run)
}

// Kept gives the approvals, and the documents of verifications, that were given to
// earlier resumes of a run.
func Kept(ctx context.Context, j journal.Journal, run string) (approvals, verifications []gate.Document, err error) {
	if approvals, err = documentsOf(ctx, j, run, func(e *entry) *gate.Document { return e.Approval }); err != nil {
		return nil, nil, err
	}
	verifications, err = documentsOf(ctx, j, run, func(e *entry) *gate.Document { return e.Verification })
	return approvals, verifications, err
}

// documentsOf gives the documents of one kind in a run's own records, in their order.
func documentsOf(ctx context.Context, j journal.Journal, run string, of func(*entry) *gate.Document) ([]gate.Document, error) {
	var out []gate.Document
	for rec, err := range j.Records(ctx, run, "") {
		if err != nil {
			return nil, err
		}
		e, err := decodeEntry(rec)
		if err != nil {
			return nil, err
		}
		if d := of(&e); d != nil {
			out = append(out, *d)
		}
	}
	return out, nil
}
