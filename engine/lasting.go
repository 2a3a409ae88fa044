package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// older refuses a state that the evidence is ahead of: a copy from before, which
// would do again what was done, with what is no longer true. Where the state is
// said not to last, an empty one is what is to be expected.
func (s *session) older(ctx context.Context, ephemeral bool) diag.Diagnostics {
	dir := s.workspace.Settings.EvidenceDir
	last, err := evidence.LastRecord(dir.Absolute)
	if err != nil {
		return nil // damage is told when the ledger is opened
	}
	if last == "" {
		return s.ledgerGone(ctx)
	}
	known, err := s.journal.HasBundle(ctx, last)
	if err == nil && !known && ephemeral {
		runs, rerr := s.journal.Runs(ctx)
		known, err = len(runs) == 0, rerr
	}
	switch {
	case err != nil:
		return diag.Errored(0, "The state cannot be read", "%s.", err)
	case known:
		return nil
	}
	return diag.Errored(diag.ExitError, "The state is older than the evidence",
		"The ledger in %s ends with the record %s, of which the state knows nothing: it is an old copy, or another state. Nothing was changed. "+
			"Put the newest copy of the state back. If that is lost for good, name a new directory in the evidence block, and keep the old one for auditors.", dir.Written, last)
}

// ledgerGone refuses to begin a second ledger beside evidence that a first one had:
// no record of before would be in it, and its heads would contradict those that
// others have kept. What a kill left before the first ledger was begun still waits
// in the state.
func (s *session) ledgerGone(ctx context.Context) diag.Diagnostics {
	dir := s.workspace.Settings.EvidenceDir
	if begun, err := evidence.Begun(dir.Absolute); err == nil && !begun {
		return s.evidenceGone(ctx)
	}
	runs, err := evidence.Runs(dir.Absolute)
	if err != nil {
		return nil // it cannot be used, which is told when it is opened
	}
	for _, part := range []string{"checkpoint", ".state/treeState"} {
		if _, err := os.Lstat(filepath.Join(dir.Absolute, "ledger", filepath.FromSlash(part))); !errors.Is(err, fs.ErrNotExist) {
			return nil // it is there, at least in part: what is wrong with it is told when it is opened
		}
	}
	for _, run := range runs {
		waits := false
		for _, err := range s.journal.Unfiled(ctx, run) {
			if err != nil {
				return diag.Errored(0, "The state cannot be read", "%s.", err)
			}
			waits = true
			break
		}
		if !waits {
			return diag.Errored(diag.ExitError, "The ledger is gone",
				"%s has evidence of run %s, and no ledger that it is in. Nothing was changed. Put the ledger back. "+
					"If that is lost for good, name a new directory in the evidence block, and keep the old one for auditors.", dir.Written, run)
		}
	}
	return nil
}

// evidenceGone warns of runs that the state knows and of which there is no evidence
// where it is looked for. It is no fault: whoever names a new directory wants that.
func (s *session) evidenceGone(ctx context.Context) diag.Diagnostics {
	known, err := s.journal.Runs(ctx)
	if err != nil {
		return diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for _, run := range known {
		if !run.ClosedAt.IsZero() {
			return diag.Diagnostics{}.Warnf("Earlier evidence is not here",
				"The state knows run %s, and %s has no evidence of it or of any other: a new ledger begins. If you named no new directory, stop, and put the evidence back.", run.ID, s.workspace.Settings.EvidenceDir.Written)
		}
	}
	return nil
}

// ephemeral reports whether the state was accepted as one that begins anew with each
// job: now, and where it knows of resets already, when the first of them was opened.
// An old copy of one that is meant to last is none, whatever is said now.
func (a *Application) ephemeral(ctx context.Context) (bool, error) {
	s := a.session
	if !a.req.AcceptEphemeralState || s.workspace.Settings.SharedState != nil {
		return false, nil
	}
	runs, err := s.journal.Runs(ctx)
	for i := len(runs) - 1; err == nil && i >= 0; i-- { // oldest first
		if !executor.OfResets(runs[i]) {
			continue
		}
		run, err := s.journal.Run(ctx, runs[i].ID)
		if err != nil {
			return false, err
		}
		m, err := decodeMeta(run.Meta)
		return m.Facts[ephemeralFact] == accepted, err
	}
	return true, err
}

// ephemeralFact is accepted where the state may go when the job ends.
const (
	ephemeralFact = "ephemeral_state"
	accepted      = "accepted"
)

// lasting refuses to reset in place with a state that goes when a CI job ends: a
// secret that was set and not yet stored would go with it.
func (a *Application) lasting() diag.Diagnostics {
	if !a.req.CI || a.session.workspace.Settings.SharedState != nil {
		return nil
	}
	for _, r := range a.planned.Resets {
		if r.Credential.Type.Kind == lifecycle.InPlace && !a.req.AcceptEphemeralState {
			return diag.Errored(diag.ExitError, "The state may not outlive this job",
				"CI is set, the state is a file (%s), and %s is reset in place: if this machine's disk is thrown away in the middle of the run, nobody knows what is half done, "+
					"and a secret that is in no store yet is lost. Keep the state in PostgreSQL (state \"postgresql\" { url = … }), "+
					"or accept with -accept-ephemeral-state that it may go with the job: what is half done, and what stays sealed, is then for this job to finish and to take out. Nothing was changed.", a.session.workspace.Settings.StatePath.Written, r.Plan.Address)
		}
	}
	return diag.Diagnostics{}.Warnf("The state is a local file", "CI is set: if this machine's disk is thrown away in the middle of a run, the run cannot be finished.")
}

// circumstances are facts about the state that evidence keeps.
func (a *Application) circumstances() {
	facts := map[string]string{}
	for k, v := range a.req.Facts {
		facts[k] = v
	}
	facts["state"] = "local"
	if a.session.workspace.Settings.SharedState != nil {
		facts["state"] = "postgresql"
	} else if a.req.AcceptEphemeralState {
		facts[ephemeralFact] = accepted
	}
	a.req.Facts = facts
}
