package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
)

// logged is the size of a state's write-ahead log.
func logged(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// The log is emptied where erased ciphertexts stand in it, and only there; what is
// in the way is waited out without holding anybody up, and a disk that fails stops
// the journal.
func TestTidying(t *testing.T) {
	since := time.Now().Add(-time.Hour)
	for name, tc := range map[string]struct {
		clean, poisoned, reader, locked, readOnly bool
		emptied, again, breaks                    bool
	}{
		"erased":              {emptied: true},
		"nothing erased":      {clean: true},
		"not to be trusted":   {poisoned: true, again: true, breaks: true},
		"a reader in the way": {reader: true, again: true},
		"a transaction":       {locked: true, again: true},
		"it cannot write":     {readOnly: true, again: true, breaks: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s", "state.db")
			j := openStore(t, path)
			if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
				t.Fatal(err)
			}
			dsn := "file:" + path
			if tc.readOnly {
				dsn += "?mode=ro"
			}
			db, err := sql.Open("sqlite", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w := &writer{s: &store{path: path, opts: Options{BusyTimeout: 70 * time.Millisecond}}, t: tx{ctx: context.Background(), conn: conn}}
			if !tc.clean {
				w.dirty = since
			}
			if tc.poisoned {
				_ = w.s.breakWith(errors.New("the disk is full"))
			}
			if tc.reader {
				another(t, path, "BEGIN", "SELECT count(*) FROM run")
				if err := j.Open(t.Context(), journal.Run{ID: "r2", PlanID: "p2"}); err != nil { // which it does not see
					t.Fatal(err)
				}
			}
			if tc.locked {
				if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
					t.Fatal(err)
				}
			}
			w.tidy()
			if emptied := logged(t, path) == 0; emptied != tc.emptied {
				t.Errorf("emptied: %v", emptied)
			}
			if again := !w.dirty.IsZero(); again != tc.again {
				t.Errorf("to be done again: %v", again)
			}
			if (tc.reader || tc.locked) && !w.dirty.After(since) {
				t.Error("it is tried again with every write, and not a second later")
			}
			if err := w.s.broken(); (err != nil) != tc.breaks || tc.readOnly && !strings.Contains(err.Error(), "the disk failed to") {
				t.Errorf("the journal is stopped with %v", err)
			}
			var patience int
			if err := conn.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&patience); err != nil || (patience != 70) != (tc.clean || tc.poisoned) {
				t.Errorf("it waits for %d ms, %v", patience, err)
			}
		})
	}
}

// Where it cannot be known whether the log was emptied, it was not.
func TestTruncatingThatFails(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "s", "state.db"))
	err := s.w.submit(t.Context(), &change{do: func(*tx) error {
		if done, err := s.w.truncate(); done || err == nil {
			t.Errorf("within a transaction: %v, %v", done, err)
		}
		return nil
	}})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Error(err)
	}
	if done, err := s.w.truncate(); done || !errors.Is(err, sql.ErrConnDone) {
		t.Errorf("without a connection: %v, %v", done, err)
	}
	if err := s.w.patience(0); !errors.Is(err, sql.ErrConnDone) {
		t.Errorf("without a connection: %v", err)
	}
}

// What was erased leaves the log within a second or so, however steadily others
// write and erase, or at once when it is closed; who erases nothing does not empty it.
func TestSteadyWritersAreTidied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	s := openStore(t, path)
	openStore(t, path) // another, so that the log is not removed when the first is closed
	ago := func(d time.Duration) func(*tx) error {
		return func(t *tx) error { s.w.dirty, t.erased = time.Now().Add(-d), true; return nil }
	}
	var dirty bool
	look := func(*tx) error { dirty = !s.w.dirty.IsZero(); return nil }
	for _, tc := range []struct {
		what  string
		do    func(*tx) error
		dirty bool
	}{
		{"nothing was erased", func(*tx) error { return nil }, false},
		{"erased long ago, and something else now", ago(time.Hour), false},
		{"nothing since", func(*tx) error { return nil }, false},
		{"erased just now", ago(-time.Hour), true},
	} {
		for _, do := range []func(*tx) error{tc.do, look} {
			if err := s.w.submit(t.Context(), &change{do: do}); err != nil {
				t.Fatal(err)
			}
		}
		if dirty != tc.dirty {
			t.Errorf("%s: to be tidied: %v", tc.what, dirty)
		}
	}
	if err := s.w.submit(t.Context(), adds("r")); err != nil || logged(t, path) == 0 {
		t.Fatalf("%v, and nothing is in the log", err)
	}
	if err := s.Close(); err != nil || logged(t, path) > 0 {
		t.Errorf("closed: %v, and %d bytes are left in the log", err, logged(t, path))
	}
}
