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

// window is the time for which a login begun with the old secret may still complete.
type window struct {
	settle time.Duration
	// cutoff is when the old secret stopped being accepted, by the target's clock; since
	// is this process's own, later than that.
	cutoff, since time.Time
	// last is the target's clock as it was read last, and back whether it went back.
	last time.Time
	back bool
}

// left is how much of it is left, when the target's clock says then, and this process's
// own says now: it has passed once it has by both, since one that leaps ahead skips what
// was not waited for, and a target that is stopped does not count on. Where the target's
// clock went back, it says nothing more, and the own one is enough.
func (w *window) left(then, now time.Time) time.Duration {
	w.back = w.back || then.Before(w.last)
	w.last = then
	own := w.settle - now.Sub(w.since)
	if w.back {
		return own
	}
	return max(own, w.cutoff.Add(w.settle).Sub(then))
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

// window is that of this reset. Of a change that a person asserted it is not known when it
// was: what is begun by now is then ended. Of one that an earlier process made, this
// one's clock does not know: the window is waited for whole.
func (r *reset) window(ctx context.Context) (*window, error) {
	w := &window{since: r.x.clock()}
	killed := r.first(lifecycle.Revoke)
	if p := r.first(lifecycle.Install); r.inPlace() && !p.entry.At.IsZero() { // the new one took its place
		killed = p
	}
	switch w.cutoff = killed.entry.At; {
	case !w.cutoff.IsZero():
		w.since = cmp.Or(killed.clock, w.since)
	case len(r.asserted()) == 0:
		w.cutoff = r.x.now()
	default:
		obs, err := r.target.Inspect(ctx, r.cred)
		if err != nil {
			return nil, err
		}
		w.cutoff = obs.Now
	}
	w.last = w.cutoff
	return w, nil
}

// terminate ends the sessions begun before the old one stopped being accepted, all
// that there are where no new one was made yet, and again and again until a login
// begun before then can no longer complete.
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
	w, err := r.window(ctx)
	if err != nil {
		return e, err
	}
	if max(st.Addr.Nth, 1) == 1 {
		w.settle = r.past.baseline.Settle
	}
	cutoff := w.cutoff
	if max(st.Addr.Nth, 1) == 1 && r.mode() != lifecycle.Cutover {
		cutoff = time.Time{} // there is no new one yet: no clock is needed to tell whose they are
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
		left := w.left(ended.Now, r.x.clock())
		if w.settle == 0 || left <= 0 {
			if w.settle > 0 {
				e.fact("swept_for", "%s", w.settle)
			}
			return e, nil
		}
		until := r.x.now().Add(left)
		r.x.Events.Emit(event.Event{Type: event.StepWaiting, Level: event.Info, Message: "a login begun before the change may still complete",
			Run: r.job.Run, Address: r.address, Step: st.Addr.String(), Phase: string(st.Phase), Until: &until, Timestamp: r.x.now()})
		if err := r.wait.Wait(r.soft, sweepAgain(r.mode(), w.settle, left)); err != nil {
			return e, provider.Errorf(provider.Ambiguous, "interrupted while logins begun before the change could still complete")
		}
	}
}
