package postgresql

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// overtake notes which keys the run $1 is taken over with, and from whom.
const overtakeSQL = `INSERT INTO overtaken (key, runner, run, holder, since)
	SELECT l.key, w.runner, w.run, w.holder, w.since FROM at_work w JOIN lease l ON l.run = w.run WHERE w.run = $1
	ON CONFLICT (key, runner) DO UPDATE SET run = excluded.run, holder = excluded.holder, since = excluded.since`

// overtakenSQL reads who was overtaken with the keys $1. $2 is as in sessionSQL.
const overtakenSQL = `SELECT o.key, o.run, o.holder || ' on ' || r.host || ', process ' || r.pid, o.since,
	extract(epoch FROM clock_timestamp() - o.since)::float8, r.n, extract(epoch FROM clock_timestamp() - r.seen)::float8,
	` + sessionSQL + `, r.seen
FROM overtaken o JOIN runner r ON r.n = o.runner WHERE o.key = ANY($1) ORDER BY o.key, r.n`

// waking gives the keys of which an earlier holder of this run may wake, which
// it notes first if the present holder is such a one, and is about to be taken over
// from. Where one of another run may wake, the key is refused: that one may be right
// before putting its secret into a store, and stores reject nobody. Whose session is
// gone is forgotten.
func (s *store) waking(ctx context.Context, tx session, gone absences, run string, names []string, stopped bool) (map[string]bool, error) {
	if stopped {
		if _, err := tx.Exec(ctx, overtakeSQL, run); err != nil {
			return nil, err
		}
	}
	rows, err := tx.Query(ctx, overtakenSQL, names, int64(s.class))
	if err != nil {
		return nil, err
	}
	waking, dead := map[string]bool{}, []int32{}
	var refused error
	var key string
	var h standing
	var age, silent float64
	var seen time.Time
	_, err = pgx.ForEachRow(rows, []any{&key, &h.run, &h.holder, &h.since, &age, &h.runner, &silent, &h.session, &seen}, func() error {
		h.age, h.silent = seconds(age), seconds(silent)
		h.silent = gone.silent(h, seen)
		switch {
		case h.dead():
			dead = append(dead, h.runner)
		case h.run == run:
			waking[key] = true
		case refused == nil:
			refused = h.mayWake(key)
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	if err == nil && len(dead) > 0 {
		_, err = tx.Exec(ctx, "DELETE FROM overtaken WHERE runner = ANY($1)", dead)
	}
	return waking, err
}

// dead reports whether nothing can come from h any more.
func (h standing) dead() bool { return !h.session && h.silent >= grace }

// mayWake keeps others from the key of one that lost its run, and is not dead.
func (h standing) mayWake(key string) error {
	if !h.session {
		return h.soon()
	}
	held := h.held(key)
	held.Lost = true
	return held
}
