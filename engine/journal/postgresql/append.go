package postgresql

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/internal/pack"
)

// Open begins a run.
func (s *store) Open(ctx context.Context, run journal.Run) error {
	if err := run.Check(); err != nil {
		return err
	}
	body, meta := pack.Bytes(run.Plan), pack.Bytes(run.Meta)
	return s.w.submit(ctx, &change{runs: []string{run.ID}, queue: func(b *pgx.Batch) {
		b.Queue("INSERT INTO run (id, plan_id, plan_digest, operator, opened_at) VALUES ($1, $2, $3, $4, $5)",
			run.ID, run.PlanID, run.PlanDigest, run.Operator, pack.Nanos(run.OpenedAt))
		b.Queue("INSERT INTO run_body (run, plan, meta) VALUES ($1, $2, $3)", run.ID, body, meta)
	}})
}

// Append makes a batch durable.
func (s *store) Append(ctx context.Context, b *journal.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	return s.w.submit(ctx, &change{runs: b.Runs(), queue: func(to *pgx.Batch) { queue(to, b) }})
}

// queue turns a batch into statements. None needs the answer of another, so all of
// them travel at once.
func queue(to *pgx.Batch, b *journal.Batch) {
	for i := range b.Records {
		r := &b.Records[i]
		to.Queue("INSERT INTO record (run, address, step, kind, attempt, at, data) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING seq",
			r.Run, r.Address, r.Step, string(r.Kind), r.Attempt, pack.Nanos(r.At), []byte(r.Data)).QueryRow(func(row pgx.Row) error { return row.Scan(&r.Seq) })
	}
	for _, x := range b.Seal {
		to.Queue("INSERT INTO sealed (run, address, name, ciphertext) VALUES ($1, $2, $3, $4) ON CONFLICT (run, address, name) DO UPDATE SET ciphertext = excluded.ciphertext",
			x.Run, x.Address, x.Name, x.Ciphertext)
	}
	for _, x := range b.Erase {
		to.Queue("DELETE FROM sealed WHERE run = $1 AND address = $2 AND name = $3", x.Run, x.Address, x.Name)
	}
	for _, f := range b.Finished {
		to.Queue(`INSERT INTO credential (address, run, at, proof, version, mode, generation) VALUES ($1, $2, $3, $4, $5, $6, 1)
			ON CONFLICT (address) DO UPDATE SET run = excluded.run, at = excluded.at, proof = excluded.proof,
				version = excluded.version, mode = excluded.mode, generation = credential.generation + 1`,
			f.Address, f.Run, pack.Nanos(f.At), f.Proof, f.Version, f.Mode)
	}
	for i := range b.Bundles {
		x := &b.Bundles[i]
		to.Queue("INSERT INTO bundle (id, run, file, line) VALUES ($1, $2, $3, $4) RETURNING seq",
			x.ID, x.Run, x.File, x.Line).QueryRow(func(row pgx.Row) error { return row.Scan(&x.Seq) })
	}
	if c := b.Close; c != nil {
		to.Queue("UPDATE run SET closed_at = $2, outcome = $3 WHERE id = $1", c.Run, pack.Nanos(c.At), c.Outcome)
	}
	if len(b.Filed) > 0 {
		to.Queue("UPDATE bundle SET filed = true WHERE id = ANY($1)", b.Filed)
		to.Queue(`UPDATE bundle SET line = NULL WHERE line IS NOT NULL AND run IN (
			SELECT id FROM run WHERE closed_at <> 0 AND id IN (SELECT run FROM bundle WHERE id = ANY($1))
				AND NOT EXISTS (SELECT FROM bundle WHERE run = run.id AND NOT filed))`, b.Filed)
	}
}

// refusal words what a constraint refused.
func refusal(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return nil
	}
	switch {
	case pg.Code == "23503":
		return fmt.Errorf("the run: %w", journal.ErrNotFound)
	case pg.ConstraintName == "run_spends_plan":
		return journal.ErrSpent
	case pg.ConstraintName == "run_pkey":
		return errors.New("there is a run of that id already")
	case pg.ConstraintName == "bundle_is_unique":
		return errors.New("there is evidence of that name already")
	}
	return nil
}
