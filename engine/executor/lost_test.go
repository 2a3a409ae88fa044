package executor_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// losing is a journal from which the run is taken at the n-th look.
type losing struct {
	journal.Journal
	n    int
	lose func()
}

func (l *losing) Holds(ctx context.Context, run string) error {
	if l.n--; l.n > 0 {
		return l.Journal.Holds(ctx, run)
	}
	if l.n == 0 {
		l.lose()
	}
	return journal.ErrLost
}

func (l *losing) Append(ctx context.Context, b *journal.Batch) error {
	if l.n <= 0 {
		return journal.ErrLost
	}
	return l.Journal.Append(ctx, b)
}

// effects are the calls that change something outside.
var effects = []string{"Set", "Mint", "Revoke", "EndSessions", "Put", "Empty", "Reload", "Send"}

// A run that is lost right before any of its effects has no effect any more, tells
// nobody, and says that it may not be finished; another process finishes it.
func TestLostRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"mem_password", "mem_key", "mem_token"} {
		for _, reason := range []lifecycle.Reason{lifecycle.Scheduled, lifecycle.Compromised, lifecycle.Offboarding} {
			t.Run(typ+" "+string(reason), func(t *testing.T) {
				t.Parallel()
				n := 1
				for ; n < 100; n++ {
					e := start(t, setup{typ: typ, reason: reason, consumers: 1})
					e.plan()
					before := -1
					res := e.apply(func(p *process, _ *executor.Job) {
						p.x.Journal = &losing{p.x.Journal, n, func() { before = len(e.w.calls) }}
					})
					if before < 0 {
						break // it was never asked so often
					}
					for _, call := range e.w.calls[before:] {
						if slices.Contains(effects, call) {
							t.Errorf("lost at look %d, it went on with %s: %v", n, call, e.w.calls[before:])
						}
					}
					if r := res.reset(t, 0); r.Outcome != executor.Halted || !r.Open || res.Exit() != 6 {
						t.Errorf("lost at look %d: %+v, exit %d", n, r, res.Exit())
					}
					if r := e.resume().reset(t, 0); r.Outcome != executor.Finished {
						t.Errorf("lost at look %d, resumed: %+v", n, r)
					}
				}
				if n < 4 || n == 100 {
					t.Errorf("the run was looked at %d times", n-1)
				}
			})
		}
	}
}

// A state that gives out a fencing token that a target has seen before is an old copy.
func TestOldStateIsRefused(t *testing.T) {
	t.Parallel()
	for mark, refused := range map[int64]bool{0: false, 1: true, 2: true} {
		e := start(t, setup{})
		e.plan()
		for _, seen := range []int64{mark, 1 << 40, math.MaxInt64} {
			// One that begins anew with each job begins above the target's.
			e := start(t, setup{})
			e.plan()
			res := e.apply(func(_ *process, j *executor.Job) { j.Ephemeral, j.Resets[0].Fence = true, seen })
			if refused := res.Result == nil; refused != (seen == math.MaxInt64) {
				t.Errorf("mark %d, a state that begins anew: refused is %v (%v)", seen, refused, res.diags)
			}
		}
		res := e.apply(func(_ *process, j *executor.Job) { j.Resets[0].Fence = mark })
		if got := res.Result == nil && res.diags.HasErrors(); got != refused {
			t.Errorf("mark %d, first token 1: refused is %v (%v)", mark, got, fmt.Sprint(res.diags))
		}
		if refused && e.w.count("Set") > 0 {
			t.Error("it was refused, and something was set")
		}
	}
}

// Nor does a copy of the state go on with a run that somebody went on with elsewhere: its
// token is then one that the target has seen, from the same run or another.
func TestAnOldCopyDoesNotGoOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		for mark, refused := range map[int64]bool{0: false, 1: false, 2: true, 3: true} { // this resume has token 2
			e := start(t, s)
			op, _ := firstEffect(s)
			e.w.fail(fault{op: op, kind: crash, effect: true})
			if out := e.apply(); !out.died {
				t.Fatal("it lives")
			}
			e.w.fence = mark
			changes := func() int { return e.w.count("Set") + e.w.count("Mint") + e.w.count("Revoke") + e.w.count("Put") }
			before := changes()
			out := e.resume()
			r := out.reset(t, 0)
			if !refused {
				if out.Exit() != diag.ExitOK {
					t.Errorf("mark %d: %+v", mark, r)
				}
				continue
			}
			if r.Outcome != executor.Halted || !r.Open || out.Closed || out.Exit() != diag.ExitUnfinished || !strings.Contains(r.Error, "the state is an old copy") {
				t.Errorf("mark %d: %+v, exit %d", mark, r, out.Exit())
			}
			if n := changes() - before; n > 0 {
				t.Errorf("mark %d: %d changes", mark, n)
			}
		}
	})
}
