package executor

import (
	"context"
	"errors"
	"slices"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// finish writes the end of one reset: the secrets that nobody needs any more
// are erased in the same breath.
func (r *reset) finish(ctx context.Context, outcome Outcome, cause error) (ResetResult, error) {
	out := ResetResult{Address: r.address, Outcome: outcome, Proof: r.proof(), Changed: r.changed}
	e := entry{Outcome: outcome, Proof: out.Proof, Version: r.current()}
	if cause != nil {
		e.Error, out.Error = cause.Error(), cause.Error()
		var at *stepError
		if errors.As(cause, &at) {
			out.Step = at.step
		}
	}
	if err := r.queue(nil, journal.Ended, 0, e); err != nil {
		return out, err
	}
	out.record = r.past.lastLine
	if outcome != Halted {
		r.batch.Erase = append(r.batch.Erase, journal.Sealed{Run: r.job.Run, Address: r.address, Name: OldSecret})
		if issued := r.issued(); issued != "" && (len(r.Credential.Stores) > 0 || outcome != Finished) {
			r.batch.Erase = append(r.batch.Erase, journal.Sealed{Run: r.job.Run, Address: r.address, Name: issued})
		}
	}
	if outcome == Finished {
		r.batch.Finished = append(r.batch.Finished, journal.Finished{
			Address: r.address, Run: r.job.Run, At: r.x.now(), Proof: string(out.Proof), Version: e.Version, Mode: string(r.mode()),
		})
	}
	return out, r.flush(ctx)
}

// mayRollBack reports whether the old one is untouched and the new one can be
// taken back: a cutover of a type whose versions overlap, before distribute.
func (r *reset) mayRollBack() bool {
	if r.mode() != lifecycle.Cutover || r.inPlace() || r.current() == "" {
		return false
	}
	return !slices.ContainsFunc(r.Plan.Steps, func(s plan.Step) bool {
		return (s.Phase == lifecycle.Distribute || s.Phase == lifecycle.Revoke) && r.past.steps[s.Address].begun
	})
}

// rollBack takes the new version back.
func (r *reset) rollBack(ctx context.Context) error {
	revoker, ok := r.target.(provider.Revoker)
	if !ok {
		return errCapability("revoke")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
	defer cancel()
	_, err := revoker.Revoke(ctx, r.mutation("roll_back", 1), []string{r.current()})
	return err
}
