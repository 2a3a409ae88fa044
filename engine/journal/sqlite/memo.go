package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/remint-dev/remint/engine/journal"
)

// memoTable is made when something is first remembered, so that states of before
// need no new format.
const memoTable = "CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"

// Recall gives what is remembered.
func (s *store) Recall(ctx context.Context, key string) ([]byte, error) {
	var there int
	err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'memo'").Scan(&there)
	if there == 0 {
		return nil, s.explain(err) // of none, if nothing was ever remembered
	}
	var b []byte
	err = s.read.QueryRowContext(ctx, "SELECT value FROM memo WHERE key = ?", key).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return b, s.explain(err)
}

// Remember compares and replaces in the writer's transaction.
func (s *store) Remember(ctx context.Context, key string, old, next []byte) error {
	if key == "" || len(next) == 0 {
		return errors.New("a memo needs a key and a value")
	}
	return s.w.submit(ctx, &change{do: func(t *tx) error {
		if _, err := t.exec(memoTable); err != nil {
			return err
		}
		var now []byte
		err := t.get("SELECT value FROM memo WHERE key = ?", []any{key}, &now)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if !bytes.Equal(now, old) {
			return journal.ErrChanged
		}
		_, err = t.exec("INSERT INTO memo (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, next)
		return err
	}})
}
