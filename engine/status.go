package engine

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// CredentialStatus is what is known of one credential without asking its target.
type CredentialStatus struct {
	Address     string     `json:"address"`
	Type        string     `json:"credential_type"`
	Owner       string     `json:"owner"`
	Environment string     `json:"environment"`
	MaxAge      string     `json:"max_age,omitempty"`
	LastReset   *time.Time `json:"last_reset,omitempty"`
	// AgeSeconds since the last finished reset; -1 where unknown.
	AgeSeconds int64 `json:"age_seconds"`
	// Due is what max_age says; one that was retired is not due.
	Due        bool   `json:"due"`
	Generation int64  `json:"generation"`
	Proof      string `json:"proof,omitempty"`
	// Mode is that of the last reset: after retire there is none.
	Mode string `json:"mode,omitempty"`
	Run  string `json:"run,omitempty"`
	// Trust says where the judges of Run come from: self-asserted, pinned or base.
	Trust string `json:"trust,omitempty"`
	// OpenRuns are unfinished runs that concern it; Sealed whether its present
	// secret waits in the state to be taken with `recover`.
	OpenRuns []string `json:"open_runs,omitempty"`
	Sealed   bool     `json:"sealed,omitempty"`
	// Replaced are secrets that the state still keeps sealed and that are not the
	// credential's any more.
	Replaced []SealedCopy `json:"replaced,omitempty"`
	// Old are secrets that runs were to kill and ended without it, kept sealed since
	// they may be the ones that work.
	Old []SealedCopy `json:"old,omitempty"`
	// Questions wait for a person's answer, or for the resume that goes on by it.
	Questions []OpenQuestion `json:"questions,omitempty"`
}

// OpenQuestion is what a person is asked, and what was answered already.
type OpenQuestion struct {
	*event.Told
	// Answers are those that the next resume goes on by.
	Answers []GivenAnswer `json:"answers,omitempty"`

	record string
}

// GivenAnswer is an answer as it stands in the state, not verified.
type GivenAnswer struct {
	By     string    `json:"by"`
	Answer string    `json:"answer"`
	At     time.Time `json:"at"`
}

// RunStatus is one run.
type RunStatus struct {
	ID       string     `json:"run"`
	Operator string     `json:"operator"`
	OpenedAt time.Time  `json:"opened_at"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
	// Outcome is "open" while it is not closed.
	Outcome string `json:"outcome"`
	// Trust says where its judges come from: self-asserted, pinned or base.
	Trust string `json:"trust"`
	// Steps stand in the answer about a single run.
	Resets []RunReset `json:"resets,omitempty"`
}

// RunReset is one reset of a run.
type RunReset struct {
	Address string    `json:"address"`
	Outcome string    `json:"outcome"`
	Steps   []RunStep `json:"steps"`
	// Question is what it waits for.
	Question *OpenQuestion `json:"question,omitempty"`
	// Sealed is whether the state has its new secret sealed, and SealedOld whether it has
	// the old one of a run that is closed.
	Sealed    bool `json:"sealed,omitempty"`
	SealedOld bool `json:"sealed_old,omitempty"`
	// AssertedBy is who gave it up.
	AssertedBy string `json:"asserted_by,omitempty"`
}

// RunStep is how far one step got.
type RunStep struct {
	Step    string    `json:"step"`
	Outcome string    `json:"outcome"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Error   string    `json:"error,omitempty"`
	// Answer and AssertedBy are a person's word, where the outcome is asserted.
	Answer     string `json:"answer,omitempty"`
	AssertedBy string `json:"asserted_by,omitempty"`
}

// Status tells of every credential how old it is, when and how it was last
// reset, and what is unfinished. It starts no provider.
func (e *Engine) Status(ctx context.Context) ([]CredentialStatus, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	j, faults := e.state(ctx, w, false)
	if faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	open, sealed := map[string][]string{}, map[string][]SealedCopy{}
	questions := map[string][]OpenQuestion{}
	if j != nil {
		defer j.Close()
		if faults := concerns(ctx, j, open); faults.HasErrors() {
			return nil, append(diags, faults...)
		}
		var err error
		if sealed, err = sealedCopies(ctx, j); err != nil {
			return nil, diags.Errorf("The state cannot be read", "%s.", err)
		}
		if questions, faults = openQuestions(ctx, j, open); faults.HasErrors() {
			return nil, append(diags, faults...)
		}
	}
	state, faults := known(ctx, j)
	diags = append(diags, faults...)
	trusted := map[string]string{} // by run
	for _, k := range state {
		if _, asked := trusted[k.Run]; asked {
			continue
		}
		var err error
		if trusted[k.Run], err = trustOfRun(ctx, j, k.Run); err != nil {
			return nil, diags.Errorf("The state cannot be read", "%s.", err)
		}
	}
	diags = append(diags, e.findOwed(ctx, w, j)...)
	now := e.opts.Now()
	out := make([]CredentialStatus, 0, len(w.Credentials))
	for _, c := range w.Credentials {
		address := c.Addr.String()
		s := CredentialStatus{Address: address, Type: c.Type.Name, Owner: c.Owner, Environment: c.Environment, AgeSeconds: -1,
			OpenRuns: open[address], Questions: questions[address], Due: c.MaxAge > 0}
		for _, copy := range sealed[address] {
			switch {
			case copy.Replaced != "":
				s.Replaced = append(s.Replaced, copy)
			case !copy.old:
				s.Sealed = true
			case copy.Outcome != "open": // an open run needs it
				s.Old = append(s.Old, copy)
			}
		}
		if c.MaxAge > 0 {
			s.MaxAge = c.MaxAge.String()
		}
		if k, ok := state[address]; ok {
			at := k.At.UTC()
			age := now.Sub(k.At)
			s.LastReset, s.AgeSeconds, s.Generation = &at, int64(age.Seconds()), k.Generation
			s.Proof, s.Mode, s.Run = k.Proof, k.Mode, k.Run
			s.Due = c.MaxAge > 0 && age >= c.MaxAge && k.Mode != string(lifecycle.Retire)
			s.Trust = trusted[k.Run]
		}
		out = append(out, s)
	}
	return out, diags
}

// concerns finds the open runs of each address.
func concerns(ctx context.Context, j journal.Journal, open map[string][]string) diag.Diagnostics {
	runs, err := j.Runs(ctx)
	if err != nil {
		return diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for _, r := range runs {
		if !r.ClosedAt.IsZero() {
			continue
		}
		full, err := j.Run(ctx, r.ID)
		if err != nil {
			return diag.Errored(0, "The state cannot be read", "%s.", err)
		}
		if f, err := plan.Read(bytes.NewReader(full.Plan)); err == nil {
			for _, x := range f.Plan.Resets {
				open[x.Address] = append(open[x.Address], r.ID)
			}
		}
	}
	return nil
}

// openQuestions finds what the open runs ask, by address.
func openQuestions(ctx context.Context, j journal.Journal, open map[string][]string) (map[string][]OpenQuestion, diag.Diagnostics) {
	out, runs := map[string][]OpenQuestion{}, map[string]bool{}
	for _, ids := range open {
		for _, id := range ids {
			runs[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(runs)) {
		asked, _, err := executor.Questions(ctx, j, id)
		if err == nil {
			var given map[string][]GivenAnswer
			if given, err = givenAnswers(ctx, j, id); err == nil {
				for address, q := range asked {
					out[address] = append(out[address], OpenQuestion{q.Told(), given[q.Record], q.Record})
				}
			}
		}
		if err != nil {
			return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
		}
	}
	return out, nil
}

// givenAnswers are the answers to questions of a run, by the record that asked.
func givenAnswers(ctx context.Context, j journal.Journal, run string) (map[string][]GivenAnswer, error) {
	documents, err := executor.Resolutions(ctx, j, run)
	out := map[string][]GivenAnswer{}
	for _, d := range documents {
		if r, err := evidence.ParseResolution(d.Content); err == nil {
			list := slices.DeleteFunc(out[r.Record], func(g GivenAnswer) bool { return g.By == r.Approver })
			out[r.Record] = append(list, GivenAnswer{r.Approver, r.Answer, r.CreatedAt})
		}
	}
	return out, err
}

// Runs lists runs, newest first; with an id, that run and its steps.
func (e *Engine) Runs(ctx context.Context, id string) ([]RunStatus, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	j, faults := e.state(ctx, w, false)
	if faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	diags = append(diags, e.findOwed(ctx, w, j)...)
	if j == nil {
		return nil, append(diags, noSuchRun(id)...)
	}
	defer j.Close()
	if id != "" {
		return oneRun(ctx, j, id)
	}
	runs, err := j.Runs(ctx)
	if err != nil {
		return nil, diags.Errorf("The state cannot be read", "%s.", err)
	}
	out := make([]RunStatus, len(runs))
	for i, r := range runs {
		out[i] = runStatus(r)
		if out[i].Trust, err = trustOfRun(ctx, j, r.ID); err != nil {
			return nil, diags.Errorf("The state cannot be read", "%s.", err)
		}
	}
	return out, diags
}

// trustOfRun says where the judges of a run come from: as the record that opened it
// says, or its plan where that record is not there yet.
func trustOfRun(ctx context.Context, j journal.Journal, id string) (string, error) {
	word, err := executor.Judges(ctx, j, id)
	if err != nil || word != "" {
		return word, err
	}
	r, err := j.Run(ctx, id)
	if errors.Is(err, journal.ErrNotFound) { // the state forgot it
		return "", nil
	}
	if err != nil {
		return "", err
	}
	f, err := plan.Read(bytes.NewReader(r.Plan))
	if err != nil {
		return "", nil // that it is damaged is told where the run is looked at
	}
	return f.Plan.Trust, nil
}

func runStatus(r journal.Run) RunStatus {
	s := RunStatus{ID: r.ID, Operator: r.Operator, OpenedAt: r.OpenedAt, Outcome: "open"}
	if !r.ClosedAt.IsZero() {
		at := r.ClosedAt
		s.ClosedAt, s.Outcome = &at, r.Outcome
	}
	return s
}

func oneRun(ctx context.Context, j journal.Journal, id string) ([]RunStatus, diag.Diagnostics) {
	r, err := j.Run(ctx, id)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, noSuchRun(id)
	}
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	s := runStatus(r)
	f, err := plan.Read(bytes.NewReader(r.Plan))
	if err != nil {
		return nil, diag.Errored(0, "The run's plan in the state is damaged", "%s.", err)
	}
	s.Trust = f.Plan.Trust
	index := map[string]int{}
	for _, x := range f.Plan.Resets {
		index[x.Address] = len(s.Resets)
		s.Resets = append(s.Resets, RunReset{Address: x.Address, Outcome: "not_started", Steps: []RunStep{}})
	}
	secrets, err := j.Secrets(ctx, id)
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for _, c := range secrets {
		switch i, ok := index[c.Address]; {
		case !ok:
		case executor.IsOld(c.Name):
			s.Resets[i].SealedOld = s.ClosedAt != nil // an open run needs it
		default:
			s.Resets[i].Sealed = true
		}
	}
	given, err := givenAnswers(ctx, j, id)
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for rec, err := range j.Records(ctx, id, "*") {
		if err != nil {
			return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
		}
		if i, ok := index[rec.Address]; ok {
			s.Resets[i].read(rec)
		}
	}
	for i := range s.Resets {
		if q := s.Resets[i].Question; q != nil {
			q.Answers = given[q.record]
		}
	}
	return []RunStatus{s}, nil
}

// read takes one journal record into the picture.
func (r *RunReset) read(rec journal.Record) {
	b := executor.Summary(rec)
	r.Question = nil
	if rec.Kind == journal.Ended {
		r.Outcome, r.AssertedBy = b.Outcome, b.By
		if b.Question != nil {
			r.Question = &OpenQuestion{Told: b.Question.Told(), record: b.Record}
		}
		return
	}
	if rec.Step == "" {
		return
	}
	if r.Outcome == "not_started" {
		r.Outcome = "begun"
	}
	step := RunStep{Step: rec.Step, Outcome: b.Outcome, Attempt: rec.Attempt, At: rec.At, Error: b.Why, Answer: b.Answer, AssertedBy: b.By}
	for i := range r.Steps {
		if r.Steps[i].Step == rec.Step {
			r.Steps[i] = step
			return
		}
	}
	r.Steps = append(r.Steps, step)
}
