package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/internal/pack"
)

// Open begins a run.
func (s *store) Open(ctx context.Context, run journal.Run) error {
	if err := run.Check(); err != nil {
		return err
	}
	body, meta := pack.Bytes(run.Plan), pack.Bytes(run.Meta)
	return s.w.submit(ctx, &change{do: func(t *tx) error {
		if err := s.mine(t, run.ID); err != nil {
			return err
		}
		var spent, taken bool
		if err := t.get("SELECT EXISTS (SELECT 1 FROM run WHERE plan_id = ?), EXISTS (SELECT 1 FROM run WHERE id = ?)", []any{run.PlanID, run.ID}, &spent, &taken); err != nil {
			return err
		}
		switch {
		case spent:
			return journal.ErrSpent
		case taken:
			return fmt.Errorf("there is a run %s already", run.ID)
		}
		n, err := t.insert("INSERT INTO run (id, plan_id, plan_digest, operator, opened_at) VALUES (?, ?, ?, ?, ?)",
			run.ID, run.PlanID, run.PlanDigest, run.Operator, pack.Nanos(run.OpenedAt))
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO run_body (run, plan, meta) VALUES (?, ?, ?)", n, body, meta)
		return err
	}})
}

// Append makes a batch durable.
func (s *store) Append(ctx context.Context, b *journal.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	runs := b.Runs()
	return s.w.submit(ctx, &change{do: func(t *tx) error {
		for _, run := range runs {
			if err := s.mine(t, run); err != nil {
				return err
			}
		}
		return t.append(b)
	}})
}

func (t *tx) append(b *journal.Batch) error {
	for i := range b.Records {
		if err := t.record(&b.Records[i]); err != nil {
			return err
		}
	}
	for _, x := range b.Seal {
		if err := t.seal(x); err != nil {
			return err
		}
	}
	for _, x := range b.Erase {
		if err := t.erase(x); err != nil {
			return err
		}
	}
	for _, f := range b.Finished {
		if err := t.finished(f); err != nil {
			return err
		}
	}
	for i := range b.Bundles {
		if err := t.bundle(&b.Bundles[i]); err != nil {
			return err
		}
	}
	for _, id := range b.Filed {
		if err := t.filed(id); err != nil {
			return err
		}
	}
	if b.Close != nil {
		return t.closeRun(*b.Close)
	}
	return nil
}

// run gives a run's number; ErrNotFound if there is none.
func (t *tx) run(id string) (int64, error) {
	n, ok := t.runs[id]
	if ok {
		return n, nil
	}
	err := t.get("SELECT n FROM run WHERE id = ?", []any{id}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("run %s: %w", id, journal.ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	t.runs[id] = n // runs are never removed
	return n, nil
}

func (t *tx) record(r *journal.Record) error {
	n, err := t.run(r.Run)
	if err != nil {
		return err
	}
	r.Seq, err = t.insert("INSERT INTO record (run, address, step, kind, attempt, at, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
		n, r.Address, r.Step, string(r.Kind), r.Attempt, pack.Nanos(r.At), []byte(r.Data))
	return err
}

// seal keeps a ciphertext, in place of an earlier one of the same name.
func (t *tx) seal(x journal.Sealed) error {
	run, err := t.run(x.Run)
	if err != nil {
		return err
	}
	if err := t.forget(run, x); err != nil {
		return err
	}
	n, err := t.insert("INSERT INTO sealed (ciphertext) VALUES (?)", x.Ciphertext)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO sealed_name (run, address, name, n) VALUES (?, ?, ?, ?)", run, x.Address, x.Name, n)
	return err
}

func (t *tx) erase(x journal.Sealed) error {
	run, err := t.run(x.Run)
	if err != nil {
		return err
	}
	return t.forget(run, x)
}

// forget overwrites a ciphertext with zeros where it stands, and drops its name.
// Forgetting what is not there is no error.
func (t *tx) forget(run int64, x journal.Sealed) error {
	var n int64
	err := t.get("SELECT n FROM sealed_name WHERE run = ? AND address = ? AND name = ?", []any{run, x.Address, x.Name}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	t.erased = true
	if _, err := t.exec("DELETE FROM sealed_name WHERE run = ? AND address = ? AND name = ?", run, x.Address, x.Name); err != nil {
		return err
	}
	_, err = t.exec("UPDATE sealed SET ciphertext = zeroblob(length(ciphertext)) WHERE n = ?", n)
	return err
}

func (t *tx) finished(f journal.Finished) error {
	_, err := t.exec(`INSERT INTO credential (address, run, at, proof, version, mode, generation) VALUES (?, ?, ?, ?, ?, ?, 1)
		ON CONFLICT (address) DO UPDATE SET run = excluded.run, at = excluded.at, proof = excluded.proof,
			version = excluded.version, mode = excluded.mode, generation = generation + 1`,
		f.Address, f.Run, pack.Nanos(f.At), f.Proof, f.Version, f.Mode)
	return err
}

func (t *tx) bundle(b *journal.Bundle) error {
	var taken bool
	if err := t.get("SELECT EXISTS (SELECT 1 FROM bundle WHERE id = ?)", []any{b.ID}, &taken); err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("there is evidence named %s already", b.ID)
	}
	var err error
	b.Seq, err = t.insert("INSERT INTO bundle (id, run, file, line) VALUES (?, ?, ?, ?)", b.ID, b.Run, b.File, b.Line)
	return err
}

// filed drops a bundle's line and keeps its name. The row is removed and made
// anew: SQLite gives back the page of a row that shrinks only when it goes.
// Marking what is filed already, or was never there, changes nothing.
func (t *tx) filed(id string) error {
	var seq int64
	var run, file string
	err := t.get("SELECT seq, run, file FROM bundle WHERE id = ? AND line IS NOT NULL", []any{id}, &seq, &run, &file)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM bundle WHERE seq = ?", seq); err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO bundle (seq, id, run, file) VALUES (?, ?, ?, ?)", seq, id, run, file)
	return err
}

func (t *tx) closeRun(c journal.Close) error {
	n, err := t.run(c.Run)
	if err != nil {
		return err
	}
	t.closed = true
	_, err = t.exec("UPDATE run SET closed_at = ?, outcome = ? WHERE n = ?", pack.Nanos(c.At), c.Outcome, n)
	return err
}
