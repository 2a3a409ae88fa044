package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"filippo.io/age"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/seal"
)

// dataKey is the name under which a run's wrapped data key is kept.
const dataKey = "data key"

// working is an executor with what it has open.
type working struct {
	*executor.Executor
	archive *evidence.Archive
}

func (w *working) close() { _ = w.archive.Close() } // it has nothing to write

// executor makes the executor for a run; an empty run only files evidence.
func (s *session) executor(run string) (*working, diag.Diagnostics) {
	w := s.workspace
	archive, err := openArchive(w)
	if err != nil {
		return nil, diag.Errored(0, "The evidence directory cannot be used", "%s. Nothing was changed.", about(w.Settings.EvidenceDir, err))
	}
	x := &executor.Executor{
		Journal: s.journal, Fleet: s.fleet, Notifiers: w.Notifiers, Policies: s.policies, Signer: s.signer, Archive: archive,
		Events: s.engine.opts.Events, Now: s.engine.opts.Now, Program: "remint " + s.engine.opts.Version, Parallelism: s.engine.opts.Parallelism,
	}
	if wrap := s.engine.opts.WrapArchive; wrap != nil {
		x.Archive = wrap(archive)
	}
	if run != "" {
		x.Seal = &sealer{session: s, run: run}
	}
	return &working{x, archive}, nil
}

// openArchive opens the evidence directory with the ledger's key, which is made
// on first use where `init` did not make it. Beside evidence that was begun with a
// key none is made: a new one could not go on with that ledger.
func openArchive(w *config.Workspace) (*evidence.Archive, error) {
	path := ledgerKeyPath(w)
	key, err := evidence.LoadLedgerKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		begun, berr := evidence.Begun(w.Settings.EvidenceDir.Absolute)
		if berr != nil {
			return nil, berr
		}
		if begun {
			return nil, fmt.Errorf("the evidence there was begun with a ledger key that is not at %s any more: put the key back, "+
				"or name a new directory in the evidence block and keep the old one for auditors", path)
		}
		if err := evidence.GenerateLedgerKey(path); err != nil {
			return nil, err
		}
		key, err = evidence.LoadLedgerKey(path)
	}
	if err != nil {
		return nil, err
	}
	return evidence.OpenArchive(w.Settings.EvidenceDir.Absolute, key)
}

// runKeys opens a run's data key in another process than the one that made it.
func runKeys(ctx context.Context, w *config.Workspace, j journal.Journal, run string) (*seal.Run, error) {
	wrapped, err := j.Secret(ctx, run, "", dataKey)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, fmt.Errorf("the data key of run %s was destroyed", run)
	}
	if err != nil {
		return nil, err
	}
	ids, err := identities(w)
	if err != nil {
		return nil, err
	}
	return seal.OpenRun(run, wrapped, ids)
}

// identities are those that the seal block names, or the workspace's own.
func identities(w *config.Workspace) ([]age.Identity, error) {
	var out []age.Identity
	for _, p := range w.Settings.SealIdentities {
		ids, err := seal.ReadIdentities(p.Absolute)
		if err != nil {
			return nil, fmt.Errorf("seal identity %s: %s", p.Written, reason(err))
		}
		out = append(out, ids...)
	}
	if len(w.Settings.SealRecipients) > 0 {
		return out, nil
	}
	id, err := seal.LocalIdentity(sealKeyPath(w))
	if err != nil {
		return nil, err
	}
	return append(out, id), nil
}

// recipients are those that the seal block names, or the workspace's own key.
func recipients(w *config.Workspace) ([]age.Recipient, error) {
	if len(w.Settings.SealRecipients) > 0 {
		return seal.ParseRecipients(w.Settings.SealRecipients)
	}
	id, err := seal.LocalIdentity(sealKeyPath(w))
	if err != nil {
		return nil, err
	}
	return []age.Recipient{id.Recipient()}, nil
}

func sealKeyPath(w *config.Workspace) string {
	return filepath.Join(filepath.Dir(w.Settings.StatePath.Absolute), "seal.key")
}
