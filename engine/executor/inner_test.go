package executor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/dag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// A mark is the same for good: a later version finds by it what this one left behind.
func TestTheMarkOfAVersion(t *testing.T) {
	t.Parallel()
	r := bare(lifecycle.Cutover, lifecycle.Overlapping)
	for step, want := range map[string]string{"install.it": "run-1.d25af5efeb", "issue.it": "run-1.c7090896c0"} {
		if got := r.label(step); got != want {
			t.Errorf("%s: %s, want %s", step, got, want)
		}
	}
}

// How often, and after how long, a step is tried again.
func TestWhenToTryAgain(t *testing.T) {
	t.Parallel()
	type again struct {
		Delay time.Duration
		More  bool
	}
	for _, tc := range []struct {
		retry config.Retry
		want  []again
	}{
		{config.Retry{}, []again{{time.Second, true}, {2 * time.Second, true}, {4 * time.Second, false}}},
		{config.Retry{Attempts: 1}, []again{{time.Second, false}}},
		{config.Retry{Attempts: 4, Delay: time.Minute}, []again{{time.Minute, true}, {2 * time.Minute, true}, {4 * time.Minute, true}, {8 * time.Minute, false}}},
	} {
		var got []again
		for try := range tc.want {
			delay, more := tryAgain(tc.retry, try+1)
			got = append(got, again{delay, more})
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.retry, diff)
		}
	}
}

// From when on a session is the new secret's. Where two can live, the old one lives
// until it is revoked; in place, until the new one took its place. How long ago that
// was, only the process knows that did it.
func TestTheCutoff(t *testing.T) {
	t.Parallel()
	installed, revoked := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		kind              lifecycle.Kind
		installed, revoke time.Time
		want              time.Time
	}{
		{lifecycle.InPlace, installed, time.Time{}, installed},
		{lifecycle.InPlace, installed, revoked, installed},
		{lifecycle.InPlace, time.Time{}, revoked, revoked},
		{lifecycle.Overlapping, installed, revoked, revoked},
		{lifecycle.Minted, time.Time{}, revoked, revoked},
	} {
		r := bare(lifecycle.Contain, tc.kind)
		r.x = &Executor{Clock: atNoon}
		for phase, at := range map[lifecycle.Phase]time.Time{lifecycle.Install: tc.installed, lifecycle.Revoke: tc.revoke} {
			st := config.Step{Phase: phase, Addr: addrs.Step{Phase: string(phase), Name: "it"}}
			r.steps = append(r.steps, st)
			r.past.steps[st.Addr.String()] = progress{kind: journal.Done, entry: entry{At: at}}
		}
		for _, clock := range []time.Time{{}, noon.Add(-time.Minute)} {
			for address, p := range r.past.steps {
				if p.clock = (time.Time{}); p.entry.At.Equal(tc.want) {
					p.clock = clock
				}
				r.past.steps[address] = p
			}
			since := noon // what an earlier process did may have been right now
			if !clock.IsZero() {
				since = clock
			}
			if w, err := r.window(context.Background()); err != nil || !w.cutoff.Equal(tc.want) || !w.since.Equal(since) || w.back || w.settle != 0 {
				t.Errorf("%s, installed %s, revoked %s: %+v, %v", tc.kind, tc.installed, tc.revoke, w, err)
			}
		}
	}
}

// Under what a credential is leased: what names it at its target, and nothing else
// that is said of it; its address where nothing does.
func TestWhatIsLeased(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		attributes []provider.Attribute
		values     map[string]any
		want       string
	}{
		{nil, nil, "db-1 t credential.t.a"},
		{[]provider.Attribute{{Name: "role", Key: true}, {Name: "note"}}, map[string]any{"role": "app", "note": "x"}, "db-1 t app"},
		{[]provider.Attribute{{Name: "role", Key: true}, {Name: "host", Key: true}}, map[string]any{"role": "app"}, "db-1 t app"},
		{[]provider.Attribute{{Name: "role", Key: true}, {Name: "host", Key: true}}, map[string]any{"role": "app", "host": "h"}, "db-1 t app h"},
		{[]provider.Attribute{{Name: "note"}}, map[string]any{"note": "x"}, "db-1 t credential.t.a"},
	} {
		p := bare(lifecycle.Cutover, lifecycle.InPlace).Reset
		p.Credential.Type.Name, p.Credential.Type.Schema.Attributes, p.Credential.Attrs = "t", tc.attributes, provider.NewAttrs(tc.values)
		if got := leaseKey(p); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.values, got, tc.want)
		}
	}
}

// A reset whose turn comes after the run was stopped is not begun.
func TestStoppedBeforeItsTurn(t *testing.T) {
	t.Parallel()
	soft, stop := context.WithCancel(context.Background())
	stop()
	begun := newHistory()
	begun.steps["install.it"] = progress{kind: journal.Done, intended: true}
	for want, past := range map[Outcome]*history{NotStarted: newHistory(), Halted: begun} {
		res, err := (&run{}).visit(context.Background(), soft, bare(lifecycle.Cutover, lifecycle.InPlace).Reset, past, nil)
		if !errors.Is(err, errInterrupted) || res.Outcome != want || !res.Open || res.Changed != (want == Halted) || res.Address != "credential.t.a" {
			t.Errorf("%+v, %v", res, err)
		}
	}
}

// What was not begun is left for a resume when what it depends on is open, however
// far away, and is over when that is; forty layers of two take no time.
func TestWhatIsLeftOfWhatDependsOnAnother(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		file := &plan.File{Plan: plan.Plan{Resets: []plan.Reset{{Address: "root"}}}}
		skipped := map[string]error{}
		below := []string{"root"}
		for layer := range 40 {
			var next []string
			for _, side := range []string{"left", "right"} {
				address := fmt.Sprint(side, layer)
				file.Plan.Resets = append(file.Plan.Resets, plan.Reset{Address: address, DependsOn: below})
				skipped[address] = &dag.Skipped{On: below[0], Cause: errors.New("it did not finish")}
				next = append(next, address)
			}
			below = next
		}
		file.Plan.Resets = append(file.Plan.Resets, plan.Reset{Address: "alone"})
		skipped["alone"] = &dag.Skipped{Cause: context.Canceled}
		r := &run{
			x: &Executor{Events: event.Discard, Now: time.Now}, job: &Job{File: file},
			results: map[string]ResetResult{"root": {Address: "root", Open: open}},
		}
		begun := newHistory()
		begun.steps["install.it"] = progress{kind: journal.Done, intended: true}
		r.skip(skipped, map[string]*history{"left7": begun, "right7": newHistory()})
		if len(r.results) != 82 {
			t.Errorf("%d results", len(r.results))
		}
		for address, x := range r.results {
			switch {
			case address == "root":
			case address == "alone":
				if x.Outcome != NotStarted || !x.Open || x.Error != "interrupted" {
					t.Errorf("%+v", x)
				}
			case address == "left7":
				if x.Outcome != Halted || !x.Open || !x.Changed {
					t.Errorf("%+v", x)
				}
			case x.Outcome != NotStarted || x.Changed || x.Open != open:
				t.Errorf("root open %v: %+v", open, x)
			}
		}
	}
}
