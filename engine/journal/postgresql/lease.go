package postgresql

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/engine/journal"
)

// Holds asks the session that says that this process is alive.
func (s *store) Holds(ctx context.Context, run string) error {
	if s.shut.Load() {
		return journal.ErrClosed
	}
	began := time.Now()
	waiting, done := s.patient(ctx)
	defer done()
	err := s.presence.holds(waiting, run)
	silent := err != nil && waiting.Err() != nil && ctx.Err() == nil
	if silent {
		err = fmt.Errorf("%s gives no answer, so it cannot be told whether this run is still at work here", s.name())
	}
	if ctx.Err() == nil {
		s.silence.heard(began, silent)
	}
	return err
}

// Acquire takes leases on all keys or on none. The fence of each grows with every
// holder. Where a holder's session is gone but was heard of a moment ago, it waits
// for that moment to pass.
func (s *store) Acquire(ctx context.Context, run, holder string, keys []journal.Key) ([]journal.Lease, error) {
	if err := journal.CheckRunID(run); err != nil {
		return nil, err
	}
	gone := absences{}
	for {
		var leases []journal.Lease
		err := s.w.submit(ctx, &change{alone: func(ctx context.Context, tx session) (err error) {
			leases, err = s.acquire(ctx, tx, gone, run, holder, keys)
			return err
		}})
		var soon *soonError
		if !errors.As(err, &soon) {
			if err != nil {
				return nil, err
			}
			s.held.add(run)
			return leases, s.presence.now(ctx) // it learns that the run is its own
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(soon.wait):
		}
	}
}

// soonError says that a holder will count as dead after a while.
type soonError struct{ wait time.Duration }

// Error is for nobody: Acquire waits.
func (e *soonError) Error() string { return "a holder's session ended just now" }

// standing is what is known of a run that holds something.
type standing struct {
	run, holder string
	since       time.Time
	age         time.Duration
	runner      int32
	silent      time.Duration // since it was heard of
	session     bool          // whether its session stands
	fenced      bool          // whether every target of its leases rejects it once they are taken
}

// judge decides about a holder: nil to take over from it. One that may wake is taken
// over by its own run alone: what it may still put into a store is then the secret
// that belongs there.
func (h standing) judge(key string, own bool) error {
	held := h.held(key)
	switch {
	case h.dead():
		return nil
	case !h.session:
		return h.soon()
	case h.silent < stale:
		return held
	case h.fenced && own:
		return nil
	}
	held.Silent, held.Fenced = h.silent, h.fenced
	return held
}

// absences are the runners whose session is gone, and since when that is seen by this
// process's own clock: the server's may go back.
type absences map[int32]struct{ seen, since time.Time }

// silent is how long nothing was heard of a holder that the server last heard of at seen.
func (a absences) silent(h standing, seen time.Time) time.Duration {
	first, known := a[h.runner]
	switch {
	case h.session:
		delete(a, h.runner)
		return h.silent
	case !known || !first.seen.Equal(seen):
		a[h.runner] = struct{ seen, since time.Time }{seen, time.Now()}
		return h.silent
	}
	return max(h.silent, time.Since(first.since))
}

// soon is for one whose session ended a moment ago; it was silent for less than nothing
// by a clock that went back.
func (h standing) soon() error { return &soonError{min(grace, grace-h.silent) + 10*time.Millisecond} }

func (h standing) held(key string) *journal.HeldError {
	return &journal.HeldError{Key: key, Run: h.run, Holder: h.holder, Since: h.since, Age: h.age}
}

// sessionSQL is whether the session of the runner r stands. $2 is the class of runners'
// locks.
const sessionSQL = `EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.classid = $2::bigint::oid AND l.objid = r.n::bigint::oid)`

// standingSQL reads holders, of the runs $1.
const standingSQL = `SELECT w.run, w.holder || ' on ' || r.host || ', process ' || r.pid, w.since,
	extract(epoch FROM clock_timestamp() - w.since)::float8, w.runner, extract(epoch FROM clock_timestamp() - r.seen)::float8,
	` + sessionSQL + `,
	NOT EXISTS (SELECT FROM lease WHERE lease.run = w.run AND NOT fenced), r.seen
FROM at_work w JOIN runner r ON r.n = w.runner WHERE w.run = ANY($1) ORDER BY w.run FOR UPDATE OF w`

func (s *store) standing(ctx context.Context, tx session, gone absences, runs []string) (map[string]standing, error) {
	rows, err := tx.Query(ctx, standingSQL, runs, int64(s.class))
	if err != nil {
		return nil, err
	}
	out := map[string]standing{}
	var h standing
	var age, silent float64
	var seen time.Time
	_, err = pgx.ForEachRow(rows, []any{&h.run, &h.holder, &h.since, &age, &h.runner, &silent, &h.session, &h.fenced, &seen}, func() error {
		h.age, h.silent = seconds(age), seconds(silent)
		h.silent = gone.silent(h, seen)
		out[h.run] = h
		return nil
	})
	return out, err
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func (s *store) acquire(ctx context.Context, tx session, gone absences, run, holder string, keys []journal.Key) ([]journal.Lease, error) {
	// One at a time: the order in which leases are taken cannot matter then.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, 0)", s.class); err != nil {
		return nil, err
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	holders := map[string]string{} // runs, by key
	rows, err := tx.Query(ctx, "SELECT key, run FROM lease WHERE key = ANY($1) AND run <> '' AND run <> $2", names, run)
	if err != nil {
		return nil, err
	}
	var key, by string
	if _, err := pgx.ForEachRow(rows, []any{&key, &by}, func() error { holders[key] = by; return nil }); err != nil {
		return nil, err
	}
	runs := []string{run}
	for _, by := range holders {
		runs = append(runs, by)
	}
	standings, err := s.standing(ctx, tx, gone, runs)
	if err != nil {
		return nil, err
	}
	over := []string{} // runs to be taken over
	stopped := false   // whether the holder of this one may wake
	if h, there := standings[run]; there && h.runner != s.presence.n {
		if err := h.judge("run "+run, true); err != nil {
			return nil, err
		}
		if len(keys) == 0 && h.session { // it may only be cut off for a moment, and nothing is to be changed
			return nil, h.held("run " + run)
		}
		over, stopped = append(over, run), h.session
	}
	for _, k := range keys {
		by := holders[k.Name]
		if h, there := standings[by]; there {
			if h.runner == s.presence.n { // another run of this process
				return nil, h.held(k.Name)
			}
			if err := h.judge(k.Name, false); err != nil {
				return nil, err
			}
		}
		if by != "" {
			over = append(over, by)
		}
	}
	waking, err := s.waking(ctx, tx, gone, run, names, stopped)
	if err != nil {
		return nil, err
	}
	fences, err := s.take(ctx, tx, run, holder, keys, over)
	if err != nil {
		return nil, err
	}
	leases := make([]journal.Lease, len(keys))
	for i, n := range names {
		leases[i] = journal.Lease{Key: n, Fence: fences[n], Overtaken: waking[n]}
	}
	return leases, nil
}

// take makes the run this process's, and everything of the runs in over nobody's
// before. Their evidence is filed anew by whoever goes on with them: it may have
// been filed on another machine. It gives the fences, by key.
func (s *store) take(ctx context.Context, tx session, run, holder string, keys []journal.Key, over []string) (map[string]int64, error) {
	names, fenced, above := make([]string, len(keys)), make([]bool, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		names[i], fenced[i], above[i] = k.Name, k.Fenced, k.Above
	}
	var batch pgx.Batch
	batch.Queue("DELETE FROM at_work WHERE run = ANY($1)", over)
	batch.Queue("UPDATE lease SET run = '' WHERE run = ANY($1)", over)
	batch.Queue("UPDATE bundle SET filed = false WHERE run = $1 AND filed AND line IS NOT NULL AND NOT EXISTS (SELECT FROM at_work WHERE run = $1 AND runner = $2)", run, s.presence.n)
	batch.Queue(`INSERT INTO at_work (run, runner, holder) VALUES ($1, $2, $3)
		ON CONFLICT (run) DO UPDATE SET runner = excluded.runner, holder = excluded.holder`, run, s.presence.n, holder)
	batch.Queue(`INSERT INTO lease (key, fence, run, fenced, holder, since)
		SELECT k, a + 1, $3, f, $4, clock_timestamp() FROM (SELECT DISTINCT ON (k) k, f, a FROM unnest($1::text[], $2::boolean[], $5::bigint[]) AS t (k, f, a)) AS u
		ON CONFLICT (key) DO UPDATE SET fence = lease.fence + 1, run = excluded.run, fenced = excluded.fenced, holder = excluded.holder, since = excluded.since
		RETURNING key, fence`, names, fenced, run, holder, above)
	results := tx.SendBatch(ctx, &batch)
	var err error
	for range batch.Len() - 1 {
		if _, err = results.Exec(); err != nil {
			return nil, errors.Join(err, results.Close())
		}
	}
	fences := map[string]int64{}
	rows, err := results.Query()
	if err == nil {
		var key string
		var fence int64
		_, err = pgx.ForEachRow(rows, []any{&key, &fence}, func() error { fences[key] = fence; return nil })
	}
	return fences, errors.Join(err, results.Close())
}

// Release gives back the run's leases, if they are this process's. Their fences
// stay: the next holder's are greater. If another runner took them over, this
// process has nothing more in hand of that run, and nobody need fear that any more.
func (s *store) Release(ctx context.Context, run string) error {
	err := s.w.submit(ctx, &change{alone: func(ctx context.Context, tx session) error {
		tag, err := tx.Exec(ctx, "DELETE FROM at_work WHERE run = $1 AND runner = $2", run, s.presence.n)
		if err == nil && tag.RowsAffected() > 0 {
			_, err = tx.Exec(ctx, "UPDATE lease SET run = '' WHERE run = $1", run)
		}
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM overtaken WHERE run = $1 AND runner = $2", run, s.presence.n)
		}
		return err
	}})
	if err != nil {
		return err
	}
	s.held.drop(run)
	return s.presence.now(ctx)
}

// held are the runs that this process acquired and did not release: they are
// written to while they still are its own, and only then.
type held struct {
	mu   sync.Mutex
	runs map[string]bool
}

func (h *held) add(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runs == nil {
		h.runs = map[string]bool{}
	}
	h.runs[run] = true
}

func (h *held) drop(run string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.runs, run)
}

// of gives those of the runs that are held.
func (h *held) of(runs []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []string{}
	for _, r := range runs {
		if h.runs[r] {
			out = append(out, r)
		}
	}
	return out
}
