package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

var (
	errTime   = errors.New("it took too long")
	errMemory = errors.New("it took too much memory")
	errCancel = errors.New("it was cancelled")
)

func tooLong(d time.Duration) error { return fmt.Errorf("%w (more than %v)", errTime, d) }
func tooMuch(m uint64) error        { return fmt.Errorf("%w (more than %d MiB)", errMemory, m>>20) }

// bound is what an evaluation may cost. Time is the processor's, and patience times that
// by the clock. Memory is by how many bytes the heap
// may grow while it lasts; a watch ends it at three quarters of that, so that
// there is some left to say what happened.
type bound struct {
	time   time.Duration
	memory uint64
}

// watch is a cancellation that comes by itself when a bound has passed. It asks:
// some of OPA's builtins do not listen, and what they do is ended from outside.
type watch struct {
	cancel topdown.Cancel
	why    atomic.Pointer[error]
	done   chan struct{}
}

func (b bound) watch(ctx context.Context) *watch {
	w := &watch{cancel: topdown.NewCancel(), done: make(chan struct{})}
	go w.run(ctx, b, heap())
	return w
}

func (w *watch) run(ctx context.Context, b bound, start uint64) {
	spent := measure(0, b.time)
	deadline := time.NewTimer(b.time)
	defer deadline.Stop()
	sample := time.NewTicker(5 * time.Millisecond)
	defer sample.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-ctx.Done():
			w.end(errCancel)
			return
		case <-deadline.C:
			if left := spent.left(); left > 0 {
				deadline.Reset(left)
				continue
			}
			w.end(tooLong(b.time))
			return
		case <-sample.C:
			if heap() > start+b.memory/4*3 {
				w.end(tooMuch(b.memory))
				return
			}
		}
	}
}

func (w *watch) end(why error) {
	w.why.Store(&why)
	w.cancel.Cancel()
}

// stop ends the watching; what it returns says which bound has passed, if one has.
func (w *watch) stop() error {
	close(w.done)
	if why := w.why.Load(); why != nil {
		return *why
	}
	return nil
}

// heap is how many bytes the heap's objects take, the dead ones not yet swept included.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
