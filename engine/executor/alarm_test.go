package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/provider"
)

// bell is a notifier that keeps what it sends.
type bell struct {
	name string
	sent *[]string
	// after is how often it rings before it breaks; -1 for good.
	after int
	calls *[]context.Context
}

// Send rings.
func (b *bell) Send(ctx context.Context, n provider.Notice) error {
	*b.calls = append(*b.calls, ctx)
	if b.after == 0 {
		b.after = -1
		return errors.New("no line")
	}
	b.after--
	*b.sent = append(*b.sent, b.name+" "+n.To+" "+n.ID)
	return nil
}

// That the glass was broken is told to everybody through every notifier that is
// named, once, before the run goes on; who could not be told is written down, and
// does not stop it.
func TestTheAlarm(t *testing.T) {
	t.Parallel()
	const a, b = " ann run-1/break_glass/1", " ben run-1/break_glass/2"
	told := map[string]string{"event": "told", "to": "ann, ben", "via mem.soc": "told", "via mem.oncall": "told"}
	with := func(key, value string) map[string]string {
		return map[string]string{"event": "told", "to": "ann, ben", "via mem.soc": "told", "via mem.oncall": "told", key: value}
	}
	refused := func(key, why string) string {
		return "That the glass is broken could not be told through " + key + ": " + why
	}
	for name, tc := range map[string]struct {
		change func(*run, *book)
		// broken are bells that break after so many rings, -1 for one that is not there.
		broken map[string]int
		sent   []string
		facts  map[string]string
		warned []string
		err    string
	}{
		"nobody broke it":     {change: func(r *run, _ *book) { r.job.BreakGlass = nil }},
		"they were told":      {change: func(r *run, _ *book) { r.told = true }},
		"all":                 {sent: []string{"soc" + a, "soc" + b, "oncall" + a, "oncall" + b}, facts: told},
		"one that is named":   {change: func(r *run, _ *book) { r.job.BreakGlass.Via = []string{"mem.oncall"} }, sent: []string{"oncall" + a, "oncall" + b}, facts: map[string]string{"event": "told", "to": "ann, ben", "via mem.oncall": "told"}},
		"the first is broken": {broken: map[string]int{"soc": 0}, sent: []string{"oncall" + a, "oncall" + b}, facts: with("via mem.soc", "not told: no line"), warned: []string{refused("mem.soc", "no line")}},
		"the last breaks":     {broken: map[string]int{"oncall": 1}, sent: []string{"soc" + a, "soc" + b, "oncall" + a}, facts: with("via mem.oncall", "not told: no line"), warned: []string{refused("mem.oncall", "no line")}},
		"one is not there":    {broken: map[string]int{"soc": -1}, sent: []string{"oncall" + a, "oncall" + b}, facts: with("via mem.soc", "not told: nobody there"), warned: []string{refused("mem.soc", "nobody there")}},
		"the run was lost": {
			change: func(_ *run, b *book) { b.unheld = errors.New("it is lost") },
			facts:  map[string]string{"event": "told", "to": "ann, ben", "via mem.soc": "not told: it is lost", "via mem.oncall": "not told: it is lost"},
			warned: []string{refused("mem.soc", "it is lost"), refused("mem.oncall", "it is lost")},
		},
		"it cannot be written": {change: func(_ *run, b *book) { b.unwritten = errGone }, sent: []string{"soc" + a, "soc" + b, "oncall" + a, "oncall" + b}, err: "gone"},
		"it cannot be filed":   {change: func(_ *run, b *book) { b.unfilable = errGone }, sent: []string{"soc" + a, "soc" + b, "oncall" + a, "oncall" + b}, facts: told, err: "evidence cannot be filed: gone"},
	} {
		journal := &book{}
		r, heard := booked(journal, "credential.t.a")
		r.job.BreakGlass = &BreakGlass{Member: "dora", Reason: "on fire", Due: noon, Notify: []string{"ann", "ben"}}
		var sent []string
		var calls []context.Context
		registry := provider.NewRegistry()
		registry.AddNotifier(provider.NotifierDefinition{Name: "mem", Open: func(_ context.Context, b provider.Block) (provider.Notifier, error) {
			after, broken := tc.broken[b.Name]
			switch {
			case !broken:
				after = -1
			case after < 0:
				return nil, errors.New("nobody there")
			}
			return &bell{b.Name, &sent, after, &calls}, nil
		}})
		r.x.Fleet, r.x.Notifiers = fleet.New(registry), []*config.Block{{Type: "mem", Name: "soc"}, {Type: "mem", Name: "oncall"}}
		if tc.change != nil {
			tc.change(r, journal)
		}
		err := r.alarm(t.Context())
		if (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.sent, sent); diff != "" {
			t.Errorf("%s: sent (-want +got):\n%s", name, diff)
		}
		var facts []map[string]string
		for i, l := range journal.lines() {
			if l.Event != "told" || i >= len(journal.entries()) || journal.entries()[i].Facts["event"] != "told" {
				break // it did not get into the journal
			}
			l.Facts["event"] = l.Event
			facts = append(facts, l.Facts)
		}
		if tc.facts == nil && len(facts) > 0 || tc.facts != nil && cmp.Diff([]map[string]string{tc.facts}, facts) != "" {
			t.Errorf("%s: facts %v, want %v", name, facts, tc.facts)
		}
		var warned []string
		for _, e := range heard.Events() {
			if e.Type != event.Diagnostic || e.Level != event.Warn {
				t.Errorf("%s: %+v", name, e)
			}
			warned = append(warned, e.Message)
		}
		if !slices.Equal(warned, tc.warned) {
			t.Errorf("%s: %q", name, warned)
		}
		if filed := tc.facts != nil && tc.err == ""; (len(journal.filed) == 1) != filed {
			t.Errorf("%s: filed %v", name, journal.filed)
		}
		for _, ctx := range calls { // a notifier has its time, and no more
			if at, ok := ctx.Deadline(); !ok || time.Until(at) > defaultTimeout || !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("%s: until %v, %v", name, at, ctx.Err())
			}
		}
	}
}

// What people read in an alarm, and what they are asked to do.
func TestWhatAnAlarmSays(t *testing.T) {
	t.Parallel()
	for n, more := range map[int][]string{1: nil, maxAlarmed: nil, maxAlarmed + 1: {"and 1 more"}, maxAlarmed + 7: {"and 7 more"}} {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint("credential.t.a", i))
		}
		r, _ := booked(&book{}, all...)
		due := time.Date(2026, 1, 2, 13, 0, 0, 0, time.FixedZone("there", 3600))
		got := r.alarmTo(&BreakGlass{Member: "dora", Reason: "on fire", Due: due}, 2, "ann")
		want := provider.Notice{
			ID: "run-1/break_glass/3", Kind: "break_glass", Run: "run-1", To: "ann", Reason: "scheduled", Mode: "cutover", Ticket: "T-1", Requester: "carol", Outcome: "begun",
			Summary: fmt.Sprintf("dora broke the glass for a reset of %d credentials, which did not wait for all of its approvals: on fire. A review by somebody who took no part is owed by 2026-01-02T12:00:00Z.", n),
			Next:    "remint review -key=FILE -comment=C run-1", At: noon, Changes: append(all[:min(n, maxAlarmed)], more...),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d (-want +got):\n%s", n, diff)
		}
	}
}
