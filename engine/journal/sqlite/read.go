package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/internal/pack"
)

const runColumns = "id, plan_id, plan_digest, operator, opened_at, closed_at, outcome"

func scanRun(scan func(...any) error, more ...any) (journal.Run, error) {
	var r journal.Run
	var opened, closed int64
	err := scan(append([]any{&r.ID, &r.PlanID, &r.PlanDigest, &r.Operator, &opened, &closed, &r.Outcome}, more...)...)
	r.OpenedAt, r.ClosedAt = pack.Time(opened), pack.Time(closed)
	return r, err
}

// Run gives one run, whole.
func (s *store) Run(ctx context.Context, id string) (journal.Run, error) {
	var plan, meta []byte
	row := s.read.QueryRowContext(ctx, "SELECT "+runColumns+", plan, meta FROM run JOIN run_body ON run_body.run = run.n WHERE id = ?", id)
	r, err := scanRun(row.Scan, &plan, &meta)
	if errors.Is(err, sql.ErrNoRows) {
		return journal.Run{}, fmt.Errorf("run %s: %w", id, journal.ErrNotFound)
	}
	if err != nil {
		return journal.Run{}, s.explain(err)
	}
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

// rows calls scan for each row of a query, until it says no more or fails.
func (s *store) rows(ctx context.Context, query string, args []any, each func(scan func(...any) error) (more bool, err error)) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return s.explain(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		more, err := each(rows.Scan)
		if err != nil || !more {
			return s.explain(err)
		}
	}
	return s.explain(rows.Err())
}

// Runs lists runs, newest first.
func (s *store) Runs(ctx context.Context) ([]journal.Run, error) {
	var out []journal.Run
	err := s.rows(ctx, "SELECT "+runColumns+" FROM run ORDER BY n DESC", nil, func(scan func(...any) error) (bool, error) {
		r, err := scanRun(scan)
		out = append(out, r)
		return true, err
	})
	return out, err
}

// Records streams; it holds one record at a time.
func (s *store) Records(ctx context.Context, run, address string) iter.Seq2[journal.Record, error] {
	query, args := "SELECT seq, address, step, kind, attempt, at, data FROM record WHERE run = (SELECT n FROM run WHERE id = ?)", []any{run}
	if address != "*" {
		query, args = query+" AND address = ?", append(args, address)
	}
	return func(yield func(journal.Record, error) bool) {
		err := s.rows(ctx, query+" ORDER BY seq", args, func(scan func(...any) error) (bool, error) {
			r := journal.Record{Run: run}
			var kind string
			var at int64
			var data []byte
			if err := scan(&r.Seq, &r.Address, &r.Step, &kind, &r.Attempt, &at, &data); err != nil {
				return false, err
			}
			r.Kind, r.At, r.Data = journal.Kind(kind), pack.Time(at), data
			return yield(r, nil), nil
		})
		if err != nil {
			yield(journal.Record{}, err)
		}
	}
}

// Secret gives a ciphertext.
func (s *store) Secret(ctx context.Context, run, address, name string) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, `SELECT ciphertext FROM sealed_name JOIN sealed USING (n)
		WHERE run = (SELECT n FROM run WHERE id = ?) AND address = ? AND name = ?`, run, address, name).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, journal.ErrNotFound
	}
	return b, s.explain(err)
}

// Secrets lists what is sealed.
func (s *store) Secrets(ctx context.Context, run string) ([]journal.Sealed, error) {
	query, args := "SELECT run.id, address, name FROM sealed_name JOIN run ON run.n = sealed_name.run", []any{}
	if run != "" {
		query, args = query+" WHERE run.id = ?", append(args, run)
	}
	var out []journal.Sealed
	err := s.rows(ctx, query+" ORDER BY run.n, address, name", args, func(scan func(...any) error) (bool, error) {
		var x journal.Sealed
		err := scan(&x.Run, &x.Address, &x.Name)
		out = append(out, x)
		return true, err
	})
	return out, err
}

// Unfiled streams; it holds one bundle at a time.
func (s *store) Unfiled(ctx context.Context, run string) iter.Seq2[journal.Bundle, error] {
	query, args := "SELECT seq, id, run, file, line FROM bundle WHERE line IS NOT NULL", []any{}
	if run != "" {
		query, args = query+" AND run = ?", append(args, run)
	}
	return func(yield func(journal.Bundle, error) bool) {
		err := s.rows(ctx, query+" ORDER BY seq", args, func(scan func(...any) error) (bool, error) {
			var b journal.Bundle
			if err := scan(&b.Seq, &b.ID, &b.Run, &b.File, &b.Line); err != nil {
				return false, err
			}
			return yield(b, nil), nil
		})
		if err != nil {
			yield(journal.Bundle{}, err)
		}
	}
}

// HasBundle looks for a bundle's name, which outlives its line.
func (s *store) HasBundle(ctx context.Context, id string) (bool, error) {
	var n int
	err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM bundle WHERE id = ?", id).Scan(&n)
	return n > 0, s.explain(err)
}

// Credential gives what is known of one address.
func (s *store) Credential(ctx context.Context, address string) (journal.Credential, error) {
	list, err := s.credentials(ctx, " WHERE address = ?", address)
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
	return s.credentials(ctx, " ORDER BY address")
}

func (s *store) credentials(ctx context.Context, clause string, args ...any) ([]journal.Credential, error) {
	var out []journal.Credential
	err := s.rows(ctx, "SELECT address, run, at, proof, version, mode, generation FROM credential"+clause, args, func(scan func(...any) error) (bool, error) {
		var c journal.Credential
		var at int64
		err := scan(&c.Address, &c.Run, &at, &c.Proof, &c.Version, &c.Mode, &c.Generation)
		c.At = pack.Time(at)
		out = append(out, c)
		return true, err
	})
	return out, err
}
