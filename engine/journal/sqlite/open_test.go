package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/sqlite"
)

// cutOff is a context that ends when it has been asked for its end so often.
type cutOff struct {
	context.Context
	left  atomic.Int64
	ended chan struct{}
}

func newCutOff(ctx context.Context, asks int) *cutOff {
	c := &cutOff{Context: ctx, ended: make(chan struct{})}
	c.left.Store(int64(asks))
	return c
}

func (c *cutOff) Done() <-chan struct{} {
	if c.left.Add(-1) == -1 {
		close(c.ended)
	}
	return c.ended
}

func (c *cutOff) Err() error {
	select {
	case <-c.ended:
		return context.Canceled
	default:
		return nil
	}
}

// leftOpen are the files at or below path that this process still has open.
func leftOpen(t *testing.T, path string) []string {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, path) {
			out = append(out, to)
		}
	}
	return out
}

// Wherever opening is cut off, nothing of it stays open, and the state is one that
// can be opened.
func TestOpeningIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	for _, made := range []string{"new", "there"} {
		cut := 0
		for asks := 0; ; asks++ {
			j, err := sqlite.Open(newCutOff(t.Context(), asks), path, sqlite.Options{})
			if err == nil {
				if _, err := j.Runs(t.Context()); err != nil {
					t.Errorf("%s, opened with %d asks: %v", made, asks, err)
				}
				if err := j.Close(); err != nil {
					t.Error(err)
				}
				break
			}
			cut++
			if left := leftOpen(t, path); len(left) > 0 || j != nil {
				t.Fatalf("%s, cut off after %d asks: %v, and %v is open", made, asks, err, left)
			}
			if made == "new" { // as far as it came, it can be gone on with
				if asks%2 == 0 {
					if err := os.RemoveAll(filepath.Dir(path)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if cut < 3 {
			t.Errorf("%s: it was cut off at %d places only", made, cut)
		}
	}
	if left := leftOpen(t, path); len(left) > 0 {
		t.Errorf("closed, and %v is open", left)
	}
}

// A file that is refused is let go of.
func TestRefusedFilesAreClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("hello "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || j != nil {
		t.Fatalf("%v was opened", j)
	}
	if left := leftOpen(t, path); len(left) > 0 {
		t.Errorf("%v is open", left)
	}
}

// What stands beside the state holds parts of it, and is looked at like the state
// itself.
func TestFilesBesideTheStateAreChecked(t *testing.T) {
	for _, side := range []string{"-wal", "-shm", "-journal", ""} {
		for says, plant := range map[string]func(path string) error{
			"is a symbolic link":       func(path string) error { return os.Symlink("elsewhere", path) },
			"is not a regular file":    func(path string) error { return os.Mkdir(path, 0o700) },
			"may be written by others": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o620)) },
			"mode 0602":                func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o602)) },
			"has a second name":        func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Link(path, path+".2")) },
		} {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := plant(path + side); err != nil {
				t.Fatal(err)
			}
			if j, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || j != nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path+side) {
				t.Errorf("%q: want %q, got %v", side, says, err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "state.db")
	for _, side := range []string{"-wal", ""} { // as a process that was killed left them
		if err := errors.Join(os.WriteFile(path+side, nil, 0o644), os.Chmod(path+side, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	open(t, path)
}

// Folders that others may write into are refused, those above are made.
func TestFoldersOfTheState(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c", "state.db")
	open(t, path)
	for d := filepath.Dir(path); d != dir; d = filepath.Dir(d) {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, info, err)
		}
	}
	loose := filepath.Join(dir, "loose")
	if err := errors.Join(os.Mkdir(loose, 0o700), os.Chmod(loose, 0o770)); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(dir, "linked")
	if err := os.Symlink("a", linked); err != nil {
		t.Fatal(err)
	}
	for d, says := range map[string]string{loose: "may be written by others (mode 0770)", linked: "is a symbolic link"} {
		if j, err := sqlite.Open(t.Context(), filepath.Join(d, "state.db"), sqlite.Options{}); err == nil || j != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", d, err)
		}
	}
}

// A relative path is where the process is when it opens the state.
func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	j := open(t, filepath.Join("s", "state.db"))
	t.Chdir(t.TempDir())
	if _, err := j.Acquire(t.Context(), "r", "me", keyList("k")); err != nil {
		t.Error(err)
	}
	if list, err := os.ReadDir("."); err != nil || len(list) > 0 {
		t.Errorf("%v was made where the process is now", list)
	}
}

// lockedBy has another process's transaction open on the state.
func lockedBy(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return db
}

// A write waits while another process writes; when that does not finish it says
// so, and the next write is done when it has.
func TestWritesWaitForOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	record := func(j journal.Journal) error { return calls["record"](t.Context(), j) }
	patient := open(t, path)
	if err := patient.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	other := lockedBy(t, path)
	done := make(chan error, 1)
	go func() { done <- record(patient) }()
	time.Sleep(30 * time.Millisecond) // it is waiting by now; if not, nothing is lost but the test's strength
	if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("it did not wait: %v", err)
	}
	hasty, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hasty.Close() }()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := record(hasty); err == nil || !strings.Contains(err.Error(), "the state "+path+": another process is writing to it") {
		t.Errorf("it waited for long, and says %v", err)
	}
	if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := record(hasty); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	n := 0
	for _, err := range hasty.Records(t.Context(), "r", "*") {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(2, n); d != "" {
		t.Error("records", d)
	}
}

// A umask that takes the owner's own rights away does not make a state that its
// owner cannot open.
func TestModesWithoutRights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	old := syscall.Umask(0o777)
	j, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}
