package htpasswd

import (
	"context"
	"sync"

	"github.com/remint-dev/remint/internal/atomicfile"
)

// reads joins those who want the file's content at once: while one reading is
// going on, those who come wait together for the next, which begins after all of
// them have asked. A large file that is changing is thus read as often as it
// takes, and not once for every user in it.
type reads struct {
	turn sync.Mutex // held by who reads
	mu   sync.Mutex
	next *reading
}

type reading struct {
	done chan struct{} // closed when the others are set
	data []byte        // shared: nobody writes to it
	err  error
}

// content gives the file's content as of some moment after the call.
func (s *site) content(ctx context.Context, path string) ([]byte, error) {
	s.reads.mu.Lock()
	mine, leads := s.reads.next, s.reads.next == nil
	if leads {
		mine = &reading{done: make(chan struct{})}
		s.reads.next = mine
	}
	s.reads.mu.Unlock()
	if leads {
		s.reads.turn.Lock()
		s.reads.mu.Lock()
		s.reads.next = nil // from here on nobody joins
		s.reads.mu.Unlock()
		mine.data, mine.err = atomicfile.Read(path, atomicfile.Options{})
		if mine.err != nil {
			mine.err = s.fault("read", mine.err)
		} else {
			mine.err = s.about(readable(mine.data))
		}
		close(mine.done)
		s.reads.turn.Unlock()
	}
	select {
	case <-mine.done:
		return mine.data, mine.err
	case <-ctx.Done():
		return nil, cancelled()
	}
}
