package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// session is a loaded workspace with everything open that a command needs.
type session struct {
	engine    *Engine
	workspace *config.Workspace
	policies  *policy.Set
	sources   []policy.Source
	journal   journal.Journal // nil when there is no state yet and none was to be made
	fleet     *fleet.Fleet    // nil offline
	signer    *evidence.Signer
	known     planner.Known
}

// need says what a session must have.
type need struct {
	// offline starts no provider and needs no variables.
	offline bool
	// state makes the state if it is not there.
	state bool
	// signer requires the evidence key; otherwise it is used if it is there.
	signer bool
}

// open loads the workspace and opens what is needed.
func (e *Engine) open(ctx context.Context, n need) (*session, diag.Diagnostics) {
	w, diags := e.Load(n.offline)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	s := &session{engine: e, workspace: w}
	sources, faults := e.PolicySources(w)
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return nil, diags
	}
	s.sources = sources
	s.policies, faults = policy.Compile(ctx, sources)
	diags = append(diags, faults...)
	if diags.HasErrors() {
		s.close()
		return nil, diags
	}
	if !n.offline {
		s.fleet = fleet.New(e.opts.Registry)
		s.journal, faults = e.state(ctx, w, n.state)
		diags = append(diags, faults...)
	}
	if !diags.HasErrors() {
		s.known, faults = known(ctx, s.journal)
		diags = append(diags, faults...)
	}
	signer, err := evidence.LoadSigner(w.Settings.SignerKey.Absolute)
	switch {
	case err == nil:
		s.signer = signer
	case n.signer && errors.Is(err, fs.ErrNotExist):
		diags = diags.Errorf("The evidence key is missing", "There is no %s. `remint init -bare` makes one; a reset without evidence is not begun.", w.Settings.SignerKey.Written)
	case n.signer:
		diags = diags.Errorf("The evidence key cannot be used", "%s: %s. A reset without evidence is not begun.", w.Settings.SignerKey.Written, reason(err))
	}
	if diags.HasErrors() {
		s.close()
		return nil, diags
	}
	if n.signer {
		diags = append(diags, exposed(w.Settings.SignerKey.Absolute, w.Settings.SignerKey.Written)...)
		diags = append(diags, exposed(ledgerKeyPath(w), "the ledger's key, ledger.key beside it,")...)
	}
	return s, diags
}

// exposed warns of a private key that others can read or replace. It is no fault:
// where keys are mounted for one process alone, their modes mean nothing.
func exposed(path, name string) diag.Diagnostics {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return diag.Diagnostics{}.Warnf("Others can read a key", "%s has mode %04o: whoever reads it can sign in its name. `chmod 600` it.", name, info.Mode().Perm())
}

// close lets go of policies, providers and state.
func (s *session) close() {
	s.policies.Close()
	var errs []error
	if s.fleet != nil {
		errs = append(errs, s.fleet.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	_ = errors.Join(errs...) // nothing is written on closing: Append was durable
}

func (s *session) planner() *planner.Planner {
	p := &planner.Planner{
		Workspace: s.workspace, Fleet: s.fleet, Policies: s.policies, Known: s.known,
		Events: s.engine.opts.Events, Now: s.engine.opts.Now, Parallelism: s.engine.opts.Parallelism,
	}
	if s.signer != nil {
		p.SignerID = s.signer.KeyID()
	}
	return p
}
