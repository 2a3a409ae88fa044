package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
)

// Every failure of SQLite is told in words for people, never in its own, and what
// leaves in doubt what the disk holds stops the journal for good.
func TestFailuresAreWorded(t *testing.T) {
	for name, tc := range map[string]struct {
		setup, fails string
		dsn          func(path string) string
		says         string
		final        bool
	}{
		"full":      {setup: "PRAGMA max_page_count=3; CREATE TABLE t (x)", fails: "INSERT INTO t SELECT zeroblob(100000)", says: "the disk is full", final: true},
		"read-only": {setup: "CREATE TABLE t (x); PRAGMA query_only=1", fails: "INSERT INTO t VALUES (1)", says: "it cannot be written", final: true},
		"too large": {fails: "SELECT zeroblob(2147483647)", says: "a value is too large"},
		"no table":  {fails: "SELECT canary FROM nothing", says: "its tables are not those of a state"},
		"refused":   {setup: "CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES ('canary')", fails: "INSERT INTO t VALUES ('canary')", says: "SQLite refused (code 2067)"},
		"mismatch":  {setup: "CREATE TABLE t (x INTEGER PRIMARY KEY)", fails: "INSERT INTO t VALUES ('canary')", says: "its tables are not those of a state"},
		"no folder": {dsn: func(path string) string { return "file:" + filepath.Join(path, "none") }, fails: "SELECT 1 FROM sqlite_schema", says: "cannot be opened", final: true},
		"no disk":   {dsn: func(string) string { return "file:/proc/self/mem?mode=ro" }, fails: "SELECT 1 FROM sqlite_schema", says: "the disk failed to read or write (SQLite code 10)", final: true},
		"no database": {dsn: func(path string) string {
			_ = os.WriteFile(path, []byte(strings.Repeat("canary ", 1000)), 0o600)
			return "file:" + path
		}, fails: "SELECT 1 FROM sqlite_schema", says: "it is not a SQLite database", final: true},
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		dsn := "file:" + path
		if tc.dsn != nil {
			dsn = tc.dsn(path)
		}
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		if tc.setup != "" {
			if _, err := db.ExecContext(t.Context(), tc.setup); err != nil {
				t.Fatal(name, err)
			}
		}
		_, err = db.ExecContext(t.Context(), tc.fails)
		if err == nil {
			err = db.QueryRowContext(t.Context(), tc.fails).Scan(new(any))
		}
		s := &store{path: "/s/state.db"}
		got := s.explain(err)
		if err == nil || !strings.Contains(got.Error(), "the state /s/state.db: ") || !strings.Contains(got.Error(), tc.says) || strings.Contains(got.Error(), "canary") || final(err) != tc.final {
			t.Errorf("%s: %v is told as %v; final: %v", name, err, got, final(err))
		}
		if got := openFailure("/s/state.db", err); !strings.Contains(got.Error(), "cannot be opened: ") || !strings.Contains(got.Error(), tc.says) {
			t.Errorf("%s: opening is told as %v", name, got)
		}
		_ = db.Close()
	}
	other := errors.New("no failure of SQLite")
	s := &store{}
	if s.explain(other).Error() != other.Error() || !errors.Is(openFailure("x", other), other) || !errors.Is(wording(other), other) || final(other) || s.explain(nil) != nil {
		t.Error("another error is not told as it is")
	}
	if got := openFailure("x", other); got.Error() != other.Error() {
		t.Errorf("opening is told as %v", got)
	}
	s.shut.Store(true)
	if !errors.Is(s.explain(other), journal.ErrClosed) || s.explain(nil) != nil {
		t.Error("after closing it is not said")
	}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if got := s.explain(ended); !errors.Is(got, ended) {
			t.Errorf("%v is told as %v", ended, got)
		}
	}
}

// Another process's lock is waited for, then told.
func TestABusyStateIsWorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	one, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = one.Close() }()
	one.SetMaxOpenConns(1)
	if _, err := one.ExecContext(t.Context(), "CREATE TABLE t (x); BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	two, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = two.Close() }()
	_, err = two.ExecContext(t.Context(), "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
	if got := wording(err); err == nil || !strings.Contains(got.Error(), "another process is writing to it") || final(err) {
		t.Errorf("%v is told as %v", err, got)
	}
}

// The first failure of the disk is the one that is told from then on.
func TestTheFirstFailureStays(t *testing.T) {
	s := &store{path: "/s/state.db"}
	first := s.breakWith(errors.New("the disk is full"))
	second := s.breakWith(errors.New("another"))
	if !strings.Contains(first.Error(), "the disk is full") || second.Error() != first.Error() || s.broken().Error() != first.Error() {
		t.Error(first, second)
	}
}
