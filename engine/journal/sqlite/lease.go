package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/internal/pack"
)

// Acquire takes leases on all keys or on none. The fence of each grows with
// every holder. It also makes this process the one that is at work on the run,
// until Release or Close; an attempt that fails leaves what the run had before.
func (s *store) Acquire(ctx context.Context, run, holder string, keys []journal.Key) ([]journal.Lease, error) {
	if err := journal.CheckRunID(run); err != nil {
		return nil, err
	}
	fresh, err := s.locks.take(ctx, run)
	if errors.Is(err, errAtWork) {
		return nil, s.atWork(ctx, run)
	}
	if err != nil {
		return nil, err
	}
	leases := make([]journal.Lease, len(keys))
	err = s.w.submit(ctx, &change{do: func(t *tx) error {
		if fresh { // what a dead process of this run held
			if err := t.let(run); err != nil {
				return err
			}
		}
		for i, key := range keys {
			fence, err := s.lease(t, run, holder, key)
			if err != nil {
				return err
			}
			leases[i] = journal.Lease{Key: key.Name, Fence: fence}
		}
		return nil
	}})
	if err != nil && fresh {
		err = errors.Join(err, s.locks.drop(run))
	}
	if err != nil {
		return nil, err
	}
	s.held.set(run, leases)
	return leases, nil
}

// Holds looks whether the run's lock and leases are still there: they are lost
// only where somebody removed the files that stand for them.
func (s *store) Holds(ctx context.Context, run string) error {
	if s.shut.Load() {
		return journal.ErrClosed
	}
	first, ok := s.held.get(run)
	if !ok {
		return journal.ErrLost
	}
	if first.Key == "" {
		return nil
	}
	var fence int64
	err := s.read.QueryRowContext(ctx, "SELECT fence FROM lease WHERE key = ? AND run = ?", first.Key, run).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) || err == nil && fence != first.Fence {
		return journal.ErrLost
	}
	return s.explain(err)
}

// mine refuses to write for a run that this process held and lost.
func (s *store) mine(t *tx, run string) error {
	first, _ := s.held.get(run)
	if first.Key == "" {
		return nil
	}
	var fence int64
	err := t.get("SELECT fence FROM lease WHERE key = ? AND run = ?", []any{first.Key, run}, &fence)
	if errors.Is(err, sql.ErrNoRows) || err == nil && fence != first.Fence {
		return journal.ErrLost
	}
	return err
}

// let takes from a run all that it holds; the fences stay.
func (t *tx) let(run string) error {
	_, err := t.exec("UPDATE lease SET run = '' WHERE run = ?", run)
	return err
}

// held is the first lease of each run that this process holds, by run. Who takes
// over one lease of a run takes all, so one tells.
type held struct {
	mu    sync.Mutex
	first map[string]journal.Lease
}

func (h *held) set(run string, leases []journal.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(leases) > 0 {
		h.first[run] = leases[0]
	} else if _, ok := h.first[run]; !ok {
		h.first[run] = journal.Lease{}
	}
}

func (h *held) get(run string) (journal.Lease, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok := h.first[run]
	return l, ok
}

func (h *held) drop(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.first, run)
}

// atWork says who is at work on a run whose lock another process holds. It may
// not have its leases yet.
func (s *store) atWork(ctx context.Context, run string) error {
	held := &journal.HeldError{Key: "run " + run, Run: run, Holder: "another process", Since: s.opts.Now()}
	var since int64
	err := s.read.QueryRowContext(ctx, "SELECT key, holder, since FROM lease WHERE run = ? ORDER BY key LIMIT 1", run).Scan(&held.Key, &held.Holder, &since)
	switch {
	case err == nil:
		held.Since = pack.Time(since)
	case !errors.Is(err, sql.ErrNoRows):
		return s.explain(err)
	}
	held.Age = s.opts.Now().Sub(held.Since)
	return held
}

func (s *store) lease(t *tx, run, holder string, key journal.Key) (fence int64, err error) {
	var by, who string
	var since int64
	err = t.get("SELECT fence, run, holder, since FROM lease WHERE key = ?", []any{key.Name}, &fence, &by, &who, &since)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		fence = key.Above
	case err != nil:
		return 0, err
	case by != "" && by != run && s.locks.alive(by):
		return 0, &journal.HeldError{Key: key.Name, Run: by, Holder: who, Since: pack.Time(since), Age: s.opts.Now().Sub(pack.Time(since))}
	case by != "" && by != run:
		if err := t.let(by); err != nil {
			return 0, err
		}
	}
	fence++
	_, err = t.exec(`INSERT INTO lease (key, fence, run, holder, since) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET fence = excluded.fence, run = excluded.run, holder = excluded.holder, since = excluded.since`,
		key.Name, fence, run, holder, pack.Nanos(s.opts.Now()))
	return fence, err
}

// Release gives back the run's leases. Their fences stay: the next holder's are
// greater.
func (s *store) Release(ctx context.Context, run string) error {
	err := s.w.submit(ctx, &change{do: func(t *tx) error {
		_, ok := s.held.get(run)
		if err := s.mine(t, run); !ok || errors.Is(err, journal.ErrLost) {
			return nil // nobody's, or another's
		} else if err != nil {
			return err
		}
		return t.let(run)
	}})
	s.held.drop(run)
	return errors.Join(err, s.locks.drop(run))
}
