package executor

import (
	"context"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// errSuperseded ends a reset that is not ours to finish any more.
var errSuperseded = provider.Errorf(provider.Permanent, "somebody else reset the credential since this run began it")

// errAnother is errSuperseded where the state knows by whom.
var errAnother = fmt.Errorf("%w: another run finished a reset of it. Nothing more is done here; the state of the credential is that run's", errSuperseded)

// stillOurs sees, in a reset that an earlier process began, that the target is
// the planned one, that the state is not older than its mark, and that nobody has reset
// the credential since: what is left to do would otherwise put a dead secret over a
// living one. Only a reset whose new secret was accepted once can tell by trying it; it
// is tried once.
func (r *reset) stillOurs(ctx context.Context, seen *entry) error {
	target, err := r.x.Fleet.Identity(ctx, r.Credential.Provider)
	if err != nil {
		return err
	}
	if target != r.Plan.Observed.Target {
		return provider.Errorf(provider.Permanent, "this is another target (%s) than the one that the run began to change (%s): "+
			"point the provider block back to it, then resume", target, r.Plan.Observed.Target)
	}
	obs, err := r.target.Inspect(ctx, r.cred)
	if err != nil {
		return err
	}
	if err := r.behind(obs); err != nil {
		return err
	}
	if r.job.Generations[r.address] > r.Plan.Observed.Generation {
		return errAnother
	}
	if !r.confirmed() {
		return nil
	}
	m, err := r.material(ctx, r.issued())
	if err != nil {
		return err
	}
	p, err := r.probe(ctx, "new", m, seen)
	if err != nil {
		return err
	}
	switch p.Verdict {
	case provider.Accepted:
		return nil
	case provider.Unclear:
		return provider.Errorf(provider.Transient, "whether the new secret is still the valid one cannot be told: %s", describe(p))
	}
	return notOurs(p)
}

// confirmed reports whether the target accepted the new secret once. What a person
// asserted is not the target's word.
func (r *reset) confirmed() bool {
	return slices.ContainsFunc(r.steps, func(st config.Step) bool {
		return st.Phase == lifecycle.Confirm && r.past.steps[st.Addr.String()].kind == journal.Done
	})
}

// notOurs is the error for a new secret that was accepted once and is not any
// more. A login that is merely disabled can be enabled again: that is no other secret.
func notOurs(p provider.Probe) error {
	if p.Verdict == provider.Disabled {
		return provider.Errorf(provider.Permanent, "login is disabled: %s. Find out who did that, enable it, and resume", describe(p))
	}
	return fmt.Errorf("%w: the new secret, accepted earlier, is not accepted any more (%s). Find out who changed it, and plan a reset of it again",
		errSuperseded, describe(p))
}
