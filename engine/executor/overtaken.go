package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
)

// overtaken says in the record of a resume what is done about an earlier process of
// this run that may be stopped only, and wake: before anything else, the target of
// each reset that it had begun is told of the new fencing token. That is announced
// here, and changes no credential.
func (r *run) overtaken(histories map[string]*history) map[string]string {
	var list []string
	for i := range r.job.File.Plan.Resets {
		p := &r.job.File.Plan.Resets[i]
		if lease := r.job.Leases[p.Address]; feared(lease, histories[p.Address]) {
			list = append(list, fmt.Sprintf("%s (token %d)", p.Address, lease.Fence))
		}
	}
	if len(list) == 0 {
		return r.job.Gate.Told
	}
	facts := maps.Clone(r.job.Gate.Told)
	if facts == nil {
		facts = map[string]string{}
	}
	facts["overtaken"] = "an earlier process of this run may be stopped only, and wake; before anything else, the target is told to reject it: " + strings.Join(list, ", ")
	return facts
}

// feared reports whether an earlier process may be right before a change of the
// reset's target. It announced every effect before it began, and can write nothing
// any more: of a reset in which none was announced nothing is to be feared.
func feared(l journal.Lease, h *history) bool {
	return l.Overtaken && h != nil && h.begun() && (h.ended == nil || h.ended.Outcome == Halted)
}

// outlast has the target reject whoever had this run before and may wake, so that
// what is seen of the target from now on stays so. broken is why the target cannot be
// asked. Until that is done, nothing is done, and nothing is said of how the reset
// ended.
func (r *reset) outlast(ctx context.Context, broken error) error {
	if !feared(r.job.Leases[r.address], r.past) {
		return nil
	}
	err := broken
	for try := 1; err == nil; try++ {
		if err = r.scrub(r.fence(ctx)); err == nil {
			r.marked = true
			return nil
		}
		delay, again := tryAgain(config.Retry{}, try)
		class := provider.ClassOf(err, provider.Transient)
		again = again && (class == provider.Transient || class == provider.Ambiguous) && !errors.Is(err, errPoisoned)
		if again && r.wait.Wait(r.soft, delay) == nil {
			err = nil
		}
	}
	if errors.Is(err, errPoisoned) {
		return err
	}
	return fmt.Errorf("an earlier process of this run may be stopped only, and wake, and %s could not be told to reject it, so nothing was done: %w. "+
		"Mend this, or end that process, then resume", r.Plan.Observed.Target, err)
}

// fence tells the target once. Where the credential is gone there is nothing to be
// changed.
func (r *reset) fence(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = provider.Errorf(provider.Permanent, "a defect: the code that tells the target panicked at %s. Please report it", panicPlace())
		}
	}()
	fencer, ok := r.target.(provider.Fencer)
	if !ok {
		return errCapability("fence")
	}
	if err := r.mine(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	err = fencer.Fence(ctx, r.mutation("fence", 0))
	if provider.ClassOf(err, provider.Ambiguous) == provider.NotFound {
		return nil
	}
	return err
}
