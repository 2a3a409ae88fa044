package executor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Answer is a person's answer to the question with which a reset stopped. Its
// signature is that of By: whoever makes one has verified that.
type Answer struct {
	evidence.Resolution
	// By is the approver whose key signed it.
	By string
	// Own is whether she asked for the run, or operates it.
	Own bool
	// Document is what she signed.
	Document gate.Document
}

// answer finds what people said to the question that is open, nil if nobody did.
// Of one person the last word counts; two who differ have not answered, and
// nothing is done before they agree.
func (r *reset) answer() (*Answer, error) {
	asked := r.past.open()
	if asked == nil {
		return nil, nil
	}
	last := map[string]*Answer{}
	for i := range r.job.Answers {
		a := &r.job.Answers[i]
		if a.Address == r.address && a.Record == r.past.lastLine && (a.Step == "" || a.Step == asked.Step && a.Question == asked.Asks) {
			last[a.By] = a
		}
	}
	var out *Answer
	for _, by := range slices.Sorted(maps.Keys(last)) {
		a := last[by]
		if out != nil && (out.Step != a.Step || out.Answer != a.Answer) {
			return nil, fmt.Errorf("%s and %s answer the question about %s differently, so nothing was done: one of them has to answer again", out.By, a.By, asked.Subject())
		}
		if out == nil {
			out = a
		}
	}
	return out, nil
}

// heed takes the answer to the open question into the journal, before anything
// else of the reset is looked at: it gives the answer that ends the reset, if it
// does. The record is durable together with the next one, before any effect.
func (r *reset) heed() (*Answer, error) {
	a, err := r.answer()
	if a == nil || a.Step == "" {
		return a, err
	}
	st, ok := r.stepAt(a.Step)
	if !ok {
		return nil, nil
	}
	e := entry{Answer: a.Answer, AssertedBy: a.By, Resolution: a.Document.Content, Started: a.CreatedAt}
	e.fact("detail", "%s says so; nobody could see it", a.By)
	if a.Answer == event.AnswerNotDone {
		e.fact("detail", "%s says that it did not happen; nobody could see it", a.By)
	}
	if a.Own {
		e.fact("own", "%s asked for the run, or operates it", a.By)
	}
	if a.Comment != "" {
		e.fact("comment", "%s", r.said(a.Comment))
	}
	if st.Phase == lifecycle.Install && a.Answer == event.AnswerDone {
		e.Version = r.versionOf(st)
	}
	past := r.past.steps[a.Step]
	if err := r.queue(&st, journal.Asserted, past.attempt, e); err != nil {
		return nil, err
	}
	r.tell(event.Event{Type: event.StepCompleted, Level: event.Warn, Message: fmt.Sprintf("%s: %s, as %s says", a.Step, a.Answer, a.By),
		Step: a.Step, Phase: string(st.Phase), Attempt: past.attempt, Outcome: string(journal.Asserted), Detail: e.Facts["detail"]})
	if st.Phase == lifecycle.Issue && a.Answer == event.AnswerDone {
		return a, nil
	}
	return nil, nil
}

// versionOf names the version that the new secret would be, where its material
// tells that without the target. "" if it does not.
func (r *reset) versionOf(st config.Step) string {
	id, ok := r.target.(provider.Identifier)
	if !ok {
		return ""
	}
	m, err := r.newSecret(context.Background(), st)
	if err != nil {
		return ""
	}
	v, err := id.VersionOf(m)
	if err != nil {
		return ""
	}
	return v
}

// abandon ends the reset on a person's word: nothing more is begun.
func (r *reset) abandon(ctx context.Context, a *Answer) (ResetResult, error) {
	cause := fmt.Errorf("%s says that it cannot be finished. What was done stays as it is, and nothing shows that the old secret is dead: plan a reset of it again if the target is still there", a.By)
	if len(r.past.old) > 0 {
		cause = fmt.Errorf("%w. The old secret stays sealed (`remint recover -old`)", cause)
	}
	if a.Step == "" {
		r.given = a
	} else {
		cause = &stepError{a.Step, fmt.Errorf("%s says that the target made a version, of which the secret never arrived here: revoke the version marked %s by hand, then plan again",
			a.By, r.label(a.Step))}
	}
	r.tellOwner(ctx, cause)
	return r.finish(ctx, Abandoned, cause)
}

// ours reports whether a version is one that this reset set, by its name or mark.
func (r *reset) ours(v provider.Version) bool {
	if v.ID == r.current() {
		return true
	}
	return slices.ContainsFunc(r.steps, func(st config.Step) bool {
		return st.Phase == lifecycle.Install && strings.HasPrefix(v.Label, r.label(st.Addr.String())+".")
	})
}

// asserted lists the steps that rest on a person's word.
func (r *reset) asserted() []string {
	var out []string
	for _, st := range r.steps {
		if p := r.past.steps[st.Addr.String()]; p.kind == journal.Asserted && p.done() {
			out = append(out, st.Addr.String())
		}
	}
	return out
}

// Asked is a question that is open in the journal.
type Asked struct {
	event.Question
	// Record is the sha256 of the evidence record that asked.
	Record string
}

// Questions gives the question that is open for each reset of a run, by address,
// and how far its steps got, by address and step.
func Questions(ctx context.Context, j journal.Journal, run string) (asked map[string]Asked, steps map[string]map[string]journal.Kind, err error) {
	asked, steps = map[string]Asked{}, map[string]map[string]journal.Kind{}
	histories, err := historiesOf(ctx, j, run, nil)
	if err != nil {
		return nil, nil, err
	}
	for address, h := range histories {
		if q := h.open(); q != nil {
			asked[address] = Asked{*q, h.lastLine}
		}
		steps[address] = map[string]journal.Kind{}
		for step, p := range h.steps {
			steps[address][step] = p.kind
		}
	}
	return asked, steps, nil
}

// Resolutions gives every answer that was given to questions of a run, as signed,
// oldest first.
func Resolutions(ctx context.Context, j journal.Journal, run string) ([]gate.Document, error) {
	var out []gate.Document
	for rec, err := range j.Records(ctx, run, "") {
		if err != nil {
			return nil, err
		}
		e, err := decodeEntry(rec)
		if err != nil {
			return nil, err
		}
		if len(e.Resolution) > 0 {
			out = append(out, gate.Document{Name: fmt.Sprintf("answer-%d", len(out)+1), Content: e.Resolution})
		}
	}
	return out, nil
}

// KeepResolution puts a signed answer into the journal. It does nothing else: the
// next resume, which excludes every other, goes on by it.
func KeepResolution(ctx context.Context, j journal.Journal, run string, at time.Time, content []byte) error {
	e := entry{Resolution: content}
	e.fact("event", "resolution")
	return j.Append(ctx, &journal.Batch{Records: []journal.Record{{Run: run, Kind: journal.Note, At: at, Data: e.encode()}}})
}
