package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/sqlite"
)

// What is about a run that is not there is refused by its name, and nothing of it
// is done.
func TestWhatIsAboutNoRun(t *testing.T) {
	j := filled(t)
	before := everything(t, j)
	for name, b := range map[string]journal.Batch{
		"record": {Records: []journal.Record{{Run: "r7", Kind: journal.Done}}},
		"seal":   {Seal: []journal.Sealed{{Run: "r7", Name: "n", Ciphertext: []byte("x")}}},
		"erase":  {Erase: []journal.Sealed{{Run: "r7", Name: "n"}}},
		"close":  {Close: &journal.Close{Run: "r7", Outcome: "finished"}},
	} {
		for range 2 {
			if err := j.Append(t.Context(), &b); !errors.Is(err, journal.ErrNotFound) || !strings.Contains(err.Error(), "run r7") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := j.Run(t.Context(), "r7"); !errors.Is(err, journal.ErrNotFound) || !strings.Contains(err.Error(), "run r7") {
		t.Error(err)
	}
	if b, err := j.Secret(t.Context(), "r", "a", "none"); !errors.Is(err, journal.ErrNotFound) || b != nil {
		t.Error(b, err)
	}
	if _, err := j.Credential(t.Context(), "none"); !errors.Is(err, journal.ErrNotFound) {
		t.Error(err)
	}
	if d := cmp.Diff(before, everything(t, j)); d != "" {
		t.Error(d)
	}
}

// Who takes a name twice is told which.
func TestNamesThatAreTaken(t *testing.T) {
	j := filled(t)
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p2"}); err == nil || err.Error() != "there is a run r already" {
		t.Error(err)
	}
	for _, id := range []string{"r", "r2"} {
		if err := j.Open(t.Context(), journal.Run{ID: id, PlanID: "p"}); !errors.Is(err, journal.ErrSpent) {
			t.Error(err)
		}
	}
	taken := func(when string) {
		if err := calls["bundle"](t.Context(), j); err == nil || err.Error() != "there is evidence named b2 already" {
			t.Errorf("%s: %v", when, err)
		}
	}
	if err := calls["bundle"](t.Context(), j); err != nil {
		t.Error(err)
	}
	taken("waiting to be filed")
	if err := j.Append(t.Context(), &journal.Batch{Filed: []string{"b2"}}); err != nil {
		t.Error(err)
	}
	taken("filed")
}

// A call that failed because the tables were away works when they are back.
func TestATableComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for range 2 {
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE run RENAME TO away"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := calls["close"](t.Context(), j); err == nil || !strings.Contains(err.Error(), "its tables are not those of a state") {
				t.Errorf("away: %v", err)
			}
		}
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE away RENAME TO run"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"record", "close"} {
			if err := calls[name](t.Context(), j); err != nil {
				t.Errorf("back: %s: %v", name, err)
			}
		}
	}
}

// What is remembered is told from what is not, and from what cannot be read.
func TestMemory(t *testing.T) {
	j := filled(t)
	ctx := t.Context()
	if b, err := j.Recall(ctx, "k"); b != nil || err != nil {
		t.Errorf("before anything was remembered: %q, %v", b, err)
	}
	if err := j.Remember(ctx, "k", nil, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if b, err := j.Recall(ctx, "other"); b != nil || err != nil {
		t.Errorf("another key: %q, %v", b, err)
	}
	if err := j.Remember(ctx, "k", []byte("x"), []byte("b")); !errors.Is(err, journal.ErrChanged) {
		t.Error(err)
	}
	if b, err := j.Recall(ctx, "k"); string(b) != "a" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	for key, value := range map[string][]byte{"": []byte("x"), "k": nil} {
		if err := j.Remember(ctx, key, []byte("a"), value); err == nil || errors.Is(err, journal.ErrChanged) {
			t.Errorf("%q is remembered of %q: %v", value, key, err)
		}
		if err := j.Remember(ctx, key, nil, value); err == nil || errors.Is(err, journal.ErrChanged) {
			t.Errorf("%q is remembered of %q: %v", value, key, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if b, err := j.Recall(ended, "k"); b != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", b, err)
	}
	for _, byHand := range []string{"CREATE TABLE memo (key TEXT PRIMARY KEY)", "CREATE TABLE memo (key TEXT, value BLOB)", "CREATE VIEW memo AS SELECT 1 AS key, 2 AS value"} {
		j := filled(t, byHand)
		if err := j.Remember(ctx, "k", nil, []byte("a")); err == nil || errors.Is(err, journal.ErrChanged) {
			t.Errorf("%s: %v", byHand, err)
		}
	}
	j = filled(t, "CREATE TABLE memo (key TEXT PRIMARY KEY)")
	if b, err := j.Recall(ctx, "k"); b != nil || err == nil || !strings.Contains(err.Error(), "its tables are not those of a state") {
		t.Errorf("%q, %v", b, err)
	}
}

// What cannot be read is never answered as if it were not there.
func TestUnreadableIsNotAbsent(t *testing.T) {
	ctx := t.Context()
	j := filled(t, "DROP TABLE bundle", "DROP TABLE lease")
	if ok, err := j.HasBundle(ctx, "b"); ok || err == nil {
		t.Errorf("has a bundle: %v, %v", ok, err)
	}
	if err := j.Holds(ctx, "r"); err == nil || errors.Is(err, journal.ErrLost) {
		t.Errorf("holds: %v", err)
	}
	for name := range calls {
		if name == "acquire" || name == "release" || name == "open" || strings.HasPrefix(name, "b") || name == "filed" || name == "unfiled" {
			continue
		}
		err := calls[name](ctx, j)
		writes := map[string]bool{"record": true, "seal": true, "reseal": true, "erase": true, "finish": true, "close": true}[name]
		if writes != (err != nil) || errors.Is(err, journal.ErrLost) {
			t.Errorf("%s, not knowing whether the run is still ours: %v", name, err)
		}
	}
	j = filled(t)
	if ok, err := j.HasBundle(ctx, "b"); !ok || err != nil {
		t.Errorf("has the bundle: %v, %v", ok, err)
	}
	if ok, err := j.HasBundle(ctx, "none"); ok || err != nil {
		t.Errorf("has none: %v, %v", ok, err)
	}
	if err := j.Holds(ctx, "r"); err != nil {
		t.Error(err)
	}
	if err := j.Holds(ctx, "r2"); !errors.Is(err, journal.ErrLost) {
		t.Error(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	for name, call := range calls {
		if err := call(ctx, j); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s, closed: %v", name, err)
		}
	}
	if err := j.Holds(ctx, "r"); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("holds, closed: %v", err)
	}
}

// Who is in the way is named with how long, by the clock of who asks.
func TestHeldSince(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	ctx := t.Context()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	clock := func(now time.Time) journal.Journal {
		j, err := sqlite.Open(ctx, path, sqlite.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		return j
	}
	first, second := clock(at), clock(at.Add(90*time.Second))
	if _, err := first.Acquire(ctx, "r1", "alice", keyList("k2", "k1")); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Acquire(ctx, "bare", "alice", nil); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		run  string
		keys []journal.Key
		want journal.HeldError
	}{
		{"r2", keyList("k3", "k2"), journal.HeldError{Key: "k2", Run: "r1", Holder: "alice", Since: at, Age: 90 * time.Second}},
		{"r1", keyList("k3"), journal.HeldError{Key: "k1", Run: "r1", Holder: "alice", Since: at, Age: 90 * time.Second}},
		{"bare", keyList("k3"), journal.HeldError{Key: "run bare", Run: "bare", Holder: "another process", Since: at.Add(90 * time.Second)}},
	} {
		leases, err := second.Acquire(ctx, tc.run, "bob", tc.keys)
		held, ok := errors.AsType[*journal.HeldError](err)
		if !ok || leases != nil {
			t.Fatalf("%s: %v, %v", tc.run, leases, err)
		}
		if d := cmp.Diff(tc.want, *held); d != "" {
			t.Errorf("%s: %s", tc.run, d)
		}
	}
	// None of the attempts left anything: k3 is free, and r2 is at work nowhere.
	if leases, err := first.Acquire(ctx, "r2", "carol", keyList("k3")); err != nil || len(leases) != 1 || leases[0].Fence != 1 {
		t.Errorf("%+v, %v", leases, err)
	}
}

// Giving back is for who holds; what cannot be given back is said.
func TestRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	ctx := t.Context()
	a, b := open(t, path), open(t, path)
	if _, err := a.Acquire(ctx, "r1", "alice", keyList("k")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Release(ctx, "r1"), b.Release(ctx, "never")); err != nil {
		t.Error(err)
	}
	if err := a.Holds(ctx, "r1"); err != nil {
		t.Errorf("another's journal gave it back: %v", err)
	}
	if err := a.Release(ctx, "r1"); err != nil {
		t.Error(err)
	}
	if err := a.Holds(ctx, "r1"); !errors.Is(err, journal.ErrLost) {
		t.Errorf("after it was given back: %v", err)
	}
	if list, err := os.ReadDir(path + ".d"); err != nil || len(list) > 0 {
		t.Errorf("%v are left", list)
	}
	leases, err := b.Acquire(ctx, "r2", "bob", keyList("k"))
	if err != nil || leases[0].Fence != 2 {
		t.Errorf("%+v, %v", leases, err)
	}
	if err := os.RemoveAll(path + ".d"); err != nil {
		t.Fatal(err)
	}
	if err := b.Release(ctx, "r2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its lock is gone, and giving it back says %v", err)
	}
	if _, err := b.Acquire(ctx, "r3", "bob", keyList("k")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path + ".d"); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err == nil || !strings.Contains(err.Error(), "the state "+path+" was not closed well") {
		t.Errorf("its lock is gone, and closing says %v", err)
	}
	if again := b.Close(); again == nil {
		t.Error("a second call says that all was well")
	}
}

// A run that asks for more keeps what it has, and what a dead one had is taken from
// it at once or not at all.
func TestAskingForMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	ctx := t.Context()
	a, b := open(t, path), open(t, path)
	for _, keys := range [][]string{{"k1"}, {"k2"}, nil} {
		if _, err := a.Acquire(ctx, "r1", "alice", keyList(keys...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"k1", "k2"} {
		if _, err := b.Acquire(ctx, "r2", "bob", keyList(key)); !errors.As(err, new(*journal.HeldError)) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := os.RemoveAll(path + ".d"); err != nil { // as if it were dead
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE TRIGGER t BEFORE UPDATE ON lease WHEN NEW.run = '' BEGIN SELECT RAISE(ABORT, 'a canary'); END"); err != nil {
		t.Fatal(err)
	}
	for run, key := range map[string]string{"r1": "k9", "r2": "k1"} {
		if leases, err := b.Acquire(ctx, run, "bob", keyList(key)); err == nil || leases != nil || !strings.Contains(err.Error(), "code 1811") {
			t.Errorf("%s was not let go of, and %s is given: %v", run, key, err)
		}
		if err := b.Holds(ctx, run); !errors.Is(err, journal.ErrLost) {
			t.Errorf("%s: %v", run, err)
		}
	}
	if _, err := db.ExecContext(ctx, "DROP TRIGGER t"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Acquire(ctx, "r1", "bob", keyList("k9")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Acquire(ctx, "r2", "bob", keyList("k1", "k2")); err != nil {
		t.Errorf("what the dead one had besides: %v", err)
	}
}

// Who gave a run back may write about it like anybody, and is at work on it no more.
func TestAfterRelease(t *testing.T) {
	j := filled(t)
	ctx := t.Context()
	if err := errors.Join(j.Release(ctx, "r"), calls["record"](ctx, j)); err != nil {
		t.Errorf("given back: %v", err)
	}
	if _, err := j.Acquire(ctx, "bare", "alice", nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Holds(ctx, "bare"); err != nil {
		t.Error(err)
	}
	if err := j.Release(ctx, "bare"); err != nil {
		t.Error(err)
	}
	if err := j.Holds(ctx, "bare"); !errors.Is(err, journal.ErrLost) {
		t.Errorf("given back, it holds: %v", err)
	}
}

// Asking again for a key that one has keeps the others, in whatever order.
func TestAskingAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	ctx := t.Context()
	j := open(t, path)
	for _, keys := range [][]string{{"k1"}, {"k0", "k1", "k2"}} {
		if _, err := j.Acquire(ctx, "r1", "alice", keyList(keys...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, asks := range []journal.Journal{open(t, path), j} {
		for _, key := range []string{"k0", "k1", "k2"} {
			if held, ok := errors.AsType[*journal.HeldError](func() error { _, err := asks.Acquire(ctx, "r2", "bob", keyList(key)); return err }()); !ok || held.Run != "r1" {
				t.Errorf("%s: %+v", key, held)
			}
		}
	}
}

// While a process is at work on a run its locks cannot be taken away from it by
// itself, whatever became of their files.
func TestOwnLocksAreAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if _, err := j.Acquire(t.Context(), "r1", "alice", keyList("k")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path + ".d"); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Acquire(t.Context(), "r2", "bob", keyList("k")); !errors.As(err, new(*journal.HeldError)) {
		t.Error(err)
	}
}

// asks is a context in which something happens when it is asked for its end.
type asks struct {
	context.Context
	once *sync.Once
	do   func()
}

func (a asks) Done() <-chan struct{} {
	a.once.Do(a.do)
	return a.Context.Done()
}

// Somebody who only looks at a lock does not make its run be at work.
func TestALookIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if err := os.Mkdir(path+".d", 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(path+".d", "run-r1.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	looked := asks{t.Context(), &sync.Once{}, func() { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }}
	if _, err := j.Acquire(looked, "r1", "alice", keyList("k")); err != nil {
		t.Error(err)
	}
}

// A lease that cannot be read is nobody's to take.
func TestDamagedLease(t *testing.T) {
	for _, change := range []string{"UPDATE lease SET since = 'x', run = 'r9'", "UPDATE lease SET fence = 'x', run = 'r9'", "UPDATE lease SET fence = 'x'"} {
		j := filled(t, change)
		if leases, err := j.Acquire(t.Context(), "r2", "bob", keyList("key")); err == nil || leases != nil {
			t.Errorf("%s: %+v", change, leases)
		}
		if strings.Contains(change, "fence") {
			if err := j.Holds(t.Context(), "r"); err == nil {
				t.Errorf("%s: it holds", change)
			}
		}
		if change == "UPDATE lease SET fence = 'x'" {
			if err := j.Release(t.Context(), "r"); err == nil {
				t.Errorf("%s: it is given back, not knowing whose it is", change)
			}
		}
	}
}

// The folder of the locks is looked at like the state's own, and who is at work is
// asked even where the answer cannot be read.
func TestLocksThatCannotBeHad(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "s", "state.db")
	a, b := open(t, path), open(t, path)
	if err := os.WriteFile(path+".d", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Acquire(ctx, "r1", "alice", keyList("k")); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Error(err)
	}
	if err := os.Remove(path + ".d"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Acquire(ctx, "r1", "alice", keyList("k")); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "DROP TABLE lease"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Acquire(ctx, "r1", "bob", keyList("k")); err == nil || !strings.Contains(err.Error(), "its tables are not those of a state") {
		t.Error(err)
	}
}

// Looking whether a run is alive leaves nothing behind that would make it so.
func TestLookingIsNotHolding(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "s", "state.db")
	a, b := open(t, path), open(t, path)
	if _, err := a.Acquire(ctx, "r1", "alice", keyList("k")); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(path+".d", "run-r1.lock")
	if err := errors.Join(os.Remove(lock), os.WriteFile(lock, nil, 0o600)); err != nil { // as a process that was killed leaves it
		t.Fatal(err)
	}
	if _, err := b.Acquire(ctx, "r2", "bob", keyList("k")); err != nil {
		t.Error(err)
	}
	if _, err := b.Acquire(ctx, "r1", "bob", keyList("k2")); err != nil {
		t.Error(err)
	}
}
