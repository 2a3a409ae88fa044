package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
)

// another is a connection of another process to the file at path.
func another(t *testing.T, path string, does ...string) func(query string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	do := func(query string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(query, err)
		}
	}
	for _, query := range does {
		do(query)
	}
	return do
}

func emptyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Only an empty file is made into a state, and only a state of this format is one.
func TestFormats(t *testing.T) {
	ours := fmt.Sprintf("PRAGMA application_id=%d", applicationID)
	for name, tc := range map[string]struct {
		is   []string
		says string
	}{
		"ours without a format":  {[]string{ours, "CREATE TABLE x (y)"}, "is damaged (format 0, 1 tables)"},
		"ours of a format below": {[]string{ours, "PRAGMA user_version=-1", "CREATE TABLE x (y)"}, "is damaged (format -1, 1 tables)"},
		"ours without tables":    {[]string{ours, "PRAGMA user_version=1"}, "is damaged (format 1, 0 tables)"},
		"ours and empty":         {[]string{ours}, "is damaged (format 0, 0 tables)"},
		"ours of the next":       {[]string{ours, "PRAGMA user_version=2", "CREATE TABLE x (y)"}, "(format 2, this one knows 1): install that version"},
		"another's":              {[]string{"PRAGMA application_id=7"}, "is a SQLite database of another program"},
		"another's format":       {[]string{"PRAGMA user_version=1"}, "is a SQLite database of another program"},
		"another's tables":       {[]string{"CREATE TABLE x (y)"}, "is a SQLite database of another program"},
	} {
		path := emptyFile(t)
		another(t, path, tc.is...)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		j, err := Open(t.Context(), path, Options{})
		if err == nil || j != nil || !strings.Contains(err.Error(), tc.says) || errors.Is(err, journal.ErrNewer) != strings.Contains(name, "next") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s was changed", name)
		}
	}
}

// Where another process is at work on the file, opening waits, looks again, and
// says so when it waited for long.
func TestOpeningWaitsForOthers(t *testing.T) {
	hasty := Options{BusyTimeout: 20 * time.Millisecond}
	refused := func(what, path, says string) {
		t.Helper()
		if j, err := Open(t.Context(), path, hasty); err == nil || j != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	opened := func(what, path string) journal.Journal {
		t.Helper()
		j, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(what, err)
		}
		t.Cleanup(func() { _ = j.Close() })
		return j
	}
	const busy = "cannot be opened: another process is writing to it"
	soon := func(do func()) { // by when the other is waiting; if not, the test is only weaker
		go func() {
			time.Sleep(50 * time.Millisecond)
			do()
		}()
	}

	path := emptyFile(t) // before it is a state
	other := another(t, path, "PRAGMA journal_mode=WAL", "BEGIN IMMEDIATE")
	refused("an empty file", path, busy)
	soon(func() { other("COMMIT") })
	opened("an empty file, then", path)

	path = emptyFile(t) // while another makes it
	other = another(t, path, "PRAGMA journal_mode=WAL", "BEGIN IMMEDIATE", schema+fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d;", applicationID, schemaVersion))
	soon(func() { other("COMMIT") })
	if _, err := opened("made by another", path).Runs(t.Context()); err != nil {
		t.Error(err)
	}

	path = emptyFile(t) // while another makes something else of it
	other = another(t, path, "PRAGMA journal_mode=WAL", "BEGIN IMMEDIATE", "CREATE TABLE x (y)")
	soon(func() { other("COMMIT") })
	if j, err := Open(t.Context(), path, Options{}); err == nil || j != nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("made into something else: %v", err)
	}
	another(t, path, "DROP TABLE x")
	opened("empty again", path)

	path = emptyFile(t) // a state that another writes to
	j := opened("new", path)
	other = another(t, path, "BEGIN IMMEDIATE")
	beside, err := Open(t.Context(), path, hasty)
	if err != nil {
		t.Fatalf("who opens a state waits for who writes to it: %v", err)
	}
	other("COMMIT")
	if err := errors.Join(beside.Close(), j.Close()); err != nil { // and whose log is switched off
		t.Fatal(err)
	}
	other("PRAGMA journal_mode=DELETE")
	other("BEGIN IMMEDIATE")
	refused("without its log", path, busy)
	ctx, cancel := context.WithCancel(t.Context())
	soon(cancel)
	if j, err := Open(ctx, path, Options{}); !errors.Is(err, context.Canceled) || j != nil {
		t.Errorf("cut off: %v", err)
	}
	soon(func() { other("COMMIT") })
	j = opened("without its log, then", path)
	var mode string
	if err := j.(*store).read.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("its log is %q: %v", mode, err)
	}
}

// Waiting for the log ends with its context, and where there can be none it is
// said.
func TestWriteAheadLogging(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := toWAL(t.Context(), db, time.Second); err == nil || !strings.Contains(err.Error(), "put the state on a local file system") {
		t.Error(err)
	}
	path := emptyFile(t)
	another(t, path, "CREATE TABLE x (y)", "BEGIN IMMEDIATE")
	db, err = sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for asks := range 60 { // at every place where it asks
		if err := toWAL(&ending{t.Context(), atomic.Int64{}, int64(asks), make(chan struct{})}, db, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("after %d asks: %v", asks, err)
		}
	}
}

// ending is a context that ends when it has been asked for its end so often.
type ending struct {
	context.Context
	asked atomic.Int64
	at    int64
	ended chan struct{}
}

func (c *ending) Done() <-chan struct{} {
	if c.asked.Add(1) == c.at+1 {
		close(c.ended)
	}
	return c.ended
}

func (c *ending) Err() error {
	select {
	case <-c.ended:
		return context.Canceled
	default:
		return nil
	}
}

// What is asked of a state is given to every connection: how long to wait, and
// that who reads cannot write.
func TestConnections(t *testing.T) {
	path := emptyFile(t)
	j, err := Open(t.Context(), path, Options{BusyTimeout: 70 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	s := j.(*store)
	if _, err := s.read.ExecContext(t.Context(), "CREATE TABLE x (y)"); err == nil || !strings.Contains(wording(err).Error(), "it cannot be written") {
		t.Errorf("a reader wrote: %v", err)
	}
	for pragma, want := range map[string]int{"busy_timeout": 70, "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "query_only": 1, "trusted_schema": 0, "cell_size_check": 1, "temp_store": 2} {
		var got int
		if err := s.read.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %d, %v", pragma, got, err)
		}
	}
	err = s.w.submit(t.Context(), &change{do: func(tx *tx) error {
		for pragma, want := range map[string]int{"busy_timeout": 70, "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "query_only": 0} {
			var got int
			if err := tx.get("PRAGMA "+pragma, nil, &got); err != nil || got != want {
				t.Errorf("of the writer, %s is %d, %v", pragma, got, err)
			}
		}
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
}

// What cannot be read is not taken for empty, and what could not be made is not
// said to be there.
func TestMakingTheTablesIsCutOff(t *testing.T) {
	path := emptyFile(t)
	connect := func() *sql.DB {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	look := connect()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if fresh, err := checkSchema(ended, look, path); fresh || !errors.Is(err, context.Canceled) {
		t.Errorf("unread: %v, %v", fresh, err)
	}
	for asks := range 200 {
		db := connect()
		err := prepareSchema(&ending{t.Context(), atomic.Int64{}, int64(asks), make(chan struct{})}, db, path, time.Hour)
		_ = db.Close() // with which ends what was begun
		fresh, failed := checkSchema(t.Context(), look, path)
		if failed != nil || fresh && err == nil {
			t.Fatalf("after %d asks: %v, %v", asks, err, failed)
		}
		if !fresh {
			return
		}
	}
	t.Error("the tables were never made")
}
