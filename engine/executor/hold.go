package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
)

// mine is asked right before each effect outside: a runner that was stopped, or
// cut off from the state, may have lost the run meanwhile to one that goes on with
// it, and changes nothing any more.
func (r *reset) mine(ctx context.Context) error {
	err := r.x.Journal.Holds(ctx, r.job.Run)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrLost):
		return fmt.Errorf("%w: %w; this one changes nothing more", errPoisoned, err)
	}
	return fmt.Errorf("%w: %w", errPoisoned, err)
}

// older refuses to begin with a state that is older than what a target remembers:
// a copy from before the last reset does not know of it, and gives out fencing
// tokens that were used before.
func (r *run) older() diag.Diagnostics {
	var diags diag.Diagnostics
	for _, p := range r.job.Resets {
		if lease := r.job.Leases[p.Plan.Address]; p.Fence > 0 && p.Fence >= lease.Fence {
			diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitError, Summary: "The state is older than the target", Address: p.Plan.Address,
				Detail: fmt.Sprintf("The target was changed with fencing token %d, and the next one of this state would be %d: it is an old copy, or another state. "+
					"Nothing was changed. Put the newest copy of the state back. (docs/operations.md says what to do when there is none.)", p.Fence, lease.Fence)})
		}
	}
	return diags
}

// behind is older for one reset, when it is looked at again before this process's
// first effect. Every process of a run has a token of its own: a mark with this one's is
// then of somebody who has it from another copy of the state, were it the same run's.
func (r *reset) behind(obs provider.Observation) error {
	lease := r.job.Leases[r.address]
	if obs.Fence < lease.Fence || obs.Fence == 0 || obs.Fence == lease.Fence && (r.marked || r.shares(lease)) {
		return nil
	}
	return provider.Errorf(provider.Permanent, "the target was changed with fencing token %d, and this run's is %d: the state is an old copy, or the run was taken over; "+
		"nothing more is changed here. Put the newest copy of the state back (docs/operations.md says what to do when there is none)", obs.Fence, lease.Fence)
}

// shares reports whether another reset of this run is of the same credential, under
// another address: the mark may be its.
func (r *reset) shares(lease journal.Lease) bool {
	for address, other := range r.job.Leases {
		if address != r.address && other.Key == lease.Key {
			return true
		}
	}
	return false
}
