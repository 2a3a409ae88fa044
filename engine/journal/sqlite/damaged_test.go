package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/sqlite"
)

// calls is every call of a journal, by what it is for, on the state of filled.
var calls = map[string]func(context.Context, journal.Journal) error{
	"open": func(ctx context.Context, j journal.Journal) error {
		return j.Open(ctx, journal.Run{ID: "r2", PlanID: "p2"})
	},
	"record": appends(journal.Batch{Records: []journal.Record{{Run: "r", Address: "a", Step: "s", Kind: journal.Done}}}),
	"seal":   appends(journal.Batch{Seal: []journal.Sealed{{Run: "r", Address: "a", Name: "new", Ciphertext: []byte("x")}}}),
	"reseal": appends(journal.Batch{Seal: []journal.Sealed{{Run: "r", Address: "a", Name: "old", Ciphertext: []byte("x")}}}),
	"erase":  appends(journal.Batch{Erase: []journal.Sealed{{Run: "r", Address: "a", Name: "old"}}}),
	"finish": appends(journal.Batch{Finished: []journal.Finished{{Address: "a", Run: "r"}}}),
	"bundle": appends(journal.Batch{Bundles: []journal.Bundle{{ID: "b2", Run: "r", File: "f", Line: []byte("l")}}}),
	"filed":  appends(journal.Batch{Filed: []string{"b"}}),
	"close":  appends(journal.Batch{Close: &journal.Close{Run: "r", Outcome: "finished"}}),
	"run":    func(ctx context.Context, j journal.Journal) error { _, err := j.Run(ctx, "r"); return err },
	"runs":   func(ctx context.Context, j journal.Journal) error { _, err := j.Runs(ctx); return err },
	"records": func(ctx context.Context, j journal.Journal) error {
		for _, err := range j.Records(ctx, "r", "*") {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"secret": func(ctx context.Context, j journal.Journal) error {
		_, err := j.Secret(ctx, "r", "a", "old")
		return err
	},
	"secrets": func(ctx context.Context, j journal.Journal) error { _, err := j.Secrets(ctx, ""); return err },
	"unfiled": func(ctx context.Context, j journal.Journal) error {
		for _, err := range j.Unfiled(ctx, "") {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"credential":  func(ctx context.Context, j journal.Journal) error { _, err := j.Credential(ctx, "a"); return err },
	"credentials": func(ctx context.Context, j journal.Journal) error { _, err := j.Credentials(ctx); return err },
	"acquire": func(ctx context.Context, j journal.Journal) error {
		_, err := j.Acquire(ctx, "r", "alice", keyList("key"))
		return err
	},
	"release": func(ctx context.Context, j journal.Journal) error { return j.Release(ctx, "r") },
}

func appends(b journal.Batch) func(context.Context, journal.Journal) error {
	return func(ctx context.Context, j journal.Journal) error { c := b; return j.Append(ctx, &c) }
}

// filled is a state with something in every table, changed by hand.
func filled(t *testing.T, changes ...string) journal.Journal {
	t.Helper()
	return filledAt(t, filepath.Join(t.TempDir(), "s", "state.db"), changes...)
}

func filledAt(t *testing.T, path string, changes ...string) journal.Journal {
	t.Helper()
	j, ctx := open(t, path), t.Context()
	err := errors.Join(j.Open(ctx, journal.Run{ID: "r", PlanID: "p", Plan: []byte("plan"), Meta: []byte("{}")}), j.Append(ctx, &journal.Batch{
		Records: []journal.Record{{Run: "r", Address: "a", Step: "s", Kind: journal.Intend}},
		Seal:    []journal.Sealed{{Run: "r", Address: "a", Name: "old", Ciphertext: []byte("x")}},
		Bundles: []journal.Bundle{{ID: "b", Run: "r", File: "f", Line: []byte("l")}}, Finished: []journal.Finished{{Address: "a", Run: "r"}},
	}))
	if _, lerr := j.Acquire(ctx, "r", "alice", keyList("key")); err != nil || lerr != nil {
		t.Fatal(err, lerr)
	}
	byHand(t, path, changes...)
	return j
}

// byHand changes a state as somebody with a shell can.
func byHand(t *testing.T, path string, changes ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, q := range changes {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(q, err)
		}
	}
}

// Without one of its tables a state answers every call that needs it with an error
// in words for people, and never as if there were nothing there.
func TestAMissingTableIsNoEmptyOne(t *testing.T) {
	for table, fail := range map[string][]string{
		"run":         {"open", "record", "runs", "run", "records", "secret", "secrets", "close"},
		"run_body":    {"open", "run"},
		"record":      {"record", "records"},
		"sealed":      {"seal", "reseal", "erase", "secret"},
		"sealed_name": {"seal", "reseal", "erase", "secret", "secrets"},
		"bundle":      {"bundle", "filed", "unfiled"},
		"credential":  {"finish", "credential", "credentials"},
		"lease":       {"acquire", "release"},
	} {
		j := filled(t, "DROP TABLE "+table)
		for _, name := range fail {
			err := calls[name](t.Context(), j)
			if err == nil || errors.Is(err, journal.ErrNotFound) || strings.Contains(err.Error(), "no such table") {
				t.Errorf("without %s, %s answers %v", table, name, err)
			} else if !strings.Contains(err.Error(), "its tables are not those of a state") {
				t.Errorf("without %s, %s says %v", table, name, err)
			}
		}
	}
}

// A write of which one part fails is not done at all, and what comes after it is.
func TestAWriteThatFailsInPartIsNotDone(t *testing.T) {
	for _, tc := range []struct{ when, call string }{
		{"INSERT ON run", "open"}, {"INSERT ON run_body", "open"}, {"INSERT ON record", "record"}, {"INSERT ON sealed", "seal"},
		{"INSERT ON sealed_name", "seal"}, {"DELETE ON sealed_name", "erase"}, {"UPDATE ON sealed", "erase"}, {"UPDATE ON sealed", "reseal"},
		{"INSERT ON credential", "finish"}, {"UPDATE ON credential", "finish"}, {"INSERT ON bundle", "bundle"}, {"DELETE ON bundle", "filed"},
		{"INSERT ON bundle", "filed"}, {"UPDATE ON run", "close"}, {"UPDATE ON lease", "acquire"}, {"UPDATE ON lease", "release"},
	} {
		j := filled(t, "CREATE TRIGGER t BEFORE "+tc.when+" BEGIN SELECT RAISE(ABORT, 'a canary'); END")
		before := everything(t, j)
		err := calls[tc.call](t.Context(), j)
		if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "SQLite refused (code 1811)") {
			t.Errorf("%s: %s answers %v", tc.when, tc.call, err)
		}
		if d := cmp.Diff(before, everything(t, j)); d != "" {
			t.Errorf("%s: %s was done in part: %s", tc.when, tc.call, d)
		}
		if err := calls["runs"](t.Context(), j); err != nil {
			t.Errorf("%s: afterwards %v", tc.when, err)
		}
		if other := map[string]string{"record": "finish"}[tc.call]; other != "" {
			if err := calls[other](t.Context(), j); err != nil {
				t.Errorf("%s: the next write: %v", tc.when, err)
			}
		} else if err := calls["record"](t.Context(), j); err != nil {
			t.Errorf("%s: the next write: %v", tc.when, err)
		}
	}
}

// everything is what a state says.
func everything(t *testing.T, j journal.Journal) []any {
	t.Helper()
	ctx := t.Context()
	runs, err1 := j.Runs(ctx)
	run, err2 := j.Run(ctx, "r")
	sealed, err3 := j.Secrets(ctx, "")
	old, err4 := j.Secret(ctx, "r", "a", "old")
	credentials, err5 := j.Credentials(ctx)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	out := []any{runs, run, sealed, old, credentials}
	for r, err := range j.Records(ctx, "r", "*") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	for b, err := range j.Unfiled(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// What was changed by hand into what no state holds is an error where it is read.
func TestDamagedRowsAreErrors(t *testing.T) {
	for change, tc := range map[string]struct{ call, says string }{
		"UPDATE run_body SET plan = x'00'":   {"run", "the plan of run r is damaged"},
		"UPDATE run_body SET meta = x'00'":   {"run", "kept besides its plan is damaged"},
		"UPDATE run SET opened_at = 'x'":     {"runs", ""},
		"UPDATE run SET closed_at = 'x'":     {"run", ""},
		"UPDATE record SET at = 'x'":         {"records", ""},
		"UPDATE credential SET at = 'x'":     {"credential", ""},
		"UPDATE credential SET version = 7":  {"", ""},
		"UPDATE bundle SET line = 'text'":    {"", ""},
		"UPDATE credential SET proof = 'ok'": {"", ""},
	} {
		j := filled(t, change)
		if tc.call == "" { // still a state's
			for _, name := range []string{"credential", "unfiled"} {
				if err := calls[name](t.Context(), j); err != nil {
					t.Errorf("%s: %v", change, err)
				}
			}
			continue
		}
		if err := calls[tc.call](t.Context(), j); err == nil || errors.Is(err, journal.ErrNotFound) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %s answers %v", change, tc.call, err)
		}
	}
}

// What is not whole, or holds what no state could, is refused before it is written.
func TestBatchesAreChecked(t *testing.T) {
	const nul = "x\x00"
	good := struct {
		record journal.Record
		sealed journal.Sealed
		bundle journal.Bundle
		done   journal.Finished
	}{
		journal.Record{Run: "r", Kind: journal.Done}, journal.Sealed{Run: "r", Name: "n", Ciphertext: []byte("x")},
		journal.Bundle{ID: "i", Run: "r", File: "f", Line: []byte("l")}, journal.Finished{Address: "a", Run: "r"},
	}
	j := filled(t)
	before := everything(t, j)
	bad := map[string]func(r *journal.Record, s *journal.Sealed, b *journal.Bundle, f *journal.Finished){
		"record, run":         func(r *journal.Record, _ *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { r.Run = "" },
		"record, kind":        func(r *journal.Record, _ *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { r.Kind = "" },
		"record, NUL in run":  func(r *journal.Record, _ *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { r.Run = nul },
		"record, address":     func(r *journal.Record, _ *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { r.Address = nul },
		"record, step":        func(r *journal.Record, _ *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { r.Step = nul },
		"sealed, run":         func(_ *journal.Record, s *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { s.Run = "" },
		"sealed, name":        func(_ *journal.Record, s *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { s.Name = "" },
		"sealed, empty":       func(_ *journal.Record, s *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { s.Ciphertext = nil },
		"sealed, address":     func(_ *journal.Record, s *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { s.Address = nul },
		"sealed, NUL in name": func(_ *journal.Record, s *journal.Sealed, _ *journal.Bundle, _ *journal.Finished) { s.Name = nul },
		"bundle, id":          func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.ID = "" },
		"bundle, run":         func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.Run = "" },
		"bundle, file":        func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.File = "" },
		"bundle, line":        func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.Line = nil },
		"bundle, NUL in id":   func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.ID = nul },
		"bundle, NUL in run":  func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.Run = nul },
		"bundle, NUL in file": func(_ *journal.Record, _ *journal.Sealed, b *journal.Bundle, _ *journal.Finished) { b.File = nul },
		"finished, address":   func(_ *journal.Record, _ *journal.Sealed, _ *journal.Bundle, f *journal.Finished) { f.Address = "" },
		"finished, run":       func(_ *journal.Record, _ *journal.Sealed, _ *journal.Bundle, f *journal.Finished) { f.Run = "" },
		"finished, NUL":       func(_ *journal.Record, _ *journal.Sealed, _ *journal.Bundle, f *journal.Finished) { f.Address = nul },
	}
	for name, spoil := range bad {
		c := good
		spoil(&c.record, &c.sealed, &c.bundle, &c.done)
		err := j.Append(t.Context(), &journal.Batch{Records: []journal.Record{c.record}, Seal: []journal.Sealed{c.sealed}, Bundles: []journal.Bundle{c.bundle}, Finished: []journal.Finished{c.done}})
		if err == nil || errors.Is(err, journal.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := cmp.Diff(before, everything(t, j)); d != "" {
		t.Error(d)
	}
	if err := j.Append(t.Context(), &journal.Batch{Records: []journal.Record{good.record}, Seal: []journal.Sealed{good.sealed}, Bundles: []journal.Bundle{good.bundle}, Finished: []journal.Finished{good.done}}); err != nil {
		t.Error(err)
	}
}

// A run needs a plan, and an id that no other run has and that a file can be named by.
func TestRunsAreNamedOnce(t *testing.T) {
	j := filled(t)
	for id, good := range map[string]bool{
		"r": false, "": false, "a/b": false, "a.b": false, "a b": false, strings.Repeat("x", 129): false, strings.Repeat("x", 128): true,
		"Aa-Zz_09": true, "@": false, "[": false, "`": false, "{": false, ":": false,
	} {
		if err := j.Open(t.Context(), journal.Run{ID: id, PlanID: "plan of " + id}); (err == nil) != good {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := j.Acquire(t.Context(), id, "alice", nil); (err == nil) != (good || id == "r") {
			t.Errorf("acquire %q: %v", id, err)
		}
	}
	if err := j.Open(t.Context(), journal.Run{ID: "r3"}); err == nil {
		t.Error("a run of no plan was opened")
	}
}

// Who holds a credential is named with what people need to find them.
func TestHeldErrorNamesTheHolder(t *testing.T) {
	err := &journal.HeldError{Key: "the key", Run: "r7", Holder: "alice", Age: 90 * time.Second, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))}
	if got := err.Error(); got != "the key is being reset by run r7 (alice, since 2026-01-02T02:04:05Z, 1m30s ago)" {
		t.Error(got)
	}
}

// A lock that cannot be looked at counts as held: taking over is for the dead.
func TestWhatCannotBeLookedAtIsAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if _, err := j.Acquire(t.Context(), "r1", "alice", keyList("key")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Close(), os.MkdirAll(path+".d", 0o700), os.Symlink("nowhere", filepath.Join(path+".d", "run-r1.lock"))); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	var held *journal.HeldError
	if _, err := j.Acquire(t.Context(), "r2", "bob", keyList("key")); !errors.As(err, &held) || held.Run != "r1" || held.Holder != "alice" {
		t.Errorf("%v", err)
	}
	if _, err := j.Acquire(t.Context(), "r1", "bob", keyList("key")); err == nil || errors.As(err, &held) && held.Run != "r1" {
		t.Errorf("its lock was taken: %v", err)
	}
	if err := os.Remove(filepath.Join(path+".d", "run-r1.lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Acquire(t.Context(), "r2", "bob", keyList("key")); err != nil {
		t.Errorf("r1 is dead: %v", err)
	}
}

// Waiting for a lock ends with the context.
func TestWaitingForALockEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if err := os.MkdirAll(path+".d", 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(path+".d", "run-r1.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Acquire(ctx, "r1", "alice", keyList("key")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var held *journal.HeldError
	if _, err := j.Acquire(t.Context(), "r1", "alice", keyList("key")); !errors.As(err, &held) || held.Run != "r1" || held.Key != "run r1" {
		t.Errorf("%v", err)
	}
}

func keyList(names ...string) []journal.Key {
	var out []journal.Key
	for _, n := range names {
		out = append(out, journal.Key{Name: n})
	}
	return out
}

// A state whose pages are damaged stops for good at the first write that meets
// them: nothing is written after it, and reads say what it is.
func TestDamagedPagesStopTheJournal(t *testing.T) {
	reads := []string{"run", "runs", "records", "secret", "secrets", "unfiled", "credential", "credentials"}
	writes := []string{"open", "record", "seal", "reseal", "erase", "finish", "bundle", "filed", "close", "acquire"}
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if err := errors.Join(j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}), calls["record"](t.Context(), j), j.Close()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := append(append([]byte{}, good[:4096]...), bytes.Repeat([]byte{0xff}, len(good)-4096)...)
	for _, first := range writes {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, path)
		for _, name := range reads {
			if err := calls[name](t.Context(), j); err == nil || !strings.Contains(err.Error(), "it is damaged: restore it from a backup") {
				t.Errorf("%s answers %v", name, err)
			}
		}
		for _, name := range []string{first, "record", "open"} {
			if err := calls[name](t.Context(), j); err == nil || !strings.Contains(err.Error(), "can no longer be trusted by this process") || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%s, after %s, answers %v", name, first, err)
			}
		}
		_ = j.Close()
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
			t.Errorf("%s: the damaged state was written to: %v", first, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	for _, name := range []string{"run", "record", "records"} {
		if err := calls[name](t.Context(), j); err != nil {
			t.Errorf("restored, %s answers %v", name, err)
		}
	}
}

// A path that is none is refused before anything is made.
func TestPathsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"": "empty or holds a NUL", filepath.Join(dir, "a\x00b", "state.db"): "empty or holds a NUL", filepath.Join(file, "state.db"): "is not a folder",
		filepath.Join(file, "below", "state.db"): "the state's folder cannot be read", filepath.Join(dir, strings.Repeat("x", 300), "state.db"): "the state's folder cannot be read",
		filepath.Join(dir, strings.Repeat("x", 300)): "the state cannot be",
	} {
		if j, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || j != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.50q: %v", path, err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v was made", list)
	}
}
