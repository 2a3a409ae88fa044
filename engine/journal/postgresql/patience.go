package postgresql

import (
	"context"
	"sync"
	"time"
)

// soon is how long a server is waited for that was waited for in vain before, or
// that somebody in a hurry waits for.
const soon = 3 * time.Second

// openTimeout bounds opening a state: tables may have to be made, and others may
// be about to make them.
const openTimeout = time.Minute

// silence remembers since when the server gives no answer: it is waited for once,
// not by every call anew.
type silence struct {
	mu       sync.Mutex
	since    time.Time // zero while it answers
	answered time.Time // when it did last
}

// heard takes in how a call ended that began then: whether the server was silent.
func (q *silence) heard(began time.Time, silent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !silent:
		q.since, q.answered = time.Time{}, time.Now()
	case q.since.IsZero() && q.answered.Before(began):
		q.since = began
	}
}

// left is how long a call that begins now may wait.
func (q *silence) left(patience time.Duration) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.since.IsZero() {
		return patience
	}
	return max(patience-time.Since(q.since), min(soon, patience))
}

// patient gives a context that ends when the server has been waited for long
// enough. Every call of an open journal has one: a server, or a network, that
// swallows what it is sent says nothing for ever.
func (s *store) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, s.silence.left(s.opts.Patience))
	if s.opts.Hurry == nil {
		return ctx, cancel
	}
	stop := context.AfterFunc(s.opts.Hurry, func() {
		if !pause(ctx, min(soon, s.opts.Patience)) {
			return
		}
		cancel()
	})
	return ctx, func() { stop(); cancel() }
}

// try gives a part of the time that is left: some is kept to find out on another
// connection what became of it.
func try(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*3/4)
}

// pause waits, and reports whether it was not cut off.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
