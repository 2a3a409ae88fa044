package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// entry is the data of a journal record: what a later process needs to know.
// It never holds a secret.
type entry struct {
	Facts  map[string]string `json:"facts,omitempty"`
	Probes []evidence.Probe  `json:"probes,omitempty"`
	Proof  lifecycle.Proof   `json:"proof,omitempty"`
	// Version is what a change made current; At the target's clock after it.
	Version string    `json:"version,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Error   string    `json:"error,omitempty"`
	Started time.Time `json:"started,omitzero"`
	// Outcome of the reset, in records of the kind Ended, and whether its new secret,
	// and its old one, stay sealed.
	Outcome   Outcome `json:"outcome,omitempty"`
	Sealed    bool    `json:"sealed,omitempty"`
	SealedOld bool    `json:"sealed_old,omitempty"`
	// Before are the versions at the target before anything was done (none and
	// Unlisted: it did not say), Settle its settle window, OldKnown whether a
	// working old secret is sealed, Doubted how many are of which it is not known
	// whether they work.
	Before   []string      `json:"before,omitempty"`
	Unlisted bool          `json:"unlisted,omitempty"`
	Settle   time.Duration `json:"settle,omitempty"`
	OldKnown bool          `json:"old_known,omitempty"`
	Doubted  int           `json:"doubted,omitempty"`
	// Question is what a person is asked, in records of the kind Ended that halted.
	// Answer, AssertedBy and Resolution are her answer, who she is, and what she
	// signed: in records of the kind Asserted, in the end of a reset that it
	// abandoned, and, as given, in a record of the run itself.
	Question   *event.Question `json:"question,omitempty"`
	Answer     string          `json:"answer,omitempty"`
	AssertedBy string          `json:"asserted_by,omitempty"`
	Resolution json.RawMessage `json:"resolution,omitempty"`
	// Operator is who ran the process that wrote it, in records of the run itself. Her
	// other names, and who had written the change, stand where that process began.
	Operator      string   `json:"operator,omitempty"`
	OperatorNames []string `json:"operator_names,omitempty"`
	Authors       []string `json:"authors,omitempty"`
	// Approval is a document given to a resume, in records of the run itself.
	Approval *gate.Document `json:"approval,omitempty"`
	// Verification likewise.
	Verification *gate.Document `json:"verification,omitempty"`
	Override     *gate.Document `json:"override,omitempty"`
	BreakGlass   *gate.Document `json:"break_glass,omitempty"`
	// Judged are the questions to the result policies about what the record is about.
	Judged []plan.Judgement `json:"judged,omitempty"`
	// Sequence and Evidence tie the record to its signed bundle (sha256 of the line).
	Sequence int    `json:"sequence,omitempty"`
	Evidence string `json:"evidence,omitempty"`
}

func (e *entry) fact(key, format string, args ...any) {
	if e.Facts == nil {
		e.Facts = map[string]string{}
	}
	e.Facts[key] = fmt.Sprintf(format, args...)
}

func (e entry) encode() json.RawMessage {
	b, err := json.Marshal(e)
	if err != nil {
		panic("a journal entry is not JSON") // it has only plain members
	}
	return b
}

func decodeEntry(r journal.Record) (entry, error) {
	var e entry
	if err := json.Unmarshal(r.Data, &e); err != nil {
		return e, fmt.Errorf("journal record %d of run %s is damaged", r.Seq, r.Run)
	}
	return e, nil
}

// progress is what the journal says of one step.
type progress struct {
	kind    journal.Kind
	attempt int
	entry   entry
	// intended is whether an intention was ever written: steps without one
	// cannot change anything outside.
	intended bool
	// denied is whether a person said once that it had not happened.
	denied bool
	// once is whether an attempt before the last was done: what it changed stays
	// changed, whatever becomes of one that is to do it again.
	once bool
	// clock is this process's own, monotonic, when it had done the step: zero where an
	// earlier process did. No journal has it.
	clock time.Time
}

// done reports whether the step needs nothing more: it happened, or a person says so.
func (p progress) done() bool {
	return p.kind == journal.Done || p.kind == journal.Asserted && p.entry.Answer == event.AnswerDone
}

// toldNot reports whether the last word about the step is a person's, that it did
// not happen.
func (p progress) toldNot() bool {
	return p.kind == journal.Asserted && p.entry.Answer == event.AnswerNotDone
}

// uncertain reports whether an attempt may have had an effect that was not recorded.
func (p progress) uncertain() bool { return p.kind == journal.Intend || p.kind == journal.Unknown }

// effect reports whether the step had, or may have had, its effect. A failure
// that is known to have had none takes an earlier doubt away: it is recorded as
// unknown otherwise.
func (p progress) effect() bool { return p.done() || p.uncertain() || p.once }

// history is what the journal says of one reset.
type history struct {
	steps    map[string]progress
	baseline *entry
	links    []evidence.RecordLink
	ended    *entry
	// halted is whether the last record is that of a reset which stopped.
	halted   bool
	lastLine string
	// probes are all attempts to log in that were recorded, once each.
	probes []evidence.Probe
	// old names the old secrets that any process sealed, and those that may be one.
	old []string
}

// open is the question that the reset stopped with, nil if none is open.
func (h *history) open() *event.Question {
	if !h.halted {
		return nil
	}
	return h.ended.Question
}

// historiesOf reads what a journal knows of every reset of a run, by address. With own,
// what it knows of the run itself is under "", and each such entry is shown to own.
func historiesOf(ctx context.Context, j journal.Journal, run string, own func(entry)) (map[string]*history, error) {
	out := map[string]*history{}
	for rec, err := range j.Records(ctx, run, "*") {
		if err != nil {
			return nil, err
		}
		if rec.Address == "" {
			if own == nil {
				continue
			}
			e, err := decodeEntry(rec)
			if err != nil {
				return nil, err
			}
			own(e)
		}
		h := out[rec.Address]
		if h == nil {
			h = newHistory()
			out[rec.Address] = h
		}
		if err := h.read(rec); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func newHistory() *history { return &history{steps: map[string]progress{}} }

// known reports whether an earlier process got anywhere with the reset.
func (h *history) known() bool { return len(h.steps) > 0 || len(h.old) > 0 }

// touched reports whether anything outside was, or may have been, changed. A
// proof only looks.
func (h *history) touched() bool { return h.touchedBut("") }

// begun is touched, or was before a person said otherwise: her word lets a step
// begin again, and is no observation that nothing was changed.
func (h *history) begun() bool {
	if h.touched() {
		return true
	}
	for _, p := range h.steps {
		if p.intended && p.denied {
			return true
		}
	}
	return false
}

// touchedBut is touched, one step apart.
func (h *history) touchedBut(except string) bool {
	for step, p := range h.steps {
		if step != except && p.intended && p.effect() && !strings.HasPrefix(step, string(lifecycle.Prove)+".") {
			return true
		}
	}
	return false
}

// read takes one record in.
func (h *history) read(r journal.Record) error {
	e, err := decodeEntry(r)
	if err != nil {
		return err
	}
	if e.Sequence > 0 {
		step := r.Step
		outcome := string(r.Kind)
		if r.Kind == journal.Ended {
			outcome = string(e.Outcome)
		}
		h.links = append(h.links, evidence.RecordLink{Sequence: e.Sequence, Step: step, Outcome: outcome, Record: e.Evidence})
		h.lastLine = e.Evidence
	}
	for _, p := range e.Probes {
		if !slices.Contains(h.probes, p) {
			h.probes = append(h.probes, p)
		}
	}
	h.halted = r.Kind == journal.Ended && e.Outcome == Halted
	switch {
	case r.Kind == journal.Ended:
		h.ended = &e
	case r.Kind == journal.Note && r.Step == "":
		h.baseline = &e
		h.sealed(&e)
	case r.Step != "":
		before := h.steps[r.Step]
		p := progress{kind: r.Kind, attempt: r.Attempt, entry: e, intended: before.intended || r.Kind == journal.Intend}
		p.denied, p.once = before.denied || p.toldNot(), before.once || before.done()
		h.steps[r.Step] = p
	}
	return nil
}

// sealed takes in which old secrets a process sealed before it changed anything.
func (h *history) sealed(baseline *entry) {
	add := func(name string) {
		if !slices.Contains(h.old, name) {
			h.old = append(h.old, name)
		}
	}
	if baseline.OldKnown {
		add(OldSecret)
	}
	for n := range baseline.Doubted {
		add(doubted(n))
	}
}
