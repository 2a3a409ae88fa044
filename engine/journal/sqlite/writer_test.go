package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

func openStore(t *testing.T, path string) *store {
	t.Helper()
	j, err := Open(t.Context(), path, Options{BusyTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j.(*store)
}

// together hands in changes that share one commit, and gives their outcomes.
func together(t *testing.T, s *store, changes ...*change) []error {
	t.Helper()
	goOn := heldUp(t, s)
	outcomes := make([]chan error, len(changes))
	for i, c := range changes {
		ctx := t.Context()
		if c.ctx != nil {
			ctx = c.ctx
		}
		outcomes[i] = make(chan error, 1)
		go func() { outcomes[i] <- s.w.submit(ctx, c) }()
		for len(s.w.queue) < i+1 {
			runtime.Gosched()
		}
	}
	goOn()
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, <-o)
	}
	return errs
}

func adds(id string, then ...func(*tx) error) *change {
	return &change{do: func(t *tx) error {
		_, err := t.exec("INSERT INTO run (id, plan_id, plan_digest, operator, opened_at) VALUES (?, ?, '', '', 0)", id, id)
		for _, do := range then {
			if err == nil {
				err = do(t)
			}
		}
		return err
	}}
}

// spoil makes a statement fail from now on.
func spoil(t *tx, query string) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	return st.Close()
}

func runIDs(t *testing.T, s *store) []string {
	t.Helper()
	runs, err := s.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range runs {
		out = append(out, r.ID)
	}
	slices.Reverse(out)
	return out
}

// Writes that share a commit are refused alone; what nobody can be sure of fails
// all of them, stops the journal, and holds up no other process.
func TestWritesThatShareACommit(t *testing.T) {
	refuse := func(*tx) error { return errors.New("a fault of its own") }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late := adds("b")
	late.ctx = ended
	for name, tc := range map[string]struct {
		second  *change
		all     bool   // whether all fail
		says    string // what the second is told
		trusted bool   // whether the journal can be used afterwards
	}{
		"all are done":     {adds("b"), false, "", true},
		"one is refused":   {adds("b", refuse), false, "a fault of its own", true},
		"one is too late":  {late, false, context.Canceled.Error(), true},
		"one does nothing": {&change{do: refuse}, false, "a fault of its own", true},
		"the disk fails": {adds("b", func(t *tx) error {
			if _, err := t.exec("PRAGMA query_only=1"); err != nil {
				return err
			}
			_, err := t.exec("INSERT INTO run (id, plan_id, plan_digest, operator, opened_at) VALUES ('x', 'x', '', '', 0)")
			return err
		}), true, "can no longer be trusted by this process, nothing more is written: it cannot be written", false},
		"the commit fails": {adds("b", func(t *tx) error {
			if _, err := t.exec("PRAGMA defer_foreign_keys=1"); err != nil {
				return err
			}
			_, err := t.exec("INSERT INTO record (run, address, step, kind, attempt, at) VALUES (999, '', '', 'x', 1, 0)")
			return err
		}), true, "can no longer be trusted by this process", false},
		"the next cannot begin":  {adds("b", func(t *tx) error { return spoil(t, "SAVEPOINT change") }), true, "statement is closed", false},
		"one cannot be undone":   {adds("b", func(t *tx) error { return errors.Join(refuse(t), spoil(t, "ROLLBACK TO change")) }), true, "statement is closed", true},
		"the connection is lost": {adds("b", func(t *tx) error { return t.conn.Close() }), true, sql.ErrConnDone.Error(), false},
		"the connection is lost in what is refused": {adds("b", func(t *tx) error {
			return errors.Join(t.conn.Close(), refuse(t))
		}), true, sql.ErrConnDone.Error(), false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s", "state.db")
			s := openStore(t, path)
			number := func(t *tx) error { _, err := t.run("a"); return err } // which is remembered
			changes := []*change{adds("a", number), tc.second, adds("c")}
			errs := together(t, s, changes...)
			if failed := errs[0] != nil && errs[2] != nil; failed != tc.all || !tc.all && (errs[0] != nil || errs[2] != nil) {
				t.Errorf("the others are told %v", errs)
			}
			if (tc.says != "" || tc.all) != (errs[1] != nil) || tc.says != "" && !strings.Contains(errs[1].Error(), tc.says) {
				t.Errorf("it is told %v", errs[1])
			}
			want := []string{"a", "b", "c"}
			if errs[1] != nil {
				want = []string{"a", "c"}
			}
			if tc.all {
				want = nil
			}
			other := openStore(t, path)
			if d := cmp.Diff(want, runIDs(t, other)); d != "" {
				t.Error(d)
			}
			lost := strings.Contains(name, "connection") // which keeps its transaction until the process closes the state
			if err := other.Open(t.Context(), journal.Run{ID: "d", PlanID: "d"}); err != nil && !lost {
				t.Errorf("another process: %v", err)
			}
			if err := s.Open(t.Context(), journal.Run{ID: "e", PlanID: "e"}); (err == nil) != tc.trusted {
				t.Errorf("afterwards: %v", err)
			}
			about := &journal.Batch{Records: []journal.Record{{Run: "a", Kind: journal.Done}}}
			if err := s.Append(t.Context(), about); tc.trusted && (err != nil) != tc.all {
				t.Errorf("about a run that is there only if not all failed: %v", err)
			}
			for _, c := range changes {
				if len(c.err) > 0 {
					t.Errorf("it is told twice, then %v", <-c.err)
				}
			}
			if slices.Contains(runIDs(t, other), "e") != tc.trusted {
				t.Error("what was refused is written, or the other way round")
			}
			if err := s.Close(); (err != nil) != lost {
				t.Errorf("closing: %v", err)
			}
		})
	}
}

// A state that cannot be written to is not opened for writing.
func TestAWriterThatCannotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	s := openStore(t, path)
	if err := s.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil { // so that there is something in its log
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	w, err := startWriter(t.Context(), &store{path: path, write: db})
	if err == nil || w != nil || !strings.Contains(err.Error(), "the state "+path+" cannot be opened: ") {
		t.Errorf("%v, %v", w, err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are kept", n)
	}
}

// heldUp has the writer wait until the function that it gives is called.
func heldUp(t *testing.T, s *store) func() {
	t.Helper()
	begun, hold := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- s.w.submit(t.Context(), &change{do: func(*tx) error { close(begun); <-hold; return nil }})
	}()
	<-begun
	return func() {
		close(hold)
		if err := <-first; err != nil {
			t.Error(err)
		}
	}
}

// What was handed in when the state is closed is written, and nothing after it.
func TestClosingWritesWhatWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	s := openStore(t, path)
	goOn := heldUp(t, s)
	outcomes := make(chan error, 3)
	for i, id := range []string{"a", "b"} {
		go func() { outcomes <- s.w.submit(t.Context(), adds(id)) }()
		for len(s.w.queue) < i+1 {
			runtime.Gosched()
		}
	}
	go func() { outcomes <- s.Close() }()
	stopped := func() bool { s.w.mu.RLock(); defer s.w.mu.RUnlock(); return s.w.stopped }
	for !stopped() {
		runtime.Gosched()
	}
	if err := s.w.submit(t.Context(), adds("c")); !errors.Is(err, journal.ErrClosed) {
		t.Error(err)
	}
	goOn()
	for range 3 {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff([]string{"a", "b"}, runIDs(t, openStore(t, path))); d != "" {
		t.Error(d)
	}
}

// However many wait, so many share a commit and no more, and all are answered.
func TestMoreThanOneCommitTakes(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "s", "state.db"))
	goOn := heldUp(t, s)
	var sizes []int
	const all = groupLimit + groupLimit/2
	outcomes := make(chan error, all)
	for range all {
		go func() {
			outcomes <- s.w.submit(t.Context(), &change{do: func(t *tx) error {
				if !t.erased { // the first of its commit
					sizes = append(sizes, 0)
				}
				t.erased = true
				sizes[len(sizes)-1]++
				return nil
			}})
		}()
	}
	for len(s.w.queue) < groupLimit {
		runtime.Gosched()
	}
	goOn()
	for range all {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	if sizes[0] != groupLimit {
		t.Errorf("the first of %v is not full, or too full", sizes)
	}
}
