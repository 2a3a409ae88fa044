package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// errDrift says that the target is not what the plan says.
var errDrift = provider.Errorf(provider.Permanent, "the target changed since it was planned: plan again")

// prepare does, before a step is begun, what has to come before it. In a reset
// that an earlier process began, it sees once that the reset is still ours to
// finish. Before the first step that could have an effect it reads the versions
// to be killed, and keeps the old secret, sealed, for the proof. Before a new
// secret is made or set, every store is asked whether it could take it; none is made
// that could not be sealed. It changes nothing outside; seen takes what was tried.
func (r *reset) prepare(ctx context.Context, st config.Step, seen *entry) error {
	if st.Phase == lifecycle.Verify || st.Phase == lifecycle.Approve {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	if r.resumed && !r.looked {
		if err := r.stillOurs(ctx, seen); err != nil {
			return err
		}
		r.looked = true
	}
	if r.past.baseline == nil {
		if err := r.baseline(ctx, seen); err != nil {
			return err
		}
	}
	switch {
	case st.Phase != lifecycle.Issue:
		return nil
	case r.job.Unopened != nil:
		return provider.Errorf(provider.Permanent, "the new secret could not be sealed, so none was made: %v", r.job.Unopened)
	case r.past.steps[st.Addr.String()].effect():
		return nil
	}
	return r.checkStores(ctx)
}

// unlisted is why a version cannot be revoked.
const unlisted = "the target does not let its versions be read, so the old one cannot be named: give the provider's own login that right"

func (r *reset) baseline(ctx context.Context, seen *entry) error {
	obs, err := r.x.Fleet.Observe(ctx, r.Credential)
	if err != nil {
		return err
	}
	if err := r.behind(obs); err != nil {
		return err
	}
	if obs.Unlisted && !r.inPlace() {
		return provider.Errorf(provider.Permanent, "%s", unlisted)
	}
	if why := planner.Unrecorded(obs, r.mode()); why != "" {
		return provider.Errorf(provider.Permanent, "%s", why)
	}
	if err := r.drift(ctx, obs); err != nil {
		return err
	}
	e := entry{Settle: obs.Settle, At: obs.Now, Unlisted: obs.Unlisted, Before: versions(obs)}
	if err := r.keepOld(ctx, obs, &e); err != nil {
		seen.Probes = append(seen.Probes, e.Probes...)
		return err
	}
	return r.queue(nil, journal.Note, 0, e)
}

// drift compares what the target says with what was planned, before the first
// effect: errDrift if it is not the same.
func (r *reset) drift(ctx context.Context, obs provider.Observation) error {
	target, err := r.x.Fleet.Identity(ctx, r.Credential.Provider)
	if err != nil {
		return provider.Errorf(provider.ClassOf(err, provider.Transient), "%v", err)
	}
	planned := r.Plan.Observed
	if target != planned.Target || r.job.Generations[r.address] != planned.Generation || obs.Exists != planned.Exists ||
		obs.Enabled != planned.Enabled || !slices.Equal(versions(obs), planned.Versions) {
		return errDrift
	}
	return nil
}

func versions(obs provider.Observation) []string {
	var out []string
	for _, v := range obs.Versions {
		out = append(out, v.ID)
	}
	return out
}

// keepOld looks for the old secret: the first store whose value the target
// accepts. It is sealed until it is proven dead. In a cutover, a target that
// gives no clear answer stops the reset here, where nothing has changed. In the
// other modes what it gave none to is sealed for the proof as well, unless the
// target's list can show that it is dead.
func (r *reset) keepOld(ctx context.Context, obs provider.Observation, e *entry) error {
	for _, m := range r.x.Fleet.Stored(ctx, r.Credential) {
		r.known.Add(m)
		p, err := r.probe(ctx, "old", m, e)
		switch p.Verdict {
		case provider.Accepted:
			e.OldKnown = true
			return r.seal(OldSecret, m)
		case provider.Unclear:
			err = provider.Errorf(provider.Transient, "the target gives no clear answer to the old secret, so nothing was begun: %s at %s", p.Detail, p.Endpoint)
		}
		if err != nil && r.mode() == lifecycle.Cutover {
			return err
		}
		if err != nil && !r.listable(obs, m) {
			if err := r.seal(doubted(e.Doubted), m); err != nil {
				return err
			}
			e.Doubted++
		}
	}
	return nil
}

// listable reports whether the target's own list can show that a secret is dead: it
// listed it for this credential, or the secret names nothing that a target could have.
// One in place needs no list, since what takes its place leaves nothing of it.
func (r *reset) listable(obs provider.Observation, m secret.Material) bool {
	if r.inPlace() {
		return true
	}
	id, ok := r.target.(provider.Identifier)
	if !ok {
		return false
	}
	v, err := id.VersionOf(m)
	return err != nil || slices.ContainsFunc(obs.Versions, func(x provider.Version) bool { return x.ID == v && !x.Stored })
}

// checkStores asks every store whether it could take a secret.
func (r *reset) checkStores(ctx context.Context) error {
	for _, b := range r.Credential.Stores {
		s, err := r.x.Fleet.Store(ctx, b)
		if err == nil {
			err = s.Check(ctx)
		}
		if err != nil {
			return provider.Errorf(provider.ClassOf(err, provider.Transient), "store %s could not take the new secret, so none was made: %v", b.Key(), err)
		}
	}
	return nil
}

// maxUnaccepted is how many logins that the target does not accept one reset
// makes within unacceptedWindow, counted over all its processes: lock-out
// policies count them too, and commonly begin to act at ten (PCI DSS 4.0.1,
// 8.3.4) within half an hour or so.
const (
	maxUnaccepted    = 6
	unacceptedWindow = 30 * time.Minute
)

// errResting says that a login was not tried.
var errResting = provider.Errorf(provider.Permanent, "no more logins are tried, so that nobody is locked out")

// probe authenticates once and writes down what came of it: no verdict where there
// is an error.
func (r *reset) probe(ctx context.Context, subject string, m secret.Material, e *entry) (provider.Probe, error) {
	now, recent := r.x.now(), 0
	var first time.Time
	for _, p := range r.past.probes {
		if p.Subject == subjectControl || p.Verdict == string(provider.Accepted) || now.Sub(p.At).Abs() > unacceptedWindow {
			continue // or dated so far ahead that the clock was wrong then: it would count for as long
		}
		if recent++; first.IsZero() || p.At.Before(first) {
			first = p.At
		}
	}
	if recent >= maxUnaccepted {
		return provider.Probe{}, fmt.Errorf("%w: %d logins were not accepted in the last half hour: `remint resume` after %s", errResting, recent, first.Add(unacceptedWindow).UTC().Format(time.RFC3339))
	}
	p, err := r.target.Probe(ctx, r.cred, m)
	return r.note(subject, p, err, e)
}

// subjectControl is the subject of a probe with the provider's own login.
const subjectControl = "control"

func (r *reset) note(subject string, p provider.Probe, err error, e *entry) (provider.Probe, error) {
	if err != nil {
		if provider.ClassOf(err, provider.Transient) == provider.Ambiguous {
			err = provider.Errorf(provider.Transient, "%v", err)
		}
		return provider.Probe{}, err
	}
	e.Probes = append(e.Probes, evidence.Probe{
		Subject: subject, Verdict: string(p.Verdict), Basis: string(p.Basis), Endpoint: p.Endpoint, Detail: r.said(p.Detail), At: r.x.now(),
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
