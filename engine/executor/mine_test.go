package executor_test

import (
	"context"
	"errors"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// hiccup is a journal that once does not say whose the run is.
type hiccup struct {
	journal.Journal
	n int
}

func (h *hiccup) Holds(ctx context.Context, run string) error {
	if h.n--; h.n == 0 {
		return errors.New("no answer")
	}
	return h.Journal.Holds(ctx, run)
}

// Where the state does not say once whether the run still holds its credential, the
// step is not done, and is not called done either.
func TestNoAnswerAboutTheLease(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		for _, reason := range reasons {
			for n := 1; n < 9; n++ {
				e := start(t, setup{typ: typ, reason: reason, retry: ptr(once)})
				e.w.account("a").sessions = append(e.w.account("a").sessions, e.w.now())
				e.plan()
				out := e.apply(func(p *process, _ *executor.Job) { p.x.Journal = &hiccup{p.x.Journal, n} })
				for i := 0; i < 3 && !e.closed(); i++ {
					out = e.resume()
				}
				if r := out.reset(t, 0); out.Exit() != diag.ExitOK && r.Outcome != executor.Failed {
					t.Errorf("%s, %s, %d: %+v", typ, reason, n, r)
				}
				if r := out.reset(t, 0); r.Outcome == executor.Finished && (e.w.works("a", e.old) || e.w.live("a", e.old) != want(reason) || typ == "mem_password" && len(e.w.account("a").sessions) > 0) {
					t.Errorf("%s, %s, %d: finished; old works %v, %d live, sessions %v", typ, reason, n, e.w.works("a", e.old), e.w.live("a", e.old), e.w.account("a").sessions)
				}
			}
		}
	}
}

// want is how many new versions live in the end.
func want(reason lifecycle.Reason) int {
	if reason == lifecycle.Offboarding {
		return 0
	}
	return 1
}
