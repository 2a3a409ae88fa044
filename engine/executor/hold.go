package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/remint-dev/remint/engine/journal"
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
