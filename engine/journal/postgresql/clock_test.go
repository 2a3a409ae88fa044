package postgresql

import (
	"errors"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
)

// How long ago something was is told by the clock that saw most of it pass: Go's stands
// still while the machine is suspended, and the wall's may be set back.
func TestSince(t *testing.T) {
	t.Parallel()
	began := time.Now()
	wall := began.Round(0)
	for name, tc := range map[string]struct{ then, now instant }{
		"awake":                         {instant{began, 0}, instant{began.Add(time.Minute), 0}},
		"suspended, by the boot clock":  {instant{began, time.Hour}, instant{began, time.Hour + time.Minute}},
		"suspended, by the wall":        {instant{wall, 0}, instant{wall.Add(time.Minute), 0}},
		"suspended, the wall set back":  {instant{wall, time.Hour}, instant{wall.Add(-time.Hour), time.Hour + time.Minute}},
		"the wall set back, when awake": {instant{wall, time.Hour}, instant{wall.Add(-24 * time.Hour), time.Hour + time.Minute}},
	} {
		if got := tc.now.since(tc.then); got != time.Minute {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := now().since(instant{}); got < trust {
		t.Errorf("since never: %s", got)
	}
	a, b := now(), now()
	if got := b.since(a); got < 0 || got > time.Minute {
		t.Errorf("since just now: %s", got)
	}
}

// A machine that was suspended wakes with an old answer, and asks anew, though by Go's
// clock no time has passed.
func TestAnswersFromBeforeSuspension(t *testing.T) {
	t.Parallel()
	clock := instant{at: time.Now(), boot: time.Hour}
	p := &presence{clock: func() instant { return clock }, beats: make(chan chan struct{}), ended: make(chan struct{}), at: clock, runs: map[string]bool{"r1": true}}
	p.a.opts.Patience = time.Minute
	asked := 0
	go func() {
		for done := range p.beats {
			p.mu.Lock()
			p.at, p.runs = clock, map[string]bool{}
			p.mu.Unlock()
			asked++
			close(done)
		}
	}()
	defer close(p.beats)
	if err := p.holds(t.Context(), "r1"); err != nil || asked > 0 {
		t.Fatalf("before: %v, asked %d times", err, asked)
	}
	clock.boot += trust
	if err := p.holds(t.Context(), "r1"); !errors.Is(err, journal.ErrLost) || asked != 1 {
		t.Errorf("after: %v, asked %d times", err, asked)
	}
}
