package executor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
)

// wakeable is a journal by which an earlier process of the run may wake.
type wakeable struct{ journal.Journal }

func (w wakeable) Acquire(ctx context.Context, run, holder string, keys []journal.Key) ([]journal.Lease, error) {
	leases, err := w.Journal.Acquire(ctx, run, holder, keys)
	for i := range leases {
		leases[i].Overtaken = true
	}
	return leases, err
}

func mayWake(p *process, _ *executor.Job) { p.x.Journal = wakeable{p.x.Journal} }

// fencing is a target that can be told to reject the overtaken.
type fencing struct{ controlled }

func (t fencing) Fence(ctx context.Context, m provider.Mutation) error {
	_, err := t.w.call(ctx, t.p, "Fence", func() { t.w.fence = max(t.w.fence, m.Fence) })
	return err
}

func fenced(c controlled) provider.Provider { return fencing{c} }

// looks are the calls by which a target or a store is looked at.
var looks = []string{"Inspect", "Probe", "Get", "Holds", "Check", "Control"}

// Whoever lost the run and may wake is rejected by the target before anything is looked
// at there: what this process then says of it stays true. The record of the resume says
// so before.
func TestOvertakenIsFenced(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.wrap = fenced
	e.plan()
	e.w.fail(fault{op: "Set", kind: crash})
	e.apply()
	e.w.calls = nil
	e.w.fail(fault{op: "Set", kind: permanent})
	out := e.resume(mayWake)
	if r := out.reset(t, 0); r.Outcome != executor.Failed || r.Changed || !out.Closed || e.w.fence != 2 {
		t.Errorf("%+v, closed %v, the target rejects below %d", r, out.Closed, e.w.fence)
	}
	at := slices.Index(e.w.calls, "Fence")
	if at < 0 || slices.Index(e.w.calls, "append") > at || slices.ContainsFunc(e.w.calls[:at], func(c string) bool { return slices.Contains(looks, c) || slices.Contains(effects, c) }) {
		t.Errorf("calls %v", e.w.calls)
	}
	if said := e.evidence(); !strings.Contains(said, `"overtaken":"`) || !strings.Contains(said, "credential.mem_password.a (token 2)") {
		t.Errorf("evidence %s", said)
	}
}

// Where the target could not be told, nothing is done, and nothing is said: neither how
// the reset ended, nor is an answer used up.
func TestOvertakenIsNotFenced(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		f     fault
		wrap  func(controlled) provider.Provider
		calls int
	}{
		"it refuses":            {fault{op: "Fence", kind: permanent}, fenced, 1},
		"it panics":             {fault{op: "Fence", kind: panics}, fenced, 1},
		"it cannot be told":     {fault{}, func(c controlled) provider.Provider { return c }, 0},
		"it does not remember":  {fault{op: "Fence", kind: string(provider.Conflict)}, fenced, 1},
		"it cannot be opened":   {fault{}, nil, 0},
		"the run is lost again": {fault{}, fenced, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := doubts()["a set, no clear login"]
			e, c := d.into(t, false)
			c.answer("alice", event.AnswerNotDone, true)
			d.over(e)
			before := e.records()
			e.w.calls = nil
			e.w.fail(tc.f)
			if e.w.wrap = tc.wrap; tc.wrap == nil {
				e.w.unopenable = "provider"
			}
			out := e.resume(c.real, mayWake, func(p *process, _ *executor.Job) {
				if name == "the run is lost again" {
					p.x.Journal = &hiccup{p.x.Journal, 1}
				}
			})
			r := out.reset(t, 0)
			if r.Outcome != executor.Halted || !r.Open || !r.Changed || r.Question == nil || e.w.count("Fence") != tc.calls || out.Exit() != 6 {
				t.Errorf("%+v, told %d times", r, e.w.count("Fence"))
			}
			if name != "the run is lost again" && (!strings.Contains(r.Error, "reject") || !strings.Contains(r.Error, "end that process")) {
				t.Errorf("it says %s", r.Error)
			}
			for _, call := range e.w.calls {
				if slices.Contains(effects, call) || slices.Contains(looks, call) {
					t.Errorf("it went on with %s", call)
				}
			}
			if diff := cmp.Diff(before, e.records()); diff != "" {
				t.Errorf("something was recorded:\n%s", diff)
			}
			e.w.faults, e.w.unopenable, e.w.wrap = nil, "", fenced
			out = e.resume(c.real, mayWake)
			if r := out.reset(t, 0); r.Outcome != executor.Abandoned || !out.Closed || e.w.count("Fence") != tc.calls+1 {
				t.Errorf("then: %+v, told %d times", r, e.w.count("Fence"))
			}
		})
	}
}

// It is tried again where that may help, and not asked for where nothing is to be feared.
func TestFencingGoesOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		dies   string
		f      fault
		change func(*process, *executor.Job)
		calls  int
	}{
		"no answer at first":            {"Set", fault{op: "Fence", kind: transient}, mayWake, 2},
		"the credential is gone":        {"Put", fault{op: "Fence", kind: string(provider.NotFound)}, mayWake, 1},
		"nobody may wake":               {"Set", fault{}, func(*process, *executor.Job) {}, 0},
		"nothing was begun":             {"Probe", fault{}, mayWake, 0},
		"between a change and a record": {"Put", fault{}, mayWake, 1},
	} {
		e := start(t, setup{})
		e.w.wrap = fenced
		e.plan()
		e.w.fail(fault{op: tc.dies, kind: crash})
		e.apply()
		e.w.fail(tc.f)
		out := e.resume(tc.change)
		if r := out.reset(t, 0); r.Outcome != executor.Finished || e.w.count("Fence") != tc.calls {
			t.Errorf("%s: %+v, told %d times", name, r, e.w.count("Fence"))
		}
		if strings.Contains(e.evidence(), `"overtaken"`) != (tc.calls > 0) {
			t.Errorf("%s: evidence %s", name, e.evidence())
		}
	}
}
