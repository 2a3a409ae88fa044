package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// finish writes the end of one reset: the secrets that nobody needs any more
// are erased in the same breath.
func (r *reset) finish(ctx context.Context, outcome Outcome, cause error) (ResetResult, error) {
	out := ResetResult{
		Address: r.address, Outcome: outcome, Proof: r.proof(), Changed: r.begun(), Open: outcome == Halted,
		Step: stepOf(cause), Exit: exitOf(outcome, cause), First: first(r.Plan), Absent: absent(r.job, r.Plan), Asserted: r.asserted(),
	}
	e := entry{Outcome: outcome, Proof: out.Proof, Version: r.current(), Judged: r.judged}
	if cause != nil {
		e.Error, out.Error = cause.Error(), cause.Error()
	}
	if outcome == Halted {
		e.Question = r.question(cause)
		out.Question = e.Question
	}
	if r.void != "" {
		e.fact(voidFact, "%s", r.void)
	}
	if a := r.given; a != nil {
		e.Answer, e.AssertedBy, e.Resolution = a.Answer, a.By, a.Document.Content
	}
	if outcome != Halted {
		out.Sealed, out.SealedOld = r.keep(outcome, cause)
		e.Sealed, e.SealedOld = out.Sealed, out.SealedOld
	}
	if err := r.queue(nil, journal.Ended, 0, e); err != nil {
		return out, err
	}
	out.record = r.past.lastLine
	if outcome == Finished {
		r.batch.Finished = append(r.batch.Finished, journal.Finished{
			Address: r.address, Run: r.job.Run, At: r.x.now(), Proof: string(out.Proof), Version: e.Version, Mode: string(r.mode()),
		})
	}
	return out, r.flush(ctx)
}

// first reports whether there is no old one to kill.
func first(p *plan.Reset) bool { return !p.Observed.Exists && len(p.Observed.Versions) == 0 }

// absent reports whether nothing is there to be retired.
func absent(j *Job, p *plan.Reset) bool { return j.File.Plan.Mode == lifecycle.Retire && first(p) }

// complete reports whether every step is done.
func (r *reset) complete() bool {
	return !slices.ContainsFunc(r.steps, func(st config.Step) bool { return !r.past.steps[st.Addr.String()].done() })
}

// rollBackStep is the step that takes a new version back: no runbook's, and begun
// like any other.
func rollBackStep() config.Step {
	return config.Step{Addr: addrs.Step{Phase: "roll_back", Name: "new"}, Phase: lifecycle.Revoke}
}

// rollingBack reports whether taking the new one back was begun.
func (r *reset) rollingBack() bool {
	p := r.past.steps[rollBackStep().Addr.String()]
	return p.effect() || p.denied
}

// mayRollBack reports whether the old one is untouched and the new one can be
// taken back: a cutover of a type whose versions overlap, before distribute.
func (r *reset) mayRollBack() bool {
	if r.mode() != lifecycle.Cutover || r.inPlace() || r.current() == "" {
		return false
	}
	return !slices.ContainsFunc(r.Plan.Steps, func(s plan.Step) bool {
		return (s.Phase == lifecycle.Distribute || s.Phase == lifecycle.Revoke) && r.past.steps[s.Address].effect()
	})
}

// takeBack revokes the new version, and ends the reset; where that fails, resume
// goes on with it, unless somebody else reset the credential meanwhile. The old one was
// not touched.
func (r *reset) takeBack(ctx context.Context, cause error) (ResetResult, error) {
	if cause == nil {
		cause = errors.New("the new secret was not accepted")
	}
	st := rollBackStep()
	if !r.past.steps[st.Addr.String()].done() {
		err := r.execute(ctx, st)
		switch {
		case errors.Is(err, errSuperseded):
			cause = r.withKept(&stepError{st.Addr.String(), err})
			r.tellOwner(ctx, cause)
			return r.finish(ctx, Superseded, cause)
		case err != nil:
			cause = &stepError{st.Addr.String(), fmt.Errorf("%w; taking it back failed too: %w", cause, err)}
			r.tellOwner(ctx, cause)
			return r.finish(ctx, Halted, cause)
		}
	}
	cause = fmt.Errorf("%w; the new one was taken back, the old one was not touched", cause)
	r.tellOwner(ctx, cause)
	return r.finish(ctx, RolledBack, cause)
}
