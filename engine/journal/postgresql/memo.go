package postgresql

import (
	"bytes"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/engine/journal"
)

// Recall gives what is remembered.
func (s *store) Recall(ctx context.Context, key string) ([]byte, error) {
	list, err := collect(ctx, s, pgx.RowTo[[]byte], "SELECT value FROM memo WHERE key = $1", key)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// Remember compares and replaces in one transaction. The lock orders those who
// find nothing: there is no row yet that could.
func (s *store) Remember(ctx context.Context, key string, old, next []byte) error {
	if key == "" || len(next) == 0 {
		return errors.New("a memo needs a key and a value")
	}
	return s.w.submit(ctx, &change{alone: func(ctx context.Context, tx session) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE memo IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		var now []byte
		err := tx.QueryRow(ctx, "SELECT value FROM memo WHERE key = $1", key).Scan(&now)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if !bytes.Equal(now, old) {
			return journal.ErrChanged
		}
		_, err = tx.Exec(ctx, "INSERT INTO memo (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, next)
		return err
	}})
}
