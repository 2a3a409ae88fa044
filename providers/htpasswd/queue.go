package htpasswd

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/remint-dev/remint/internal/atomicfile"
)

// change is one user's change, waiting to be written.
type change struct {
	user string
	// splices says what to do to the file as it is under the lock.
	splices func(data []byte) []splice
	done    chan struct{} // closed when at and err are set
	at      time.Time
	err     error
}

// queue gathers the changes that wait while a file is being written: whoever
// writes next takes all of them along, so that n resets at once cost a few
// rewrites and not n.
type queue struct {
	turn    chan struct{} // of size one: held by the writer
	mu      sync.Mutex
	waiting []*change
}

// commit makes c durable, together with whatever else waits. An error that is
// not Ambiguous promises that c did not happen.
func (s *site) commit(ctx context.Context, c *change) error {
	if ctx.Err() != nil {
		return cancelled()
	}
	c.done = make(chan struct{})
	s.mu.Lock()
	s.waiting = append(s.waiting, c)
	s.mu.Unlock()
	for {
		select {
		case <-c.done:
			return c.err
		case s.turn <- struct{}{}:
			err := s.write(ctx, c)
			<-s.turn
			if err != nil && s.withdraw(c) {
				return err
			}
		case <-ctx.Done():
			if s.withdraw(c) {
				return cancelled()
			}
			<-c.done // it is being written: that does not take long
			return c.err
		}
	}
}

// write replaces the file once with every change that waits when the lock is
// had. Its error is about having the lock; that of the writing goes to the changes.
func (s *site) write(ctx context.Context, c *change) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	path, err := s.place()
	if err != nil {
		return err
	}
	var batch []*change
	err = atomicfile.Edit(ctx, path, atomicfile.Options{Mode: 0o640}, func(data []byte) ([]byte, error) {
		batch = s.take()
		if err := s.about(readable(data)); err != nil {
			return nil, err
		}
		var all []splice
		for _, c := range batch {
			all = append(all, c.splices(data)...)
		}
		finish(data, all)
		return apply(data, all), nil
	})
	if err != nil {
		err = s.fault("written", err)
	}
	if len(batch) == 0 {
		return err
	}
	at := s.now()
	for _, c := range batch {
		c.at, c.err = at, err
		close(c.done)
	}
	return nil
}

// take empties the queue but for second changes of one user: each is about the
// file that the one before it leaves.
func (s *site) take() []*change {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch, rest []*change
	users := map[string]bool{}
	for _, c := range s.waiting {
		if users[c.user] {
			rest = append(rest, c)
			continue
		}
		users[c.user] = true
		batch = append(batch, c)
	}
	s.waiting = rest
	return batch
}

// withdraw takes c back, unless somebody has begun to write it.
func (s *site) withdraw(c *change) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, c)
	if i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
	return i >= 0
}
