package engine

import (
	"context"
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
// forgotten once the file is durable. With old it is the old secret, which a run
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
	found, err := newestSealed(ctx, j, a.String(), old)
	if err != nil {
		return diags.Errorf("Nothing is sealed", "%s.", err)
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

func newestSealed(ctx context.Context, j journal.Journal, address string, old bool) (journal.Sealed, error) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return journal.Sealed{}, err
	}
	for _, r := range runs {
		list, err := j.Secrets(ctx, r.ID)
		if err != nil {
			return journal.Sealed{}, err
		}
		for _, s := range list {
			if s.Address == address && old == (s.Name == executor.OldSecret) {
				return s, nil
			}
		}
	}
	if old {
		return journal.Sealed{}, fmt.Errorf("the state holds no old secret of %s: it was never known, or was proven dead", address)
	}
	return journal.Sealed{}, fmt.Errorf("the state holds no secret of %s: it is in its stores, was taken, or was never made", address)
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
