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

// The window has passed once it has by the target's clock and by this process's own,
// which nobody sets: a leap ahead skips nothing of it, and a step back adds nothing
// that would not end.
func TestWhenTheWindowHasPassed(t *testing.T) {
	t.Parallel()
	type look struct{ then, now, left time.Duration } // since the change, by the target's clock and the own
	for name, looks := range map[string][]look{
		"both go on":            {{0, 0, time.Minute}, {59 * time.Second, 59 * time.Second, time.Second}, {time.Minute, time.Minute, 0}},
		"the own one is behind": {{10 * time.Second, 4 * time.Second, 56 * time.Second}, {66 * time.Second, time.Minute, 0}},
		"the target leaps":      {{time.Second, time.Second, 59 * time.Second}, {24 * time.Hour, 2 * time.Second, 58 * time.Second}, {25 * time.Hour, time.Minute, 0}},
		"the target is stopped": {{time.Second, time.Second, 59 * time.Second}, {time.Second, time.Hour, 59 * time.Second}, {time.Minute, 2 * time.Hour, 0}},
		"it steps back":         {{30 * time.Second, 30 * time.Second, 30 * time.Second}, {-time.Hour, 40 * time.Second, 20 * time.Second}, {-59 * time.Minute, time.Minute, 0}},
		"before it is asked":    {{-time.Second, 5 * time.Second, 55 * time.Second}, {time.Second, 65 * time.Second, 0}},
		"back, and ahead again": {{30 * time.Second, 30 * time.Second, 30 * time.Second}, {-time.Hour, 31 * time.Second, 29 * time.Second}, {time.Hour, 32 * time.Second, 28 * time.Second}},
	} {
		w := window{settle: time.Minute, cutoff: noon.AddDate(0, 1, 0), since: noon}
		w.last = w.cutoff
		for i, l := range looks {
			if got := w.left(w.cutoff.Add(l.then), noon.Add(l.now)); max(got, 0) != max(l.left, 0) {
				t.Errorf("%s, look %d: %s left, want %s", name, i, got, l.left)
			}
		}
	}
}
