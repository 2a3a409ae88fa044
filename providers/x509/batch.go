package x509

import (
	"context"
	"maps"
	"math/big"
	"sync"

	"github.com/remint-dev/remint/engine/provider"
)

// batcher joins revocations that are asked for at once, since each signs the
// whole list anew: while one list is being signed, those that come wait
// together for the next.
type batcher struct {
	mu   sync.Mutex
	next *batch
}

type batch struct {
	serials map[string]*big.Int
	done    chan struct{}
	err     error // set before done is closed
}

// do has serials revoked by sign, together with those of others, and returns
// when they are. The first of a batch runs sign, which takes the file's lock and
// then calls begin: from there on nobody joins, and those who joined are known.
func (b *batcher) do(ctx context.Context, serials map[string]*big.Int, sign func(begin func() map[string]*big.Int) error) error {
	b.mu.Lock()
	mine, leads := b.next, b.next == nil
	if leads {
		mine = &batch{serials: map[string]*big.Int{}, done: make(chan struct{})}
		b.next = mine
	}
	maps.Copy(mine.serials, serials)
	b.mu.Unlock()

	if !leads {
		select {
		case <-mine.done:
			return mine.err
		case <-ctx.Done():
			return provider.Errorf(provider.Ambiguous, "stopped while the revocation list was being signed; look at it before trying again")
		}
	}
	begin := func() map[string]*big.Int {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.next == mine {
			b.next = nil
		}
		return mine.serials
	}
	mine.err = sign(begin)
	begin() // also where sign failed before it began
	close(mine.done)
	return mine.err
}
