package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/seal"
	"github.com/remint-dev/remint/internal/agekeys"
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
	if err != nil && run == "" {
		return nil, diag.Errored(diag.ExitUnfinished, "Evidence is not filed yet", "%s. Mend this, then `remint resume`.", about(w.Settings.EvidenceDir, err))
	}
	if err != nil {
		return nil, diag.Errored(0, "The evidence directory cannot be used", "%s. Nothing was changed by this attempt.", about(w.Settings.EvidenceDir, err))
	}
	archive.Tell(func(message string) {
		s.engine.opts.Events.Emit(event.Event{Type: event.Diagnostic, Level: event.Warn, Message: message, Run: run, Timestamp: s.engine.opts.Now()})
	})
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
	// None is made here: a new key opens nothing.
	own, err := seal.ReadIdentities(sealKeyPath(w))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return append(out, own...), nil
}

// opensSeal gives why what a run has sealed, if anything, cannot be opened on this
// machine: nil where it can.
func (s *session) opensSeal(ctx context.Context, run string) (shut, err error) {
	switch _, err := s.journal.Secret(ctx, run, "", dataKey); {
	case errors.Is(err, journal.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	_, shut = runKeys(ctx, s.workspace, s.journal, run)
	return shut, nil
}

// shutSeal says what that keeps from being done, and what helps. It is no reason to
// leave a run alone: what was lost for good opens nowhere, and a run must end all the same.
func (s *session) shutSeal(ctx context.Context, run string, shut error) diag.Diagnostics {
	why := shut.Error() + "."
	if errors.Is(shut, seal.ErrNoIdentity) {
		host, recipients := "another machine", "a key of that machine"
		for rec, err := range s.journal.Records(ctx, run, "") {
			var note sealedNote
			if err == nil && json.Unmarshal(rec.Data, &note) == nil && note.Facts.Event == sealedEvent {
				host, recipients = note.Facts.Host, note.Facts.Recipients
			}
		}
		why = fmt.Sprintf("They were sealed on %s to %s, and no identity on this machine opens them. Resume it where one is, or bring the file of one here "+
			"and name it: seal { recipients = [...], identities = [\"FILE\"] }.", host, recipients)
	}
	var diags diag.Diagnostics
	return diags.Warnf("The secrets of run "+run+" cannot be opened", "%s What needs them stops here, and no reset is begun. "+
		"If nothing opens them any more, give up what stopped: `remint resolve %s ADDRESS -as=not-done -key=FILE`, then resume.", why, run)
}

// sealedNote is the record of the run that says who can open what it seals.
type sealedNote struct {
	Facts struct {
		Event      string `json:"event"`
		Host       string `json:"host"`
		Recipients string `json:"recipients"`
	} `json:"facts"`
}

const sealedEvent = "sealed"

// noteSeal is that record.
func noteSeal(w *config.Workspace, run string, to []age.Recipient, at time.Time) journal.Record {
	var n sealedNote
	n.Facts.Event = sealedEvent
	n.Facts.Host, _ = os.Hostname()
	names := slices.Clone(w.Settings.SealRecipients)
	for _, r := range to {
		if own, ok := r.(*age.X25519Recipient); ok && len(w.Settings.SealRecipients) == 0 {
			names = append(names, own.String()+" (its "+filepath.Base(sealKeyPath(w))+")")
		}
	}
	n.Facts.Recipients = strings.Join(names, ", ")
	data, err := json.Marshal(n)
	if err != nil {
		panic("a note is not JSON") // it has only plain members
	}
	return journal.Record{Run: run, Kind: journal.Note, At: at, Data: data}
}

// recipients are those that the seal block names, or the workspace's own key.
func recipients(w *config.Workspace) ([]age.Recipient, error) {
	if len(w.Settings.SealRecipients) > 0 {
		to, err := agekeys.Recipients(w.Settings.SealRecipients)
		if err != nil {
			return nil, fmt.Errorf("recipients %w", err)
		}
		return to, nil
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
