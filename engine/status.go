package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
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
	AgeSeconds int64  `json:"age_seconds"`
	Due        bool   `json:"due"`
	Generation int64  `json:"generation"`
	Proof      string `json:"proof,omitempty"`
	Mode       string `json:"mode,omitempty"`
	Run        string `json:"run,omitempty"`
	// OpenRuns are unfinished runs that concern it; Sealed whether its present
	// secret waits in the state to be taken with `recover`.
	OpenRuns []string `json:"open_runs,omitempty"`
	Sealed   bool     `json:"sealed,omitempty"`
}

// RunStatus is one run.
type RunStatus struct {
	ID       string     `json:"run"`
	Operator string     `json:"operator"`
	OpenedAt time.Time  `json:"opened_at"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
	// Outcome is "open" while it is not closed.
	Outcome string `json:"outcome"`
	// Steps stand in the answer about a single run.
	Resets []RunReset `json:"resets,omitempty"`
}

// RunReset is one reset of a run.
type RunReset struct {
	Address string    `json:"address"`
	Outcome string    `json:"outcome"`
	Steps   []RunStep `json:"steps"`
}

// RunStep is how far one step got.
type RunStep struct {
	Step    string    `json:"step"`
	Outcome string    `json:"outcome"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Error   string    `json:"error,omitempty"`
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
	open, sealed := map[string][]string{}, map[string]bool{}
	if j != nil {
		defer j.Close()
		if faults := concerns(ctx, j, open, sealed); faults.HasErrors() {
			return nil, append(diags, faults...)
		}
	}
	state, faults := known(ctx, j)
	diags = append(diags, faults...)
	now := e.opts.Now()
	out := make([]CredentialStatus, 0, len(w.Credentials))
	for _, c := range w.Credentials {
		address := c.Addr.String()
		s := CredentialStatus{Address: address, Type: c.Type.Name, Owner: c.Owner, Environment: c.Environment, AgeSeconds: -1,
			OpenRuns: open[address], Sealed: sealed[address], Due: c.MaxAge > 0}
		if c.MaxAge > 0 {
			s.MaxAge = c.MaxAge.String()
		}
		if k, ok := state[address]; ok {
			at := k.At.UTC()
			age := now.Sub(k.At)
			s.LastReset, s.AgeSeconds, s.Generation = &at, int64(age.Seconds()), k.Generation
			s.Proof, s.Mode, s.Run, s.Due = k.Proof, k.Mode, k.Run, c.MaxAge > 0 && age >= c.MaxAge
		}
		out = append(out, s)
	}
	return out, diags
}

// concerns finds the open runs and the sealed secrets of each address.
func concerns(ctx context.Context, j journal.Journal, open map[string][]string, sealed map[string]bool) diag.Diagnostics {
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
	secrets, err := j.Secrets(ctx, "")
	if err != nil {
		return diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for _, s := range secrets {
		if s.Address != "" && s.Name != "old" {
			sealed[s.Address] = true
		}
	}
	return nil
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
	}
	return out, diags
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
	index := map[string]int{}
	for _, x := range f.Plan.Resets {
		index[x.Address] = len(s.Resets)
		s.Resets = append(s.Resets, RunReset{Address: x.Address, Outcome: "not_started", Steps: []RunStep{}})
	}
	for rec, err := range j.Records(ctx, id, "*") {
		if err != nil {
			return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
		}
		if i, ok := index[rec.Address]; ok {
			s.Resets[i].read(rec)
		}
	}
	return []RunStatus{s}, nil
}

// read takes one journal record into the picture.
func (r *RunReset) read(rec journal.Record) {
	outcome, why := executor.Summary(rec)
	if rec.Kind == journal.Ended {
		r.Outcome = outcome
		return
	}
	if rec.Step == "" {
		return
	}
	if r.Outcome == "not_started" {
		r.Outcome = "begun"
	}
	step := RunStep{Step: rec.Step, Outcome: outcome, Attempt: rec.Attempt, At: rec.At, Error: why}
	for i := range r.Steps {
		if r.Steps[i].Step == rec.Step {
			r.Steps[i] = step
			return
		}
	}
	r.Steps = append(r.Steps, step)
}
