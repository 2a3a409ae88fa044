package executor

import (
	"context"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// Observed gives what a run has observed of each of these resets so far, by address,
// as its result policies are told it at the end. A reset of which the run has no
// record is not there.
func Observed(ctx context.Context, j journal.Journal, run string, resets []*planner.Reset) (map[string]*policy.Result, error) {
	histories, err := historiesOf(ctx, j, run, nil)
	if err != nil {
		return nil, err
	}
	out := map[string]*policy.Result{}
	for _, p := range resets {
		past := histories[p.Plan.Address]
		if past == nil {
			continue
		}
		steps, diags := p.Expand()
		if diags.HasErrors() {
			return nil, diags.Err()
		}
		r := &reset{Reset: p, steps: steps, past: past}
		out[p.Plan.Address] = r.result(true)
	}
	return out, nil
}
