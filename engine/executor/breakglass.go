package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
)

// BreakGlass is what a run owes that did not wait for all of its gates. It stands
// in the run's first records, before any effect.
type BreakGlass struct {
	// Document is what Member signed, and Due when the review is owed.
	Document       gate.Document
	Member, Reason string
	Due            time.Time
	// Notify are the people who are told, Via the notifiers by key; none means all.
	Notify, Via []string
}

// Glass marks the ids of runs that broke the glass, so that whoever lists runs or
// evidence sees them, and finds them without reading all of it.
const Glass = evidence.Glass

// toldEvent is the run's record of who was told.
const toldEvent = "told"

// reviewPrefix begins the plan id of the run that a review is: a run is reviewed once.
const reviewPrefix = "review/"

// alarm tells people that the glass was broken, before anything is changed. A
// notifier that fails is recorded and does not stop the run: an attacker who can
// keep mail from arriving must not be able to keep credentials from being reset.
func (r *run) alarm(ctx context.Context) error {
	g := r.job.BreakGlass
	if g == nil || r.told {
		return nil
	}
	facts := map[string]string{"to": strings.Join(g.Notify, ", ")}
	for _, b := range r.x.Notifiers {
		if len(g.Via) > 0 && !slices.Contains(g.Via, b.Key()) {
			continue
		}
		facts["via "+b.Key()] = "told"
		sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
		n, err := r.x.Fleet.Notifier(sending, b)
		if err == nil {
			err = r.x.Journal.Holds(sending, r.job.Run)
		}
		for i, to := range g.Notify {
			if err == nil {
				err = n.Send(sending, r.alarmTo(g, i, to))
			}
		}
		cancel()
		if err != nil {
			facts["via "+b.Key()] = "not told: " + err.Error()
			r.tell(event.Event{Type: event.Diagnostic, Level: event.Warn, Message: "That the glass is broken could not be told through " + b.Key() + ": " + err.Error()})
		}
	}
	if err := r.append(ctx, nil, nil, line{event: toldEvent, fill: func(p *evidence.Run) { p.Facts = facts }}); err != nil {
		return err
	}
	return r.filer.flush(ctx)
}

func (r *run) alarmTo(g *BreakGlass, i int, to string) provider.Notice {
	doc := &r.job.File.Plan
	n := provider.Notice{
		ID: fmt.Sprintf("%s/break_glass/%d", r.job.Run, i+1), Kind: "break_glass", Run: r.job.Run, To: to,
		Reason: string(doc.Reason), Mode: string(doc.Mode), Ticket: doc.Ticket, Requester: doc.Requester, Outcome: "begun",
		Summary: fmt.Sprintf("%s broke the glass for a reset of %d credentials, which did not wait for all of its approvals: %s. A review by somebody who took no part is owed by %s.",
			g.Member, len(doc.Resets), g.Reason, g.Due.UTC().Format(time.RFC3339)),
		Next: "remint review -key=FILE -comment=C " + r.job.Run, At: r.x.now(),
	}
	for _, x := range doc.Resets[:min(len(doc.Resets), maxAlarmed)] {
		n.Changes = append(n.Changes, x.Address)
	}
	if more := len(doc.Resets) - len(n.Changes); more > 0 {
		n.Changes = append(n.Changes, fmt.Sprintf("and %d more", more))
	}
	return n
}

// maxAlarmed is how many credentials an alarm names.
const maxAlarmed = 100

// Review leaves evidence of a review: a run of its own, opened and closed at once.
// job.File is the plan of the reviewed run. What cannot be reviewed twice is
// journal.ErrSpent.
func (x *Executor) Review(ctx context.Context, job *Job, reviewed string, document []byte) error {
	if err := x.Journal.Open(ctx, journal.Run{
		ID: job.Run, PlanID: reviewPrefix + reviewed, PlanDigest: job.File.Digest, Operator: job.Operator, OpenedAt: x.now(),
		Plan: encodePlan(job.File), Meta: job.Meta,
	}); err != nil {
		return err
	}
	return x.FinishReview(ctx, job, document)
}

// FinishReview writes what Review had not written when it was interrupted.
func (x *Executor) FinishReview(ctx context.Context, job *Job, document []byte) error {
	const outcome = "reviewed"
	r := &run{x: x, job: job}
	if err := r.append(ctx, &journal.Close{Run: job.Run, At: x.now(), Outcome: outcome}, nil,
		line{event: "opened", fill: func(p *evidence.Run) { p.Facts = job.Facts }},
		line{event: "review", fill: func(p *evidence.Run) { p.Review = document }},
		line{event: "closed", fill: func(p *evidence.Run) {
			p.Outcome, p.Total, p.Resets = outcome, p.Sequence, []evidence.ResetLink{}
		}}); err != nil {
		return err
	}
	return x.FileEvidence(ctx)
}

// Reviewed names the run that a run reviewed, as its plan id says; "" for another run.
func Reviewed(r journal.Run) string {
	reviewed, ok := strings.CutPrefix(r.PlanID, reviewPrefix)
	if !ok || r.ClosedAt.IsZero() {
		return ""
	}
	return reviewed
}

// KeptBreakGlass gives the statements that took the place of a run's first one.
func KeptBreakGlass(ctx context.Context, j journal.Journal, run string) ([]gate.Document, error) {
	return documentsOf(ctx, j, run, func(e *entry) *gate.Document { return e.BreakGlass })
}
