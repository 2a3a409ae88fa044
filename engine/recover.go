package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Recover writes a secret that is sealed in the state into a new file of mode
// 0600: the newest that a run made for the address. With erase the sealed copy is
// forgotten once the file is durable, but for a run that is open: it could not be
// finished without. With old it is the old secret, which a run
// keeps until it is proven dead.
func (e *Engine) Recover(ctx context.Context, address, field, out string, old, erase bool) diag.Diagnostics {
	a, err := addrs.ParseCredential(address)
	if err != nil {
		return diag.Errored(0, "Not an address", "%s.", err)
	}
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return diags
	}
	j, faults := e.state(ctx, w, false)
	if faults.HasErrors() {
		return append(diags, faults...)
	}
	if j == nil {
		return diags.Errorf("Nothing is sealed", "There is no state yet.")
	}
	defer j.Close()
	found, since, err := newestSealed(ctx, j, a.String(), old)
	if err != nil {
		return diags.Errorf("Nothing is sealed", "%s.", err)
	}
	if since != "" {
		diags = diags.Warnf("It was replaced since", "The secret is of run %s, and run %s finished a reset of %s later: it is hardly the one that works.", found.Run, since, a)
	}
	if erase {
		if diags = append(diags, erasable(ctx, j, found)...); diags.HasErrors() {
			return diags
		}
	}
	m, err := unseal(ctx, w, j, found)
	if err != nil {
		return diags.Errorf("The sealed secret cannot be opened", "%s.", err)
	}
	value, err := pick(m, field)
	if err != nil {
		return diags.Errorf("Which field?", "%s.", err)
	}
	if err := atomicfile.Create(ctx, out, 0o600, value.Reveal()); err != nil {
		return diags.Errorf("The secret cannot be written", "%s: %s. The sealed copy is still there.", out, reason(err))
	}
	if erase {
		if err := j.Append(ctx, &journal.Batch{Erase: []journal.Sealed{found}}); err != nil {
			return diags.Errorf("The sealed copy is still there", "%s.", err)
		}
	}
	return diags
}

// erasable refuses to take from an open run what it has sealed: the steps that are
// left would stop for want of it, and no resume could finish them.
func erasable(ctx context.Context, j journal.Journal, s journal.Sealed) diag.Diagnostics {
	run, err := j.Run(ctx, s.Run)
	if err != nil {
		return diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	if run.ClosedAt.IsZero() {
		return diag.Errored(0, "The run still needs it", "Run %s is open, and cannot be finished without this secret. Nothing was written or erased. "+
			"Take it without -erase, or finish the run first: remint resume %[1]s.", s.Run)
	}
	return nil
}

// newestSealed gives what was sealed last, and the run that finished a reset of the
// address since, "" if none did.
func newestSealed(ctx context.Context, j journal.Journal, address string, old bool) (found journal.Sealed, since string, err error) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return found, "", err
	}
	known, err := j.Credential(ctx, address)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return found, "", err
	}
	for _, r := range runs { // newest first
		list, err := j.Secrets(ctx, r.ID)
		if err != nil {
			return found, "", err
		}
		for _, s := range list {
			if s.Address == address && old == (s.Name == executor.OldSecret) {
				return s, since, nil
			}
		}
		if r.ID == known.Run {
			since = r.ID
		}
	}
	if old {
		return found, "", fmt.Errorf("the state holds no old secret of %s: it was never known, or was proven dead", address)
	}
	return found, "", fmt.Errorf("the state holds no secret of %s: it is in its stores, was taken, or was never made", address)
}

func pick(m secret.Material, field string) (secret.Value, error) {
	names := m.Names()
	if field == "" && len(names) == 1 {
		field = names[0]
	}
	if v := m.Field(field); !v.IsZero() {
		return v, nil
	}
	return secret.Value{}, fmt.Errorf("name one with -field: it has %s", strings.Join(names, ", "))
}

// unseal opens one sealed secret in a process that did not seal it.
func unseal(ctx context.Context, w *config.Workspace, j journal.Journal, s journal.Sealed) (secret.Material, error) {
	keys, err := runKeys(ctx, w, j, s.Run)
	if err != nil {
		return secret.Material{}, err
	}
	ciphertext, err := j.Secret(ctx, s.Run, s.Address, s.Name)
	if err != nil {
		return secret.Material{}, err
	}
	return keys.Unseal(s.Address, s.Name, ciphertext)
}
