package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// RecoverRequest says which sealed secret is to be taken out of the state.
type RecoverRequest struct {
	// Address may be left out where Run has one secret only.
	Address string
	// Run is a run's id, or the beginning of one alone; "" for the one whose secret may work.
	Run string
	// Field is needed where the secret has several.
	Field string
	// Out is a new file, of mode 0600. It may be left out to erase what was replaced.
	Out string
	// Old is for the old secret, which a run keeps until it is proven dead.
	Old bool
	// Erase forgets the sealed copy once the file is durable.
	Erase bool
}

// Recover takes a secret that is sealed in the state: the one that a run made for the
// address and that may be the one that works. What an open run has sealed is not
// erased: it could not be finished without. It gives the address that it was about.
func (e *Engine) Recover(ctx context.Context, r RecoverRequest) (string, diag.Diagnostics) {
	if r.Address != "" {
		a, err := addrs.ParseCredential(r.Address)
		if err != nil {
			return "", diag.Errored(0, "Not an address", "%s.", err)
		}
		r.Address = a.String()
	}
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return "", diags
	}
	j, faults := e.state(ctx, w, false)
	if faults.HasErrors() {
		return "", append(diags, faults...)
	}
	if j == nil {
		return "", diags.Errorf("Nothing is sealed", "There is no state yet.")
	}
	defer j.Close()
	found, faults := r.find(ctx, j)
	if diags = append(diags, faults...); diags.HasErrors() {
		return "", diags
	}
	address := found.sealed.Address
	if found.Replaced != "" && r.Out != "" {
		diags = diags.Warnf("It was replaced since", "The secret is of run %s, and %s: it is hardly the one that works for %s.", found.Run, found.Replaced, address)
	}
	if r.Erase {
		if diags = append(diags, r.erasable(found)...); diags.HasErrors() {
			return "", diags
		}
	}
	if r.Out != "" {
		if faults := r.write(ctx, w, j, found.sealed); faults.HasErrors() {
			return "", append(diags, faults...)
		}
	}
	if r.Erase {
		if err := forget(ctx, j, found.sealed); err != nil {
			return "", diags.Errorf("The sealed copy is still there", "%s.", err)
		}
	}
	return address, diags
}

// write opens what is sealed and writes it into the file.
func (r *RecoverRequest) write(ctx context.Context, w *config.Workspace, j journal.Journal, s journal.Sealed) diag.Diagnostics {
	m, err := unseal(ctx, w, j, s)
	if err != nil {
		return diag.Errored(0, "The sealed secret cannot be opened", "%s.", err)
	}
	value, err := pick(m, r.Field)
	if err != nil {
		return diag.Errored(0, "Which field?", "%s.", err)
	}
	if err := atomicfile.Create(ctx, r.Out, 0o600, value.Reveal()); err != nil {
		return diag.Errored(0, "The secret cannot be written", "%s: %s. The sealed copy is still there.", r.Out, reason(err))
	}
	return nil
}

// find gives the copy that is meant.
func (r *RecoverRequest) find(ctx context.Context, j journal.Journal) (found SealedCopy, diags diag.Diagnostics) {
	unread := func(err error) (SealedCopy, diag.Diagnostics) {
		return SealedCopy{}, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	all, err := sealedCopies(ctx, j)
	if err != nil {
		return unread(err)
	}
	only(all, func(c SealedCopy) bool { return c.old == r.Old })
	if r.Run != "" {
		var faults diag.Diagnostics
		if r.Run, faults = runOf(ctx, j, r.Run); faults.HasErrors() {
			return found, faults
		}
		only(all, func(c SealedCopy) bool { return c.Run == r.Run })
		if r.Address == "" {
			switch addresses := slices.Sorted(maps.Keys(all)); len(addresses) {
			case 0:
				return found, diag.Errored(0, "Nothing is sealed", "The state holds no such secret of run %s: it is in its stores, was taken, or was never made.", r.Run)
			case 1:
				r.Address = addresses[0]
			default:
				return found, diag.Errored(0, "Which credential?", "Run %s has sealed secrets of %d credentials; name one: %s.", r.Run, len(addresses), some(addresses))
			}
		}
	}
	if copies := all[r.Address]; len(copies) > 0 {
		return theOne(copies, r.Address, r.Erase)
	}
	of := ""
	if r.Run != "" {
		of = " for run " + r.Run
	}
	if r.Old {
		return found, diag.Errored(0, "Nothing is sealed", "The state holds no old secret of %s%s: it was never known, or was proven dead.", r.Address, of)
	}
	return found, diag.Errored(0, "Nothing is sealed", "The state holds no secret of %s%s: it is in its stores, was taken, or was never made.", r.Address, of)
}

// only keeps the copies that are wanted.
func only(all map[string][]SealedCopy, wanted func(SealedCopy) bool) {
	for address, copies := range all {
		copies = slices.DeleteFunc(copies, func(c SealedCopy) bool { return !wanted(c) })
		if all[address] = copies; len(copies) == 0 {
			delete(all, address)
		}
	}
}

// runOf finds the one run whose id is, or begins with, prefix.
func runOf(ctx context.Context, j journal.Journal, prefix string) (string, diag.Diagnostics) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return "", diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	var found []string
	for _, r := range runs {
		if r.ID == prefix {
			return r.ID, nil
		}
		if strings.HasPrefix(r.ID, prefix) {
			found = append(found, r.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", noSuchRun(prefix)
	case 1:
		return found[0], nil
	}
	return "", diag.Errored(0, "Which run?", "More than one run begins with %s: %s.", addrs.Quote(prefix), some(found))
}

// erasable refuses to take from an open run what it has sealed: the steps that are
// left would stop for want of it, and no resume could finish them. And it refuses to
// forget, unseen, what may be the only copy of a secret that works.
func (r *RecoverRequest) erasable(c SealedCopy) diag.Diagnostics {
	switch {
	case c.Outcome == "open":
		return diag.Errored(0, "The run still needs it", "Run %s is open, and cannot be finished without this secret. Nothing was written or erased. "+
			"Take it without -erase, or finish the run first: remint resume %[1]s.", c.Run)
	case r.Out == "" && c.Replaced == "" && r.Old:
		return diag.Errored(0, "It may be the one that works", "Nothing shows that the old secret of run %s is dead, and the state may have the only copy. Nothing was erased. Take it with -out=FILE.", c.Run)
	case r.Out == "" && c.Replaced == "":
		return diag.Errored(0, "It may be the one that works", "Nothing tells that the secret of run %s was replaced, and the state may have the only copy. Nothing was erased. Take it with -out=FILE.", c.Run)
	}
	return nil
}

// forget erases one secret; with the last one of its run the run's data key, so that
// what may be left of a ciphertext somewhere opens with nothing.
func forget(ctx context.Context, j journal.Journal, s journal.Sealed) error {
	all, err := j.Secrets(ctx, s.Run)
	if err != nil {
		return err
	}
	gone := []journal.Sealed{s}
	for _, other := range all {
		if other.Address == s.Address && other.Name == s.Name {
			continue
		}
		if other.Address != "" {
			return j.Append(ctx, &journal.Batch{Erase: []journal.Sealed{s}})
		}
		gone = append(gone, other)
	}
	return j.Append(ctx, &journal.Batch{Erase: gone})
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
