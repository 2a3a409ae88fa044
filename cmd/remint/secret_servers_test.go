//go:build linux && !race

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"github.com/remint-dev/remint/internal/pgtest"
)

// loosened adds to a value what it is compressed from, if it is.
func loosened(t *testing.T, value any) []byte {
	t.Helper()
	var b []byte
	switch v := value.(type) {
	case nil:
	case []byte:
		b = bytes.Clone(v)
	default:
		b = fmt.Append(nil, v)
	}
	if bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		r, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		whole, err := r.DecodeAll(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		b = append(append(b, '\n'), whole...)
	}
	return append(b, '\n')
}

// unpacked is what stands in the rows of a state in a file, by table: what is
// compressed in them cannot be searched as it lies there.
func unpacked(t *testing.T, path string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	if _, err := os.Stat(path); err != nil { // nothing was kept yet
		return out
	}
	copied := t.TempDir()
	run(t, filepath.Dir(path), "sh", "-c", `cp -r state.db* "$0"`, copied)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(copied, filepath.Base(path)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range rowsOf(t, db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
		name := fmt.Sprint(table[0])
		for _, row := range rowsOf(t, db, `SELECT * FROM "`+name+`"`) {
			for _, value := range row {
				out["the state's table "+name] = append(out["the state's table "+name], loosened(t, value)...)
			}
		}
	}
	return out
}

func rowsOf(t *testing.T, db *sql.DB, query string) (out [][]any) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// dumped is what stands in the rows of a state in PostgreSQL, by table.
func dumped(t *testing.T, url, schema string) map[string][]byte {
	t.Helper()
	ctx := context.Background()
	c, err := connected(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	all := func(query string, args ...any) [][]any {
		rows, err := c.Query(ctx, query, args...)
		if err != nil {
			t.Fatal(err)
		}
		out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := c.Exec(ctx, "SET log_statement = 'none'; SET log_min_duration_statement = -1"); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, table := range all("SELECT tablename FROM pg_tables WHERE schemaname = $1", schema) {
		name := fmt.Sprint(table[0])
		for _, row := range all("SELECT * FROM " + pgx.Identifier{schema, name}.Sanitize()) {
			for _, value := range row {
				out["the state's table "+name] = append(out["the state's table "+name], loosened(t, value)...)
			}
		}
	}
	return out
}

// bytea is how a server logs bytes that are a statement's parameters.
var bytea = regexp.MustCompile(`\\x[0-9a-f]{16,}`)

// serverFiles are a server's log, with every statement and parameter in it, and the
// files of its data directory: what is in no row any more included.
func serverFiles(t *testing.T, of string, s *pgtest.Server) map[string][]byte {
	t.Helper()
	log := []byte(s.Log())
	for _, x := range bytea.FindAll(log, -1) {
		raw := make([]byte, len(x)/2-1)
		if _, err := hex.Decode(raw, x[2:2+2*len(raw)]); err != nil {
			t.Fatal(err)
		}
		log = append(log, loosened(t, raw)...)
	}
	out := map[string][]byte{"the log of " + of: log}
	ctx := context.Background()
	c, err := connected(ctx, s.SuperURL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	var dir string
	if err := c.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	all := []byte{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) { // it is at work
			return nil
		}
		all = append(append(all, b...), '\n')
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	out["the files of "+of] = all
	return out
}
