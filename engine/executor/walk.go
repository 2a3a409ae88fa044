package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/remint-dev/remint/engine/dag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
)

// walk carries out every reset of the job, those that do not depend on each
// other side by side. One that does not finish keeps what depends on it from
// beginning, and nothing else.
func (r *run) walk(ctx, soft context.Context, histories map[string]*history) {
	g := dag.New[string]()
	todo := map[string]*planner.Reset{}
	for _, p := range r.job.Resets {
		todo[p.Plan.Address] = p
	}
	for _, p := range r.job.File.Plan.Resets {
		g.Add(p.Address)
		for _, d := range p.DependsOn {
			g.Connect(p.Address, d)
		}
	}
	skipped := g.Walk(soft, r.x.Parallelism, func(_ context.Context, address string, slot *dag.Slot) error {
		p := todo[address]
		if p == nil {
			return errors.New("it was refused")
		}
		past := histories[address]
		if past == nil {
			past = newHistory()
		}
		res, err := r.visit(ctx, soft, p, past, slot)
		r.end(res)
		return err
	})
	for address, cause := range skipped {
		r.end(ResetResult{Address: address, Outcome: NotStarted, Error: cause.Error()})
	}
}

// visit does one reset, as far as it goes.
func (r *run) visit(ctx, soft context.Context, p *planner.Reset, past *history, w waiter) (ResetResult, error) {
	address := p.Plan.Address
	if e := past.ended; e != nil && e.Outcome != Halted {
		// It came to an end in an earlier process; what it had sealed is gone.
		res := ResetResult{Address: address, Outcome: e.Outcome, Proof: e.Proof, Error: e.Error, record: past.lastLine,
			Changed: e.Outcome == Finished || e.Outcome == RolledBack}
		if e.Outcome != Finished {
			return res, fmt.Errorf("it ended as %s", e.Outcome)
		}
		return res, nil
	}
	if soft.Err() != nil {
		return ResetResult{Address: address, Outcome: NotStarted, Error: errInterrupted.Error()}, errInterrupted
	}
	x, err := r.x.open(ctx, soft, r.job, p, past, w)
	if err != nil {
		outcome := Failed
		if len(past.steps) > 0 {
			outcome = Halted
		}
		return ResetResult{Address: address, Outcome: outcome, Changed: outcome == Halted, Error: err.Error()}, err
	}
	x.changed = x.touched()
	x.tell(event.Event{Type: event.ResetStarted, Level: event.Info, Message: address + ": started"})
	cause := x.run(ctx)
	if cause == nil {
		cause = x.judge(ctx, true)
	}
	res, err := r.settle(ctx, x, cause)
	if err != nil {
		res.Error = err.Error()
		if res.Outcome == Finished {
			res.Outcome = Halted
		}
		return res, err
	}
	if res.Outcome != Finished {
		return res, fmt.Errorf("%s", res.Error)
	}
	return res, nil
}

// settle decides how a reset ended, and writes that down.
func (r *run) settle(ctx context.Context, x *reset, cause error) (ResetResult, error) {
	switch {
	case cause == nil:
		return x.finish(ctx, Finished, nil)
	case errors.Is(cause, errPoisoned):
		return ResetResult{Address: x.address, Outcome: Halted, Proof: x.proof(), Changed: x.changed, Error: cause.Error()}, cause
	case errors.Is(cause, errDrift) && !x.changed:
		return x.finish(ctx, Refused, cause)
	case isNotAccepted(cause) && x.mayRollBack():
		if err := x.rollBack(ctx); err != nil {
			cause = fmt.Errorf("%w; taking it back failed too: %w", cause, err)
			break
		}
		x.halted(ctx, fmt.Errorf("%w; the new one was taken back, the old one still works", cause))
		return x.finish(ctx, RolledBack, cause)
	case !x.changed && !errors.Is(cause, errInterrupted):
		return x.finish(ctx, Failed, cause)
	}
	if x.changed && !errors.Is(cause, errInterrupted) {
		x.halted(ctx, cause)
	}
	return x.finish(ctx, Halted, cause)
}

// touched reports whether an earlier process may have changed something outside.
func (r *reset) touched() bool {
	for _, st := range r.steps {
		if st.Phase != lifecycle.Prove && r.effective(st.Phase) && r.past.steps[st.Addr.String()].begun {
			return true
		}
	}
	return false
}
