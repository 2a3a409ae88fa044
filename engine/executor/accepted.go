package executor

import (
	"context"
	"strings"

	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// trustFact is the fact, in the record that opened a run, that names the judges
// whom the state knows from then on.
const trustFact = "trust"

// judgesFact is the fact, in the same record, that says where the judges of the run
// come from, in the plan's word.
const judgesFact = "judges"

// The prefixes of the plan ids of runs that carry no plan out.
const (
	deniedPrefix = "denied/"
	trustPrefix  = "trust/"
)

// trustOf is the digest of the judges that a run leaves the state with.
func trustOf(doc *plan.Plan) string {
	if doc.TrustChange != nil {
		return doc.TrustChange.To
	}
	return doc.TrustDigest
}

// AcceptTrust makes another trust base the state's, and leaves evidence of who
// agreed: a run of its own, opened and closed at once. job.File is the plan of the
// change, which is spent, and job.Gate the approvals under the base before it.
func (x *Executor) AcceptTrust(ctx context.Context, job *Job) error {
	if err := x.Journal.Open(ctx, journal.Run{
		ID: job.Run, PlanID: trustPrefix + job.File.ID, PlanDigest: job.File.Digest, Operator: job.Operator, OpenedAt: x.now(),
		Plan: encodePlan(job.File), Meta: job.Meta,
	}); err != nil {
		return err
	}
	return x.FinishTrust(ctx, job)
}

// FinishTrust writes what AcceptTrust had not written when it was interrupted.
func (x *Executor) FinishTrust(ctx context.Context, job *Job) error {
	r := &run{x: x, job: job}
	change := job.File.Plan.TrustChange
	lines := []line{{event: "opened", fill: func(p *evidence.Run) { p.Facts = job.Facts }}}
	for _, a := range job.Gate.Approvals {
		lines = append(lines, line{event: "approval", fill: func(p *evidence.Run) { p.Approval = a.Document.Content }})
	}
	lines = append(lines,
		line{event: "trust", fill: func(p *evidence.Run) {
			p.Outcome = "accepted"
			p.Facts = map[string]string{"from": job.File.Plan.TrustDigest, "to": change.To, "changes": strings.Join(change.Changes, "\n")}
		}},
		line{event: "closed", fill: func(p *evidence.Run) {
			p.Outcome, p.Total, p.Resets = "trust accepted", p.Sequence, []evidence.ResetLink{}
		}})
	if err := r.append(ctx, &journal.Close{Run: job.Run, At: x.now(), Outcome: "trust accepted"}, nil, lines...); err != nil {
		return err
	}
	return x.FileEvidence(ctx)
}

// Remembered is the digest of the judges that the state knows, and the run that it
// knows them from; "" for a state that knows none yet. A run that was denied
// teaches it nothing.
func Remembered(ctx context.Context, j journal.Journal) (digest, run string, err error) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return "", "", err
	}
	for _, r := range runs { // newest first
		if strings.HasPrefix(r.PlanID, deniedPrefix) || strings.HasPrefix(r.PlanID, reviewPrefix) {
			continue
		}
		digest, err := opening(ctx, j, r.ID)
		if err != nil || digest != "" {
			return digest, r.ID, err
		}
	}
	return "", "", nil
}

// OfResets reports whether a run is one of resets: not a denial, a review, or a change
// of judges.
func OfResets(r journal.Run) bool {
	for _, prefix := range []string{deniedPrefix, reviewPrefix, trustPrefix} {
		if strings.HasPrefix(r.PlanID, prefix) {
			return false
		}
	}
	return true
}

// opening is what the record that opened a run says of its judges.
func opening(ctx context.Context, j journal.Journal, run string) (string, error) {
	return openingFact(ctx, j, run, trustFact)
}

// Judges says where the judges of a run come from, in the plan's word; "" where the
// record that opened it does not say so, or is not there.
func Judges(ctx context.Context, j journal.Journal, run string) (string, error) {
	return openingFact(ctx, j, run, judgesFact)
}

func openingFact(ctx context.Context, j journal.Journal, run, fact string) (string, error) {
	for rec, err := range j.Records(ctx, run, "") {
		if err != nil {
			return "", err
		}
		e, err := decodeEntry(rec)
		return e.Facts[fact], err
	}
	return "", nil
}
