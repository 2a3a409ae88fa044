package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/remint-dev/remint/engine/journal"
)

// Acquire takes leases on all keys or on none. The fence of each grows with
// every holder. It also makes this process the one that is at work on the run,
// until Release or Close; an attempt that fails leaves what the run had before.
func (s *store) Acquire(ctx context.Context, run, holder string, keys []string) ([]journal.Lease, error) {
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
		for i, key := range keys {
			fence, err := s.lease(t, run, holder, key)
			if err != nil {
				return err
			}
			leases[i] = journal.Lease{Key: key, Fence: fence}
		}
		return nil
	}})
	if err != nil && fresh {
		err = errors.Join(err, s.locks.drop(run))
	}
	if err != nil {
		return nil, err
	}
	return leases, nil
}

// atWork says who is at work on a run whose lock another process holds. It may
// not have its leases yet.
func (s *store) atWork(ctx context.Context, run string) error {
	held := &journal.HeldError{Key: "run " + run, Run: run, Holder: "another process", Since: s.opts.Now()}
	var since int64
	err := s.read.QueryRowContext(ctx, "SELECT key, holder, since FROM lease WHERE run = ? ORDER BY key LIMIT 1", run).Scan(&held.Key, &held.Holder, &since)
	switch {
	case err == nil:
		held.Since = fromNanos(since)
	case !errors.Is(err, sql.ErrNoRows):
		return s.explain(err)
	}
	return held
}

func (s *store) lease(t *tx, run, holder, key string) (fence int64, err error) {
	var by, who string
	var since int64
	err = t.get("SELECT fence, run, holder, since FROM lease WHERE key = ?", []any{key}, &fence, &by, &who, &since)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return 0, err
	case by != "" && by != run && s.locks.alive(by):
		return 0, &journal.HeldError{Key: key, Run: by, Holder: who, Since: fromNanos(since)}
	}
	fence++
	_, err = t.exec(`INSERT INTO lease (key, fence, run, holder, since) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET fence = excluded.fence, run = excluded.run, holder = excluded.holder, since = excluded.since`,
		key, fence, run, holder, nanos(s.opts.Now()))
	return fence, err
}

// Release gives back the run's leases. Their fences stay: the next holder's are
// greater.
func (s *store) Release(ctx context.Context, run string) error {
	err := s.w.submit(ctx, &change{do: func(t *tx) error {
		_, err := t.exec("UPDATE lease SET run = '' WHERE run = ?", run)
		return err
	}})
	return errors.Join(err, s.locks.drop(run))
}
