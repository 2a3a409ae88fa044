package postgresql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/internal/pack"
)

const runColumns = "id, plan_id, plan_digest, operator, opened_at, closed_at, outcome"

func scanRun(row pgx.CollectableRow, more ...any) (journal.Run, error) {
	var r journal.Run
	var opened, closed int64
	err := row.Scan(append([]any{&r.ID, &r.PlanID, &r.PlanDigest, &r.Operator, &opened, &closed, &r.Outcome}, more...)...)
	r.OpenedAt, r.ClosedAt = pack.Time(opened), pack.Time(closed)
	return r, err
}

// collect reads all rows of a query; what broke is tried again:
// the pool finds out that a connection is dead by using it. It ends within the
// journal's patience.
func collect[T any](ctx context.Context, s *store, scan pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	if s.shut.Load() {
		return nil, journal.ErrClosed
	}
	began := time.Now()
	waiting, done := s.patient(ctx)
	defer done()
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		out, err := fetch(waiting, s, scan, query, args)
		silent := err != nil && !tooMuch(err) && (state(err) == "" || gone(err))
		if silent && !s.shut.Load() && pause(waiting, wait) {
			continue
		}
		if ctx.Err() == nil {
			s.silence.heard(began, silent)
		}
		var connect *pgconn.ConnectError
		if errors.As(err, &connect) {
			err = s.connectError(ctx, err)
		}
		return out, s.explain(ctx, err)
	}
}

// fetch tries it once.
func fetch[T any](ctx context.Context, s *store, scan pgx.RowToFunc[T], query string, args []any) ([]T, error) {
	ctx, cancel := try(ctx)
	defer cancel()
	rows, err := s.read.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// Run gives one run, whole.
func (s *store) Run(ctx context.Context, id string) (journal.Run, error) {
	var plan, meta []byte
	list, err := collect(ctx, s, func(row pgx.CollectableRow) (journal.Run, error) { return scanRun(row, &plan, &meta) },
		"SELECT "+runColumns+", plan, meta FROM run JOIN run_body ON run_body.run = run.id WHERE id = $1", id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("run %s: %w", id, journal.ErrNotFound)
	}
	if err != nil {
		return journal.Run{}, err
	}
	r := list[0]
	if r.Plan, err = pack.Restore(plan); err != nil {
		return journal.Run{}, fmt.Errorf("the plan of run %s is damaged in the state", id)
	}
	body, err := pack.Restore(meta)
	if err != nil {
		return journal.Run{}, fmt.Errorf("what run %s kept besides its plan is damaged in the state", id)
	}
	r.Meta = json.RawMessage(body)
	return r, nil
}

// Runs lists runs, newest first.
func (s *store) Runs(ctx context.Context) ([]journal.Run, error) {
	return collect(ctx, s, func(row pgx.CollectableRow) (journal.Run, error) { return scanRun(row) }, "SELECT "+runColumns+" FROM run ORDER BY n DESC")
}

// pageSize is how many rows are in memory at once. Between pages no connection is
// held: whoever reads while iterating must never wait for itself.
const pageSize = 500

// pages iterates over rows by their sequence number; query takes the last one as
// $1 and ends in its conditions.
func pages[T any](ctx context.Context, s *store, scan pgx.RowToFunc[T], seq func(T) int64, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for last := int64(0); ; {
			page, err := collect(ctx, s, scan, fmt.Sprintf("%s ORDER BY seq LIMIT %d", query, pageSize), append([]any{last}, args...)...)
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, x := range page {
				if !yield(x, nil) {
					return
				}
				last = seq(x)
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// Records streams a page at a time.
func (s *store) Records(ctx context.Context, run, address string) iter.Seq2[journal.Record, error] {
	query, args := "SELECT seq, address, step, kind, attempt, at, data FROM record WHERE seq > $1 AND run = $2", []any{run}
	if address != "*" {
		query, args = query+" AND address = $3", append(args, address)
	}
	return pages(ctx, s, func(row pgx.CollectableRow) (journal.Record, error) {
		r := journal.Record{Run: run}
		var kind string
		var at int64
		var data []byte
		err := row.Scan(&r.Seq, &r.Address, &r.Step, &kind, &r.Attempt, &at, &data)
		r.Kind, r.At, r.Data = journal.Kind(kind), pack.Time(at), data
		return r, err
	}, func(r journal.Record) int64 { return r.Seq }, query, args...)
}

// Unfiled streams a page at a time.
func (s *store) Unfiled(ctx context.Context, run string) iter.Seq2[journal.Bundle, error] {
	query, args := "SELECT seq, id, run, file, line FROM bundle WHERE seq > $1 AND NOT filed", []any{}
	if run != "" {
		query, args = query+" AND run = $2", append(args, run)
	}
	return pages(ctx, s, func(row pgx.CollectableRow) (b journal.Bundle, err error) {
		err = row.Scan(&b.Seq, &b.ID, &b.Run, &b.File, &b.Line)
		return b, err
	}, func(b journal.Bundle) int64 { return b.Seq }, query, args...)
}

// HasBundle looks for a bundle's name, which outlives its line.
func (s *store) HasBundle(ctx context.Context, id string) (bool, error) {
	n, err := collect(ctx, s, pgx.RowTo[int], "SELECT count(*) FROM bundle WHERE id = $1", id)
	return err == nil && n[0] > 0, err
}

// Secret gives a ciphertext.
func (s *store) Secret(ctx context.Context, run, address, name string) ([]byte, error) {
	list, err := collect(ctx, s, pgx.RowTo[[]byte], "SELECT ciphertext FROM sealed WHERE run = $1 AND address = $2 AND name = $3", run, address, name)
	if err == nil && len(list) == 0 {
		err = journal.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// Secrets lists what is sealed.
func (s *store) Secrets(ctx context.Context, run string) ([]journal.Sealed, error) {
	return collect(ctx, s, func(row pgx.CollectableRow) (x journal.Sealed, err error) {
		err = row.Scan(&x.Run, &x.Address, &x.Name)
		return x, err
	}, "SELECT run, address, name FROM sealed JOIN run ON run.id = sealed.run WHERE $1 = '' OR run = $1 ORDER BY run.n, address, name", run)
}

// Credential gives what is known of one address.
func (s *store) Credential(ctx context.Context, address string) (journal.Credential, error) {
	list, err := s.credentials(ctx, " WHERE address = $1", address)
	if err == nil && len(list) == 0 {
		err = journal.ErrNotFound
	}
	if err != nil {
		return journal.Credential{}, err
	}
	return list[0], nil
}

// Credentials gives everything that is known, by address.
func (s *store) Credentials(ctx context.Context) ([]journal.Credential, error) {
	return s.credentials(ctx, ` ORDER BY address COLLATE "C"`)
}

func (s *store) credentials(ctx context.Context, clause string, args ...any) ([]journal.Credential, error) {
	return collect(ctx, s, func(row pgx.CollectableRow) (c journal.Credential, err error) {
		var at int64
		err = row.Scan(&c.Address, &c.Run, &at, &c.Proof, &c.Version, &c.Mode, &c.Generation)
		c.At = pack.Time(at)
		return c, err
	}, "SELECT address, run, at, proof, version, mode, generation FROM credential"+clause, args...)
}
