package executor

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// prove shows that the old secret is dead: refused as wrong by the target that
// accepted it before, while a control succeeds there; or, where it is not known,
// by the target's own records, once what a store held and those records do not
// speak of is refused too. The new secret is tried last: whoever slipped in
// with the old one could have changed it.
func (r *reset) prove(ctx context.Context) (entry, error) {
	var e entry
	e.Probes = append(e.Probes, r.past.baseline.Probes...)
	old, err := r.tryOld(ctx, &e)
	if err != nil {
		return e, err
	}
	if err := r.tryDoubted(ctx, &e); err != nil {
		return e, err
	}
	reported, err := r.readRecords(ctx, &e)
	if err != nil {
		return e, err
	}
	control, err := r.control(ctx, &e)
	if err != nil {
		return e, err
	}
	switch {
	case old.Basis == lifecycle.Tested && old.Endpoint == r.acceptedAt() && control == old.Endpoint:
		e.Proof = lifecycle.Tested
	case reported || old.Basis == lifecycle.Reported:
		e.Proof = lifecycle.Reported
	case old.Verdict == provider.Refused:
		return e, provider.Errorf(provider.Transient, "the old secret is refused, but nothing else was accepted at %s, so that may have another reason", old.Endpoint)
	default:
		return e, provider.Errorf(provider.Permanent, "nothing shows that the old secret is dead: it is not known here, and the target's records do not tell")
	}
	e.fact("detail", "%s", e.Proof)
	return e, nil
}

// acceptedAt is the place at which the old secret was accepted before the change.
func (r *reset) acceptedAt() string {
	for _, p := range r.past.baseline.Probes {
		if p.Verdict == string(provider.Accepted) {
			return p.Endpoint
		}
	}
	return ""
}

// tryOld authenticates once with the old secret, if it is known: the answer is
// Refused, or there is none, with no basis.
func (r *reset) tryOld(ctx context.Context, e *entry) (provider.Probe, error) {
	if !r.past.baseline.OldKnown {
		return provider.Probe{}, nil
	}
	return r.tryDead(ctx, OldSecret, e)
}

// tryDoubted authenticates once with each secret that a store held, that the target
// gave no clear answer to, and of which its list does not speak: whatever it lists,
// they are dead only where it refuses them.
func (r *reset) tryDoubted(ctx context.Context, e *entry) error {
	for n := range r.past.baseline.Doubted {
		if _, err := r.tryDead(ctx, doubted(n), e); err != nil {
			return err
		}
	}
	return nil
}

// tryDead authenticates once with a sealed secret that is to be dead: the answer is
// Refused, or an error says what else it was.
func (r *reset) tryDead(ctx context.Context, name string, e *entry) (provider.Probe, error) {
	m, err := r.material(ctx, name)
	if err != nil {
		return provider.Probe{}, err
	}
	p, err := r.probe(ctx, "old", m, e)
	if err != nil {
		return p, err
	}
	switch p.Verdict {
	case provider.Refused:
		return p, nil
	case provider.Accepted:
		return p, provider.Errorf(provider.Permanent, "THE OLD SECRET STILL WORKS: %s%s", describe(p), r.revived())
	case provider.Disabled:
		return p, provider.Errorf(provider.Permanent, "login is disabled, which does not show that the old secret is dead: %s", describe(p))
	}
	return p, provider.Errorf(provider.Transient, "whether the old secret is dead is unknown: %s", describe(p))
}

// readRecords asks the target whether it still has an old version, or one that
// somebody added while everything was to be dead; either is a contradiction, and
// stops the reset.
func (r *reset) readRecords(ctx context.Context, e *entry) (bool, error) {
	obs, err := r.target.Inspect(ctx, r.cred)
	if err != nil {
		return false, err
	}
	b := r.past.baseline
	old, listed, foreign := r.old(), "", ""
	for _, v := range obs.Versions {
		switch {
		case slices.Contains(old, v.ID):
			listed = v.ID
		case !r.ours(v):
			foreign = v.ID
		}
	}
	closed := r.mode() != lifecycle.Cutover // everything but the new one is to be dead
	switch {
	case closed && r.issued() == "" && r.inPlace() && obs.Enabled:
		return false, provider.Errorf(provider.Permanent, "it can log in again: somebody enabled it after it was revoked. Find out who, then plan a reset of it again")
	case listed != "" && obs.Enabled:
		return false, provider.Errorf(provider.Permanent, "the target still lists the old version %s%s", listed, r.revived())
	case closed && !r.inPlace() && foreign != "" && obs.Enabled:
		return false, provider.Errorf(provider.Permanent, "the target lists version %s, which somebody added after this reset began. Find out who, then plan a reset of it again", foreign)
	case !obs.Exists && !obs.Incomplete:
		e.fact("records", "the target does not have the credential any more")
		return true, nil
	case r.acknowledged():
		e.fact("records", "the target acknowledged the operation that leaves no old secret")
		return true, nil
	case obs.Unlisted:
		return false, nil
	case listed == "" && len(old) > 0:
		e.fact("records", "the target lists none of the old versions")
		return true, nil
	case len(b.Before) == 0 && !b.Unlisted:
		e.fact("records", "the target had no old version")
		return true, nil
	}
	return false, nil
}

// acknowledged reports whether the target confirmed an operation after which an
// in-place credential can have no old secret: setting a new one, or revoking.
func (r *reset) acknowledged() bool {
	return r.inPlace() && (!r.of(lifecycle.Install).At.IsZero() || !r.of(lifecycle.Revoke).At.IsZero())
}

// control shows which place is alive: the new secret, or the provider's own
// login, succeeds there. "" if none is shown to be.
func (r *reset) control(ctx context.Context, e *entry) (string, error) {
	if name := r.issued(); name != "" {
		m, err := r.material(ctx, name)
		if err != nil {
			return "", err
		}
		p, err := r.probe(ctx, "new", m, e)
		if err != nil {
			return "", err
		}
		switch p.Verdict {
		case provider.Accepted:
			return p.Endpoint, nil
		case provider.Unclear:
			return "", provider.Errorf(provider.Transient, "whether the new secret works is unknown: %s", describe(p))
		}
		return "", notOurs(p)
	}
	c, ok := r.target.(provider.Controller)
	if !ok {
		return "", nil
	}
	p, err := c.Control(ctx, r.cred)
	if p, err = r.note(subjectControl, p, err, e); p.Verdict != provider.Accepted {
		return "", err
	}
	return p.Endpoint, nil
}
