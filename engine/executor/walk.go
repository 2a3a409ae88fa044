package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/dag"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
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
	r.awaited = r.awaits(histories)
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
	r.skip(skipped, histories)
}

// skip ends the resets that were not begun. One is left open when a resume could
// begin it: the walk was interrupted, or what it depends on is open itself.
func (r *run) skip(skipped map[string]error, histories map[string]*history) {
	byAddress := map[string]*plan.Reset{}
	for i := range r.job.File.Plan.Resets {
		byAddress[r.job.File.Plan.Resets[i].Address] = &r.job.File.Plan.Resets[i]
	}
	known := map[string]bool{}
	var open func(address string) bool
	open = func(address string) bool {
		cause, was := skipped[address]
		if !was {
			return r.results[address].Open
		}
		if is, ok := known[address]; ok {
			return is
		}
		var why *dag.Skipped
		is := errors.As(cause, &why) && why.On == "" || slices.ContainsFunc(byAddress[address].DependsOn, open)
		known[address] = is
		return is
	}
	for _, p := range r.job.File.Plan.Resets { // in the plan's order
		cause, was := skipped[p.Address]
		if !was {
			continue
		}
		if errors.Is(cause, context.Canceled) {
			cause = errInterrupted
		}
		r.end(notBegun(p.Address, histories[p.Address], open(p.Address), cause))
	}
}

// notBegun is the end of a reset that this process did not begin; an earlier one
// may have.
func notBegun(address string, past *history, open bool, cause error) ResetResult {
	res := ResetResult{Address: address, Outcome: NotStarted, Open: open, Error: cause.Error()}
	if past != nil && past.begun() {
		res.Outcome, res.Changed, res.Open = Halted, true, true
	}
	return res
}

// visit does one reset, as far as it goes.
func (r *run) visit(ctx, soft context.Context, p *planner.Reset, past *history, w waiter) (ResetResult, error) {
	address := p.Plan.Address
	if e := past.ended; e != nil && e.Outcome != Halted {
		// It came to an end in an earlier process.
		res := ResetResult{Address: address, Outcome: e.Outcome, Proof: e.Proof, Error: e.Error, record: past.lastLine,
			Changed: slices.Contains([]Outcome{Finished, RolledBack, Denied, Superseded, Abandoned}, e.Outcome), Exit: exitOf(e.Outcome, nil),
			First: first(p.Plan), Absent: absent(r.job, p.Plan), Sealed: e.Sealed, SealedOld: e.SealedOld}
		if e.Outcome != Finished {
			return res, fmt.Errorf("it ended as %s", e.Outcome)
		}
		return res, nil
	}
	if soft.Err() != nil {
		return notBegun(address, past, true, errInterrupted), errInterrupted
	}
	asked := past.open()
	x, ends, err := r.x.open(ctx, soft, r.job, p, past, w)
	if x != nil {
		if feared := x.outlast(ctx, err); feared != nil {
			return ResetResult{Address: address, Outcome: Halted, Changed: true, Open: true, Error: feared.Error(), Question: asked}, feared
		}
	}
	if ends != nil {
		return x.abandon(ctx, ends)
	}
	if err != nil && (x == nil || !x.begun()) {
		res := ResetResult{Address: address, Outcome: Failed, Error: err.Error(), Question: past.open()}
		switch {
		case past.begun():
			res.Outcome, res.Changed, res.Open = Halted, true, true
		case past.known(): // it has records, and maybe secrets, that only its own end may follow
			res.Outcome, res.Open = NotStarted, true
		}
		return res, err
	}
	if shut := r.job.Unopened; shut != nil && !x.begun() {
		return r.unbegun(ctx, x, shut)
	}
	x.tell(event.Event{Type: event.ResetStarted, Level: event.Info, Message: address + ": started"})
	cause := err
	if cause == nil && !x.rollingBack() {
		if cause = x.run(ctx); cause == nil {
			cause = x.judge(ctx, true, &x.judged)
		}
	}
	res, err := x.settle(ctx, cause)
	if err != nil {
		res.Error = err.Error()
		if res.Outcome == Finished || errors.Is(err, errPoisoned) { // its end is not written down
			res.Outcome, res.Open = Halted, true
		}
		return res, err
	}
	if res.Outcome != Finished {
		return res, errors.New(res.Error)
	}
	return res, nil
}

// unbegun is the end of a reset that changed nothing yet, in a run whose seal does not
// open here: what it would make or kill could not be kept. As long as the run waits for
// the seal anyway it stays open, for a process that has the seal; otherwise it ends, so
// that the run does.
func (r *run) unbegun(ctx context.Context, x *reset, shut error) (ResetResult, error) {
	cause := fmt.Errorf("what this run has sealed cannot be opened here, so nothing more is begun: %w", shut)
	if r.awaited {
		return notBegun(x.address, x.past, true, cause), cause
	}
	res, err := x.finish(ctx, Failed, fmt.Errorf("%w. Plan a reset of it again", cause))
	if err == nil {
		err = cause
	}
	return res, err
}

// awaits reports whether a reset of the job was begun and has not ended, nor has a
// person given it up.
func (r *run) awaits(histories map[string]*history) bool {
	return slices.ContainsFunc(r.job.Resets, func(p *planner.Reset) bool {
		h := histories[p.Plan.Address]
		if h == nil || !h.begun() || h.ended != nil && h.ended.Outcome != Halted {
			return false
		}
		given, err := (&reset{job: r.job, address: p.Plan.Address, past: h}).answer()
		return err != nil || given == nil || given.Step != ""
	})
}

// settle decides how a reset ended, and writes that down.
func (r *reset) settle(ctx context.Context, cause error) (ResetResult, error) {
	var held *Held
	switch {
	case r.rollingBack() || isNotAccepted(cause) && r.mayRollBack():
		return r.takeBack(ctx, cause)
	case cause == nil:
		return r.finish(ctx, Finished, nil)
	case errors.Is(cause, errPoisoned):
		// Who took the run over may have changed something in its name.
		changed := r.begun() || errors.Is(cause, journal.ErrLost)
		return ResetResult{Address: r.address, Outcome: Halted, Proof: r.proof(), Changed: changed, Open: true, Error: cause.Error()}, nil
	case errors.Is(cause, errSuperseded):
		cause = r.withKept(cause)
		r.tellOwner(ctx, cause)
		return r.finish(ctx, Superseded, cause)
	case errors.Is(cause, errDenied) && r.complete():
		r.tellOwner(ctx, cause)
		return r.finish(ctx, Denied, cause)
	case !r.begun() && errors.As(cause, &held):
		// Nothing was begun that could not wait: it is begun when its gates open.
		return ResetResult{Address: r.address, Outcome: NotStarted, Open: true, Step: stepOf(cause), Error: cause.Error(), Exit: held.Exit}, nil
	case errors.Is(cause, errDrift) && !r.begun():
		return r.finish(ctx, Refused, cause)
	case !r.begun() && !errors.Is(cause, errInterrupted):
		return r.finish(ctx, Failed, cause)
	}
	if !errors.Is(cause, errInterrupted) {
		r.tellOwner(ctx, cause)
	}
	return r.finish(ctx, Halted, cause)
}

// stepOf names the step at which err stopped a reset, "" if at none.
func stepOf(err error) string {
	var at *stepError
	if errors.As(err, &at) {
		return at.step
	}
	return ""
}

// exitOf is the exit code that a reset's end asks for when nothing was changed.
func exitOf(outcome Outcome, cause error) diag.Exit {
	switch {
	case outcome == Refused:
		return diag.ExitStale
	case errors.Is(cause, errDenied):
		return diag.ExitDenied
	}
	return diag.ExitError
}
