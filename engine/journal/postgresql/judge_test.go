package postgresql

import (
	"errors"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
)

// Who is taken over from, and when, to the nanosecond: by what is known of the holder.
func TestJudge(t *testing.T) {
	t.Parallel()
	const taken, refused, waits = "taken over", "refused", "waits"
	for name, tc := range map[string]struct {
		h      standing
		want   string
		silent time.Duration
		own    bool // it is asked for the run that the holder has
	}{
		"alive":                           {standing{session: true, silent: stale - 1}, refused, 0, false},
		"alive, its own run":              {standing{session: true, fenced: true, silent: stale - 1}, refused, 0, true},
		"alive and fenced":                {standing{session: true, fenced: true, silent: stale - 1}, refused, 0, false},
		"by a clock that went back":       {standing{session: true, fenced: true, silent: -time.Hour}, refused, 0, true},
		"stopped, not fenced":             {standing{session: true, silent: stale}, refused, stale, true},
		"stopped for long, not fenced":    {standing{session: true, silent: time.Hour}, refused, time.Hour, false},
		"stopped and fenced":              {standing{session: true, fenced: true, silent: stale}, refused, stale, false},
		"stopped, fenced, its own run":    {standing{session: true, fenced: true, silent: stale}, taken, 0, true},
		"gone just now":                   {standing{silent: grace - 1}, waits, 0, false},
		"gone just now and fenced":        {standing{fenced: true, silent: grace - 1}, waits, 0, true},
		"gone, by a clock that went back": {standing{silent: -87600 * time.Hour}, waits, 0, false},
		"dead":                            {standing{silent: grace}, taken, 0, false},
	} {
		tc.h.run, tc.h.holder, tc.h.age = "r1", "ann on h, process 1", time.Minute
		err := tc.h.judge("a key", tc.own)
		got := taken
		var held *journal.HeldError
		var soon *soonError
		switch {
		case errors.As(err, &held):
			got = refused
			if held.Silent != tc.silent || held.Fenced != (tc.silent > 0 && tc.h.fenced) || held.Run != "r1" || held.Key != "a key" || held.Holder != tc.h.holder || held.Age != time.Minute {
				t.Errorf("%s: %+v", name, held)
			}
		case errors.As(err, &soon):
			got = waits
			if soon.wait <= min(grace, grace-tc.h.silent) || soon.wait > grace+time.Second {
				t.Errorf("%s: waits %s", name, soon.wait)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
