package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/trust"
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
	// base is where the judges come from, nil where the workspace judges itself;
	// trust is who they are, and trustDigest their digest.
	base        *trustBase
	trust       *trust.Base
	trustDigest string
	// unread is why the policies of today are not asked, nil where they are; unpinned is
	// set where the judges were not held against the pin for that.
	unread   diag.Diagnostics
	unpinned bool
	// unopened is why the state could not be opened, for who only looks.
	unopened diag.Diagnostics
}

// need says what a session must have.
type need struct {
	// offline starts no provider and needs no variables.
	offline bool
	// state makes the state if it is not there.
	state bool
	// signer requires the evidence key; otherwise it is used if it is there.
	signer bool
	// judges is for questions about who judges: the state if there is one, no
	// provider, and no variable that need not be known.
	judges bool
	// anyway takes policies that cannot be read for policies that deny.
	anyway bool
	// gates: where the state holds people's decisions, one that cannot be opened is
	// decisions that cannot be read.
	gates bool
	// look only: nothing is decided, so no decision is logged, and a state that cannot
	// be opened is told in session.unopened.
	look bool
	// unlogged asks the policies what counts for nothing: no decision is logged.
	unlogged bool
}

// open loads the workspace and opens what is needed.
func (e *Engine) open(ctx context.Context, n need) (*session, diag.Diagnostics) {
	w, base, unread, diags := e.loadAnyway(n.offline || n.judges)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	s := &session{engine: e, workspace: w, base: base}
	faults := unread
	if !faults.HasErrors() {
		faults = append(faults, s.readPolicies(ctx, n)...)
	}
	if faults.HasErrors() && n.anyway && ctx.Err() == nil {
		s.withoutPolicies(faults)
		s.unpinned = base == nil || base.unread.HasErrors()
	} else {
		diags = append(diags, s.refused(ctx, n, faults)...)
	}
	if diags.HasErrors() {
		s.close()
		return nil, diags
	}
	if !n.offline && !n.judges {
		go s.policies.Warm() // beside the targets being looked at
		s.fleet = e.newFleet()
	}
	if !n.offline {
		s.journal, faults = e.state(ctx, w, n.state)
		if src := w.Settings.Approvals.Decisions; n.gates && faults.HasErrors() && src.InState() {
			faults = decisionsFault(src, errors.New(strings.TrimSuffix(faults[0].Detail, ".")))
		} else if n.look && faults.HasErrors() {
			s.unopened, faults = faults, nil
		}
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
	diags = append(diags, s.judges()...)
	if !diags.HasErrors() {
		faults = s.backwards(ctx)
		if n.anyway && faults.HasErrors() && faults.Exit() == diag.ExitDenied {
			s.withoutPolicies(faults)
		} else {
			diags = append(diags, s.refused(ctx, n, faults)...)
		}
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

// judges settles who judges, and holds the evidence key against it.
func (s *session) judges() diag.Diagnostics {
	defer func() { s.trustDigest = s.trust.Digest() }()
	if s.base == nil {
		id := ownSigner(s.workspace)
		if s.signer != nil {
			id = s.signer.KeyID()
		}
		if s.trust = trust.Of(s.workspace, s.policies.Digests(), id); s.unpinned {
			return nil
		}
		return s.engine.pinned(s.trust)
	}
	s.trust = s.base.model
	if s.signer != nil && s.signer.KeyID() != s.trust.Signer {
		return diag.Errored(0, "Not the trust base's evidence key", "%s is another key than the trust base (%s) says evidence is signed with. Use that key, or have the change agreed to in the trust base first.",
			s.workspace.Settings.SignerKey.Written, s.base)
	}
	return nil
}

// ownSigner is the id of the workspace's evidence key, from its public half; "" if
// there is none yet.
func ownSigner(w *config.Workspace) string {
	keys, err := publicKeys(nil, w)
	if err != nil {
		return ""
	}
	id, err := evidence.KeyID(keys[0])
	if err != nil {
		return ""
	}
	return id
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
		Trust: s.engine.trustWord(), TrustDigest: s.trustDigest,
	}
	if s.base != nil {
		p.Base, p.Authors = s.base.workspace, s.base.authorship()
	}
	return p
}
