package executor

import (
	"context"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// revoke kills the old versions. Revoking what is revoked succeeds, so an
// uncertain attempt is simply made again.
func (r *reset) revoke(ctx context.Context, st config.Step, attempt int) (entry, error) {
	var e entry
	mode := r.mode()
	if r.inPlace() && mode == lifecycle.Cutover {
		e.fact("detail", "fulfilled by install, which replaced the old one")
		return e, nil
	}
	if mode == lifecycle.Cutover {
		if err := r.judge(ctx, false); err != nil {
			return e, err
		}
	}
	m := r.mutation(st.Addr.String(), attempt)
	if retirer, ok := r.target.(provider.Retirer); ok && mode == lifecycle.Retire {
		r.mark()
		applied, err := retirer.Retire(ctx, m)
		return r.applied(e, applied, err)
	}
	revoker, ok := r.target.(provider.Revoker)
	if !ok {
		return e, errCapability("revoke")
	}
	var versions []string
	if !r.inPlace() {
		versions = r.old()
		e.fact("versions", "%v", versions)
		if len(versions) == 0 {
			e.fact("detail", "there was no old one")
			return e, nil
		}
	}
	r.mark()
	applied, err := revoker.Revoke(ctx, m, versions)
	return r.applied(e, applied, err)
}

func (r *reset) applied(e entry, a provider.Applied, err error) (entry, error) {
	e.At = a.At
	if a.Detail != "" {
		e.fact("detail", "%s", a.Detail)
	}
	return e, err
}

// old lists the versions that this reset is to kill.
func (r *reset) old() []string {
	var out []string
	if r.past.baseline == nil {
		return nil
	}
	current := r.current()
	for _, v := range r.past.baseline.Before {
		if v != current {
			out = append(out, v)
		}
	}
	return out
}

// current is the version that this reset made, "" before there is one.
func (r *reset) current() string {
	for _, phase := range []lifecycle.Phase{lifecycle.Install, lifecycle.Issue} {
		if e, ok := r.of(phase, 1); ok && e.Version != "" {
			return e.Version
		}
	}
	return ""
}

// cutoff is when, by the target's clock, the old secret stopped being accepted.
func (r *reset) cutoff(nth int) time.Time {
	order := []lifecycle.Phase{lifecycle.Install, lifecycle.Revoke}
	if r.mode() != lifecycle.Cutover && nth == 1 || !r.inPlace() {
		order = []lifecycle.Phase{lifecycle.Revoke}
	}
	for _, phase := range order {
		if e, ok := r.of(phase, 1); ok && !e.At.IsZero() {
			return e.At
		}
	}
	return r.x.now()
}

// terminate ends the sessions begun before the old one stopped being accepted,
// and again and again until a login begun before then can no longer complete.
// Between sweeps it holds no worker.
func (r *reset) terminate(ctx context.Context, st config.Step, attempt int, timeout time.Duration) (entry, error) {
	var e entry
	if !r.Credential.Type.Sessions {
		e.fact("detail", "the target keeps no sessions of this type")
		return e, nil
	}
	ender, ok := r.target.(provider.SessionEnder)
	if !ok {
		return e, errCapability("end sessions of")
	}
	nth := max(st.Addr.Nth, 1)
	cutoff := r.cutoff(nth)
	settle := time.Duration(0)
	if b := r.past.baseline; b != nil && nth == 1 {
		settle = b.Settle
	}
	r.mark()
	total := 0
	for {
		call, cancel := context.WithTimeout(ctx, timeout)
		ended, err := ender.EndSessions(call, r.mutation(st.Addr.String(), attempt), cutoff)
		cancel()
		total += ended.Count
		e.fact("sessions_ended", "%d", total)
		if err != nil {
			return e, err
		}
		left := cutoff.Add(settle).Sub(ended.Now)
		if settle == 0 || left <= 0 {
			e.At = ended.Now
			if settle > 0 {
				e.fact("swept_for", "%s", settle)
			}
			return e, nil
		}
		if err := r.flush(ctx); err != nil {
			return e, err
		}
		pause := min(left+10*time.Millisecond, max(settle/16, 200*time.Millisecond))
		until := r.x.now().Add(left)
		r.x.Events.Emit(event.Event{Type: event.StepWaiting, Level: event.Info, Message: "a login begun before the change may still complete",
			Run: r.job.Run, Address: r.address, Step: st.Addr.String(), Phase: string(st.Phase), Until: &until, Timestamp: r.x.now()})
		if err := r.wait.Wait(r.soft, pause); err != nil {
			return e, provider.Errorf(provider.Ambiguous, "interrupted while logins begun before the change could still complete")
		}
	}
}

// prove shows that the old secret is dead: refused as wrong by the target that
// accepted it before, while a control succeeds there; or, where it is not known,
// by the target's own records. The new secret is tried last: whoever slipped in
// with the old one could have changed it.
func (r *reset) prove(ctx context.Context, st config.Step) (entry, error) {
	var e entry
	if b := r.past.baseline; b != nil {
		e.Probes = append(e.Probes, b.Probes...)
	}
	proof, err := r.tryOld(ctx, &e)
	if err != nil {
		return e, err
	}
	reported, err := r.readRecords(ctx, &e)
	if err != nil {
		return e, err
	}
	control, err := r.control(ctx, st, &e)
	if err != nil {
		return e, err
	}
	switch {
	case proof == lifecycle.Tested && control:
		e.Proof = lifecycle.Tested
	case proof != lifecycle.Unknown || reported:
		e.Proof = lifecycle.Reported
	default:
		return e, provider.Errorf(provider.Permanent, "nothing shows that the old secret is dead: it is not known here, and the target's records do not tell")
	}
	e.fact("detail", "%s", e.Proof)
	return e, nil
}

// tryOld authenticates once with the old secret, if it is known.
func (r *reset) tryOld(ctx context.Context, e *entry) (lifecycle.Proof, error) {
	if r.past.baseline == nil || !r.past.baseline.OldKnown {
		return lifecycle.Unknown, nil
	}
	old, err := r.material(ctx, OldSecret)
	if err != nil {
		return lifecycle.Unknown, err
	}
	p, err := r.probe(ctx, "old", old, e)
	if err != nil {
		return lifecycle.Unknown, err
	}
	switch p.Verdict {
	case provider.Refused:
		return p.Basis, nil
	case provider.Accepted:
		return lifecycle.Unknown, provider.Errorf(provider.Permanent, "THE OLD SECRET STILL WORKS: %s", describe(p))
	case provider.Disabled:
		return lifecycle.Unknown, provider.Errorf(provider.Permanent, "login is disabled, which does not show that the old secret is dead: %s", describe(p))
	}
	return lifecycle.Unknown, provider.Errorf(provider.Transient, "whether the old secret is dead is unknown: %s", describe(p))
}

// readRecords asks the target whether it still has an old version; one that it
// lists as alive is a contradiction, and stops the reset.
func (r *reset) readRecords(ctx context.Context, e *entry) (bool, error) {
	obs, err := r.target.Inspect(ctx, r.cred)
	if err != nil {
		return false, err
	}
	old, listed := r.old(), ""
	for _, v := range obs.Versions {
		if slices.Contains(old, v.ID) {
			listed = v.ID
		}
	}
	switch {
	case listed != "" && obs.Enabled:
		return false, provider.Errorf(provider.Permanent, "the target still lists the old version %s", listed)
	case listed == "" && len(old) > 0:
		e.fact("records", "the target lists none of the old versions")
		return true, nil
	case !obs.Exists:
		e.fact("records", "the target does not have the credential any more")
		return true, nil
	case r.acknowledged():
		e.fact("records", "the target acknowledged the operation that leaves no old secret")
		return true, nil
	case r.past.baseline != nil && len(r.past.baseline.Before) == 0:
		e.fact("records", "the target had no old version")
		return true, nil
	}
	return false, nil
}

// acknowledged reports whether the target confirmed an operation after which an
// in-place credential can have no old secret: setting a new one, or revoking.
func (r *reset) acknowledged() bool {
	if !r.inPlace() {
		return false
	}
	for _, phase := range []lifecycle.Phase{lifecycle.Install, lifecycle.Revoke} {
		if d, ok := r.of(phase, 1); ok && !d.At.IsZero() {
			return true
		}
	}
	return false
}

// control shows that the place that refuses is alive: the new secret, or the
// provider's own login, succeeds there.
func (r *reset) control(ctx context.Context, st config.Step, e *entry) (bool, error) {
	if name := r.issued(); name != "" && (r.mode() == lifecycle.Cutover || st.Addr.Nth > 1) {
		m, err := r.material(ctx, name)
		if err != nil {
			return false, err
		}
		p, err := r.probe(ctx, "new", m, e)
		if err != nil {
			return false, err
		}
		switch p.Verdict {
		case provider.Accepted:
			return true, nil
		case provider.Unclear:
			return false, provider.Errorf(provider.Transient, "whether the new secret works is unknown: %s", describe(p))
		}
		return false, provider.Errorf(provider.Permanent, "the new secret is not accepted any more: %s; somebody changed it in the meantime", describe(p))
	}
	c, ok := r.target.(provider.Controller)
	if !ok {
		return false, nil
	}
	p, err := c.Control(ctx, r.cred)
	if p, err = r.note("control", p, err, e); err != nil {
		return false, err
	}
	return p.Verdict == provider.Accepted, nil
}

// proof is the weakest proof there is so far, "" before any.
func (r *reset) proof() lifecycle.Proof {
	out := lifecycle.Proof("")
	for _, st := range r.steps {
		past := r.past.steps[st.Addr.String()]
		if st.Phase != lifecycle.Prove || !past.done() {
			continue
		}
		if out == "" || past.entry.Proof != lifecycle.Tested {
			out = past.entry.Proof
		}
	}
	return out
}
