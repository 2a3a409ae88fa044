package executor

import (
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
)

// Where somebody may have the old secret, a login with it lives a sixteenth of the
// window at most; where nobody is known to, a quarter. The last sweep comes right
// after the window.
func TestWhenToSweepAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode               lifecycle.Mode
		settle, left, want time.Duration
	}{
		{lifecycle.Cutover, time.Minute, time.Minute, 15 * time.Second},
		{lifecycle.Contain, time.Minute, time.Minute, 3750 * time.Millisecond},
		{lifecycle.Retire, time.Minute, time.Minute, 3750 * time.Millisecond},
		{lifecycle.Cutover, 2 * time.Second, 2 * time.Second, time.Second},
		{lifecycle.Contain, 2 * time.Second, 2 * time.Second, 200 * time.Millisecond},
		{lifecycle.Cutover, time.Minute, time.Second, 1010 * time.Millisecond},
		{lifecycle.Contain, time.Minute, 50 * time.Millisecond, 60 * time.Millisecond},
	} {
		if got := sweepAgain(tc.mode, tc.settle, tc.left); got != tc.want {
			t.Errorf("%s, %s left of %s: in %s, want %s", tc.mode, tc.left, tc.settle, got, tc.want)
		}
	}
}
