package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// errDrift says that the target is not what the plan says.
var errDrift = errors.New("the target changed since it was planned: plan again")

// prepare does once, before the first step that could have an effect, what
// cannot be done after it: it reads the versions to be killed, and keeps the old
// secret, sealed, for the proof. Before a new secret is made or set, every store
// is asked whether it could take it.
func (r *reset) prepare(ctx context.Context, st config.Step) error {
	if st.Phase == lifecycle.Verify || st.Phase == lifecycle.Approve {
		return nil
	}
	if r.past.baseline == nil {
		if err := r.baseline(ctx); err != nil {
			return err
		}
	}
	if st.Phase == lifecycle.Issue && !r.past.steps[st.Addr.String()].begun {
		return r.checkStores(ctx)
	}
	return nil
}

func (r *reset) baseline(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	obs, err := r.x.Fleet.Observe(ctx, r.Credential)
	if err != nil {
		return err
	}
	e := entry{Settle: obs.Settle, At: obs.Now}
	for _, v := range obs.Versions {
		e.Before = append(e.Before, v.ID)
	}
	planned := r.Plan.Observed
	if obs.Exists != planned.Exists || obs.Enabled != planned.Enabled || !slices.Equal(e.Before, planned.Versions) && len(e.Before)+len(planned.Versions) > 0 {
		return errDrift
	}
	if err := r.keepOld(ctx, &e); err != nil {
		return err
	}
	return r.queue(nil, journal.Note, 0, e)
}

// keepOld looks for the old secret: the first store whose value the target
// accepts. It is sealed until it is proven dead. In a cutover, a target that
// gives no clear answer stops the reset here, where nothing has changed.
func (r *reset) keepOld(ctx context.Context, e *entry) error {
	for _, m := range r.x.Fleet.Stored(ctx, r.Credential) {
		p, err := r.probe(ctx, "old", m, e)
		switch {
		case err != nil && r.mode() == lifecycle.Cutover:
			return err
		case err == nil && p.Verdict == provider.Accepted:
			e.OldKnown = true
			return r.seal(OldSecret, m)
		case err == nil && p.Verdict == provider.Unclear && r.mode() == lifecycle.Cutover:
			return provider.Errorf(provider.Transient, "the target gives no clear answer to the old secret, so nothing was begun: %s at %s", p.Detail, p.Endpoint)
		}
	}
	return nil
}

// checkStores asks every store whether it could take a secret.
func (r *reset) checkStores(ctx context.Context) error {
	for _, b := range r.Credential.Stores {
		s, err := r.x.Fleet.Store(ctx, b)
		if err == nil {
			err = s.Check(ctx)
		}
		if err != nil {
			return provider.Errorf(provider.Permanent, "store %s could not take the new secret, so none was made: %v", b.Key(), err)
		}
	}
	return nil
}

// probe authenticates once and writes down what came of it.
func (r *reset) probe(ctx context.Context, subject string, m secret.Material, e *entry) (provider.Probe, error) {
	p, err := r.target.Probe(ctx, r.cred, m)
	return r.note(subject, p, err, e)
}

func (r *reset) note(subject string, p provider.Probe, err error, e *entry) (provider.Probe, error) {
	if err != nil {
		if provider.ClassOf(err, provider.Transient) == provider.Ambiguous {
			err = provider.Errorf(provider.Transient, "%v", err)
		}
		return p, err
	}
	e.Probes = append(e.Probes, evidence.Probe{
		Subject: subject, Verdict: string(p.Verdict), Basis: string(p.Basis), Endpoint: p.Endpoint, Detail: p.Detail, At: r.x.now(),
	})
	return p, nil
}

// describe puts a probe into words.
func describe(p provider.Probe) string {
	if p.Detail == "" {
		return fmt.Sprintf("%s at %s", p.Verdict, p.Endpoint)
	}
	return fmt.Sprintf("%s at %s (%s)", p.Verdict, p.Endpoint, p.Detail)
}
