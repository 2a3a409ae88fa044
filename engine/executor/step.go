package executor

import (
	"cmp"
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
	defaultTimeout  = provider.CallTimeout
	defaultAttempts = 3
	defaultDelay    = time.Second
)

// attempt is one try of a step.
type attempt struct {
	// number counts over all processes, from 1.
	number int
	// uncertain says that an earlier try may have had its effect. What looks into
	// it and finds that it had not sets it to false.
	uncertain bool
}

// execute runs one step to its end over the journal: intention, effect,
// outcome. An attempt whose outcome is unknown, in this process or in one that
// died, is looked into before anything is tried again. Every attempt that failed
// is in the journal, with what it saw, before the next one begins.
func (r *reset) execute(ctx context.Context, st config.Step) error {
	past := r.past.steps[st.Addr.String()]
	a := attempt{number: past.attempt, uncertain: past.uncertain()}
	for try := 1; ; try++ {
		a.number++
		class, err := r.try(ctx, st, &a)
		delay, again := tryAgain(st.Retry, try)
		again = again && (class == provider.Transient || class == provider.Ambiguous) && !errors.Is(err, errPoisoned)
		if !again || r.soft.Err() != nil || ctx.Err() != nil || r.wait.Wait(r.soft, delay) != nil {
			return err
		}
	}
}

// tryAgain is how long to wait after the try-th attempt, and whether there is another.
func tryAgain(r config.Retry, try int) (time.Duration, bool) {
	delay := cmp.Or(r.Delay, defaultDelay)
	return delay << (try - 1), try < cmp.Or(r.Attempts, defaultAttempts)
}

// try makes one attempt, and records how it ended.
func (r *reset) try(ctx context.Context, st config.Step, a *attempt) (provider.Class, error) {
	started := r.x.now()
	e := entry{}
	err := r.scrub(r.readily(ctx, st, &e))
	if ctx.Err() != nil {
		err = errInterrupted // what was seen while it was cut off tells nothing, and nothing is begun
	}
	class := provider.ClassOf(err, provider.Transient) // it only reads
	if err == nil {
		if err := r.begin(ctx, st, a.number); err != nil {
			return "", err
		}
		e, err = r.safely(ctx, st, a)
		for k, v := range e.Facts {
			e.Facts[k] = r.said(v)
		}
		if err == nil {
			e.Started = started
			return "", r.did(st, a.number, e)
		}
		err = r.scrub(err)
		class = r.classify(st, err)
		if class == provider.Ambiguous {
			a.uncertain = true
		}
	}
	if errors.Is(err, errPoisoned) {
		return "", err
	}
	e.Started = started
	return class, r.fail(ctx, st, *a, e, err)
}

// begin makes the intention durable, for steps that have an effect.
func (r *reset) begin(ctx context.Context, st config.Step, number int) error {
	address := st.Addr.String()
	start := event.Event{Type: event.StepStarted, Level: event.Info, Message: address + ": started",
		Step: address, Phase: string(st.Phase), Attempt: number}
	if !r.effective(st.Phase) {
		r.tell(start)
		return nil
	}
	before := r.past.steps[address]
	if err := r.queue(&st, journal.Intend, number, entry{Started: r.x.now()}); err != nil {
		return err
	}
	r.tell(start)
	err := r.flush(ctx)
	if err != nil {
		r.past.steps[address] = before // nothing was begun
	}
	return err
}

// did records success. It becomes durable with the next intention or at
// the end, since nothing outside happens in between.
func (r *reset) did(st config.Step, number int, e entry) error {
	clock := r.x.clock()
	if err := r.queue(&st, journal.Done, number, e); err != nil {
		return err
	}
	p := r.past.steps[st.Addr.String()]
	p.clock = clock
	r.past.steps[st.Addr.String()] = p
	r.tell(event.Event{Type: event.StepCompleted, Level: event.Info, Message: st.Addr.String() + ": done",
		Step: st.Addr.String(), Phase: string(st.Phase), Attempt: number, Proof: string(e.Proof), Detail: e.Facts["detail"]})
	return nil
}

// fail records that an attempt failed, and whether it, or one before it, may
// have had its effect all the same.
func (r *reset) fail(ctx context.Context, st config.Step, a attempt, e entry, cause error) error {
	kind := journal.Failed
	if a.uncertain {
		kind = journal.Unknown
	}
	e.Error = cause.Error()
	if err := r.queue(&st, kind, a.number, e); err != nil {
		return err
	}
	r.tell(event.Event{Type: event.StepFailed, Level: event.Error, Message: st.Addr.String() + ": " + cause.Error(),
		Step: st.Addr.String(), Phase: string(st.Phase), Attempt: a.number, Outcome: string(kind)})
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
	var held *Held
	switch {
	case isNotAccepted(err) || errors.As(err, &held):
		return provider.Permanent
	case errors.Is(err, errInterrupted): // before anything was begun
		return provider.Transient
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fallback
	}
	return provider.ClassOf(err, fallback)
}

// act does what a step is for.
func (r *reset) act(ctx context.Context, st config.Step, a *attempt) (entry, error) {
	timeout := cmp.Or(st.Timeout, defaultTimeout)
	if st.Phase == lifecycle.Terminate { // its waits are as long as the target says
		return r.terminate(ctx, st, a, timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch st.Phase {
	case lifecycle.Verify:
		return r.verify()
	case lifecycle.Approve:
		return r.approve()
	case lifecycle.Issue:
		return r.issue(ctx, st, a)
	case lifecycle.Install:
		return r.install(ctx, st, a)
	case lifecycle.Confirm:
		return r.confirm(ctx, st)
	case lifecycle.Distribute:
		return r.distribute(ctx, st)
	case lifecycle.Reload:
		return r.reload(ctx, st)
	case lifecycle.Revoke:
		return r.revoke(ctx, st, a)
	case lifecycle.Prove:
		return r.prove(ctx)
	case lifecycle.Notify:
		return r.notify(ctx, st)
	}
	return entry{}, provider.Errorf(provider.Permanent, "the phase %q is unknown to this version", st.Phase)
}
