package executor

import (
	"cmp"
	"context"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// revoke kills the old versions. Revoking what is revoked succeeds, so an
// uncertain attempt is simply made again.
func (r *reset) revoke(ctx context.Context, st config.Step, a *attempt) (entry, error) {
	var e entry
	mode := r.mode()
	revoker, ok := r.target.(provider.Revoker)
	m := r.mutation(st.Addr.String(), a.number)
	if st.Addr == rollBackStep().Addr {
		if !ok {
			return e, errCapability("revoke")
		}
		e.fact("versions", "%v", []string{r.current()})
		if err := r.mine(ctx); err != nil {
			return e, err
		}
		applied, err := revoker.Revoke(ctx, m, []string{r.current()})
		return r.applied(e, applied, err)
	}
	if r.inPlace() && mode == lifecycle.Cutover {
		e.fact("detail", "fulfilled by install, which replaced the old one")
		return e, nil
	}
	if mode == lifecycle.Cutover {
		if err := r.judge(ctx, false, &e.Judged); err != nil {
			return e, err
		}
	}
	if retirer, ok := r.target.(provider.Retirer); ok && mode == lifecycle.Retire {
		var versions []string
		if !r.inPlace() { // the target may list some of them under another name
			versions = r.old()
			e.fact("versions", "%v", versions)
		}
		if err := r.mine(ctx); err != nil {
			return e, err
		}
		applied, err := retirer.Retire(ctx, m, versions)
		return r.applied(e, applied, err)
	}
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
	if err := r.mine(ctx); err != nil {
		return e, err
	}
	applied, err := revoker.Revoke(ctx, m, versions)
	return r.applied(e, applied, err)
}

// sweepAgain is when to sweep again, left before the window closes: how long a login
// that was begun before the change, and completed since, may live at most. In a
// cutover nobody is known to have the old secret, so few sweeps do; what is dead at
// the end is the same.
func sweepAgain(mode lifecycle.Mode, settle, left time.Duration) time.Duration {
	every := max(settle/16, 200*time.Millisecond)
	if mode == lifecycle.Cutover {
		every = max(settle/4, time.Second)
	}
	return min(left+10*time.Millisecond, every)
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
	return cmp.Or(r.of(lifecycle.Install).Version, r.of(lifecycle.Issue).Version)
}

// cutoff is when, by the target's clock, the old secret stopped being accepted. Of
// a change that a person asserted it is not known: what is begun by now is then ended.
func (r *reset) cutoff(ctx context.Context) (time.Time, error) {
	at := r.of(lifecycle.Revoke).At
	if r.inPlace() { // the new one took its place, if there is one yet
		at = cmp.Or(r.of(lifecycle.Install).At, at)
	}
	if !at.IsZero() {
		return at, nil
	}
	if len(r.asserted()) == 0 {
		return r.x.now(), nil
	}
	obs, err := r.target.Inspect(ctx, r.cred)
	return obs.Now, err
}

// terminate ends the sessions begun before the old one stopped being accepted,
// and again and again until a login begun before then can no longer complete.
// Between sweeps it holds no worker.
func (r *reset) terminate(ctx context.Context, st config.Step, a *attempt, timeout time.Duration) (entry, error) {
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
	cutoff, err := r.cutoff(ctx)
	if err != nil {
		return e, err
	}
	settle := time.Duration(0)
	if nth == 1 {
		settle = r.past.baseline.Settle
	}
	total := 0
	for {
		if err := r.mine(ctx); err != nil {
			return e, err
		}
		call, cancel := context.WithTimeout(ctx, timeout)
		ended, err := ender.EndSessions(call, r.mutation(st.Addr.String(), a.number), cutoff)
		cancel()
		total += ended.Count
		e.fact("sessions_ended", "%d", total)
		if err != nil {
			return e, err
		}
		left := cutoff.Add(settle).Sub(ended.Now)
		if settle == 0 || left <= 0 {
			if settle > 0 {
				e.fact("swept_for", "%s", settle)
			}
			return e, nil
		}
		until := r.x.now().Add(left)
		r.x.Events.Emit(event.Event{Type: event.StepWaiting, Level: event.Info, Message: "a login begun before the change may still complete",
			Run: r.job.Run, Address: r.address, Step: st.Addr.String(), Phase: string(st.Phase), Until: &until, Timestamp: r.x.now()})
		if err := r.wait.Wait(r.soft, sweepAgain(r.mode(), settle, left)); err != nil {
			return e, provider.Errorf(provider.Ambiguous, "interrupted while logins begun before the change could still complete")
		}
	}
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
