package executor

import (
	"context"
	"errors"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Defaults of steps that do not say otherwise.
const (
	defaultTimeout  = 60 * time.Second
	defaultAttempts = 3
	defaultDelay    = time.Second
)

// execute runs one step to its end over the journal: intention, effect,
// outcome. An attempt whose outcome is unknown, in this process or in one that
// died, is looked into before anything is tried again.
func (r *reset) execute(ctx context.Context, st config.Step) error {
	address := st.Addr.String()
	past := r.past.steps[address]
	attempts, delay := st.Retry.Attempts, st.Retry.Delay
	if attempts == 0 {
		attempts = defaultAttempts
	}
	if delay == 0 {
		delay = defaultDelay
	}
	attempt, uncertain := past.attempt, past.uncertain()
	for try := 1; ; try++ {
		attempt++
		started := r.x.now()
		if err := r.begin(ctx, st, attempt); err != nil {
			return err
		}
		e, err := r.act(ctx, st, attempt, uncertain)
		e.Started = started
		if err == nil {
			return r.complete(ctx, st, attempt, e)
		}
		class := r.classify(st, err)
		if class == provider.Ambiguous {
			uncertain = true
		}
		retry := class == provider.Transient || class == provider.Ambiguous
		if errors.Is(err, errPoisoned) {
			return err
		}
		if !retry || try >= attempts || ctx.Err() != nil || r.soft.Err() != nil {
			return r.fail(ctx, st, attempt, e, class, uncertain, err)
		}
		// What is known by now is durable before time passes.
		if err := r.flush(ctx); err != nil {
			return err
		}
		if werr := r.wait.Wait(r.soft, delay); werr != nil {
			return r.fail(ctx, st, attempt, e, class, uncertain, err)
		}
		delay *= 2
	}
}

// begin makes the intention durable, for steps that have an effect.
func (r *reset) begin(ctx context.Context, st config.Step, attempt int) error {
	start := event.Event{Type: event.StepStarted, Level: event.Info, Message: st.Addr.String() + ": started",
		Step: st.Addr.String(), Phase: string(st.Phase), Attempt: attempt}
	if !r.effective(st.Phase) {
		r.tell(start)
		return nil
	}
	if err := r.queue(&st, journal.Intend, attempt, entry{Started: r.x.now()}); err != nil {
		return err
	}
	r.tell(start)
	return r.flush(ctx)
}

// complete records success. It becomes durable with the next intention or at
// the end, since nothing outside happens in between.
func (r *reset) complete(_ context.Context, st config.Step, attempt int, e entry) error {
	if err := r.queue(&st, journal.Done, attempt, e); err != nil {
		return err
	}
	r.tell(event.Event{Type: event.StepCompleted, Level: event.Info, Message: st.Addr.String() + ": done",
		Step: st.Addr.String(), Phase: string(st.Phase), Attempt: attempt, Proof: string(e.Proof), Detail: e.Facts["detail"]})
	return nil
}

// fail records that a step could not be done, and whether it may have happened.
func (r *reset) fail(ctx context.Context, st config.Step, attempt int, e entry, class provider.Class, uncertain bool, cause error) error {
	kind := journal.Failed
	if uncertain && class != provider.Permanent {
		kind = journal.Unknown
	}
	e.Error = cause.Error()
	if err := r.queue(&st, kind, attempt, e); err != nil {
		return err
	}
	r.tell(event.Event{Type: event.StepFailed, Level: event.Error, Message: st.Addr.String() + ": " + cause.Error(),
		Step: st.Addr.String(), Phase: string(st.Phase), Attempt: attempt, Outcome: string(kind)})
	if err := r.flush(ctx); err != nil {
		return err
	}
	return cause
}

// classify gives an error's class: one that came without is ambiguous when the
// step may have changed something, and otherwise worth another try.
func (r *reset) classify(st config.Step, err error) provider.Class {
	fallback := provider.Transient
	if r.effective(st.Phase) && st.Phase != lifecycle.Prove {
		fallback = provider.Ambiguous
	}
	if isNotAccepted(err) {
		return provider.Permanent
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fallback
	}
	return provider.ClassOf(err, fallback)
}

// act does what a step is for. uncertain says that an earlier attempt may have
// had its effect.
func (r *reset) act(ctx context.Context, st config.Step, attempt int, uncertain bool) (entry, error) {
	timeout := st.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	if st.Phase == lifecycle.Terminate { // its waits are as long as the target says
		return r.terminate(ctx, st, attempt, timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch st.Phase {
	case lifecycle.Verify:
		return r.verify()
	case lifecycle.Approve:
		return r.approve()
	case lifecycle.Issue:
		return r.issue(ctx, st, attempt, uncertain)
	case lifecycle.Install:
		return r.install(ctx, st, attempt, uncertain)
	case lifecycle.Confirm:
		return r.confirm(ctx, st)
	case lifecycle.Distribute:
		return r.distribute(ctx, st)
	case lifecycle.Reload:
		return r.reload(ctx, st)
	case lifecycle.Revoke:
		return r.revoke(ctx, st, attempt)
	case lifecycle.Prove:
		return r.prove(ctx, st)
	case lifecycle.Notify:
		return r.notify(ctx, st)
	}
	return entry{}, provider.Errorf(provider.Permanent, "the phase %q is unknown to this version", st.Phase)
}

// mark notes that something outside has been, or may have been, changed.
func (r *reset) mark() { r.changed = true }
