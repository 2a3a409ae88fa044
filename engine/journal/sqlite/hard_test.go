package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/sqlite"
)

// fill appends until a file may grow no more, and says what was acknowledged and
// how the journal takes the next calls.
func fill(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	j, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err == nil {
		err = j.Open(ctx, journal.Run{ID: "r", PlanID: "p"})
	}
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20})
	}
	if err != nil {
		fmt.Println("setup", err)
		return
	}
	pair := func() *journal.Batch {
		data := fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("x", 2000))
		return &journal.Batch{Records: []journal.Record{{Run: "r", Kind: journal.Intend, Data: data}, {Run: "r", Kind: journal.Done, Data: data}}}
	}
	n := 0
	for ; err == nil && n < 10_000; n++ {
		err = j.Append(ctx, pair())
	}
	fmt.Println("acknowledged", n-1)
	fmt.Println("error", err)
	fmt.Println("next", j.Append(ctx, &journal.Batch{Records: []journal.Record{{Run: "r", Kind: journal.Note}}}))
	_ = j.Close()
}

// When the disk is full the journal stops for good, loses nothing that it
// acknowledged, and works again once there is room and it is opened anew.
func TestFullDiskPoisons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	cmd, out := child(t, "JOURNAL_TEST_FILL", path)
	var said bytes.Buffer
	if _, err := said.ReadFrom(out); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	lines := strings.SplitN(said.String(), "\n", 4)
	var acknowledged int
	if n, _ := fmt.Sscanf(lines[0], "acknowledged %d", &acknowledged); n != 1 || acknowledged == 0 || len(lines) < 3 {
		t.Fatalf("the child says %q", said.String())
	}
	for _, l := range lines[1:3] {
		if !strings.Contains(l, "can no longer be trusted") || strings.Contains(l, "xxxx") {
			t.Errorf("the child says %q", l)
		}
	}
	j := open(t, path)
	intend, done := 0, 0
	for r, err := range j.Records(t.Context(), "r", "*") {
		if err != nil {
			t.Fatal(err)
		}
		switch r.Kind {
		case journal.Intend:
			intend++
		case journal.Done:
			done++
		default:
			t.Errorf("a record of a poisoned journal: %+v", r)
		}
	}
	if intend != done || done < acknowledged {
		t.Errorf("%d intended, %d done, %d acknowledged", intend, done, acknowledged)
	}
	if err := j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r", Kind: journal.Note}}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// Nobody waits for a reader: not who closes a run, not who opens the state.
func TestReadersHoldNobodyUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	canary := journal.Sealed{Run: "r", Name: "n", Ciphertext: []byte("canary-ciphertext")}
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), &journal.Batch{Seal: []journal.Sealed{canary}, Records: []journal.Record{{Run: "r", Kind: journal.Done}, {Run: "r", Kind: journal.Done}}}); err != nil {
		t.Fatal(err)
	}
	for _, err := range j.Records(t.Context(), "r", "*") {
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Append(t.Context(), &journal.Batch{Erase: []journal.Sealed{canary}, Close: &journal.Close{Run: "r", At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		if err := open(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // past the first attempt to empty the WAL
		break
	}
	// The reader has gone: without any further call the WAL is emptied.
	wal := func() []byte { b, _ := os.ReadFile(path + "-wal"); return b }
	for end := time.Now().Add(20 * time.Second); bytes.Contains(wal(), canary.Ciphertext); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("an erased ciphertext stays in the WAL")
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// Filed bundles give their room back.
func TestFiledBundlesDoNotFillTheState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("x"), 3000)
	for round := range 10 {
		var b journal.Batch
		var ids []string
		for i := range 500 {
			ids = append(ids, fmt.Sprint(round, "/", i))
			b.Bundles = append(b.Bundles, journal.Bundle{ID: ids[i], Run: "r", File: "f", Line: line})
		}
		if err := errors.Join(j.Append(t.Context(), &b), j.Append(t.Context(), &journal.Batch{Filed: ids})); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if written := int64(10 * 500 * len(line)); info.Size() > written/3 {
		t.Errorf("%d bytes after %d bytes of bundles were filed", info.Size(), written)
	}
}

// Whatever the order of sealing, replacing and erasing, nothing erased stays, and
// what was not erased is whole.
func TestErasureInAnyOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	canary := []byte("canary-ciphertext-")
	random := rand.New(rand.NewPCG(1, 2))
	kept := map[string][]byte{}
	for i := range 300 {
		name := fmt.Sprint(random.IntN(60))
		x := journal.Sealed{Run: "r", Address: name, Name: "old", Ciphertext: bytes.Repeat(canary, 1+random.IntN(400))}
		b := journal.Batch{Seal: []journal.Sealed{x}}
		kept[name] = x.Ciphertext
		if i%3 == 0 {
			b, kept[name] = journal.Batch{Erase: []journal.Sealed{x}}, nil
		}
		if err := j.Append(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range kept {
		got, err := j.Secret(t.Context(), "r", name, "old")
		if want == nil && !errors.Is(err, journal.ErrNotFound) || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
	var all []journal.Sealed
	for name := range kept {
		all = append(all, journal.Sealed{Run: "r", Address: name, Name: "old"})
	}
	if err := errors.Join(j.Append(t.Context(), &journal.Batch{Erase: all}), j.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, canary) {
			t.Errorf("%s still holds an erased ciphertext", filepath.Base(f))
		}
	}
}

// However often a lock file is removed while others wait for it, one at a time
// is at work on a run.
func TestOneAtATimeIsAtWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	var at, turns atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		j := open(t, path)
		wg.Go(func() {
			for range 15 {
				_, err := j.Acquire(t.Context(), "r", "me", []journal.Key{{Name: "k"}})
				var held *journal.HeldError
				if errors.As(err, &held) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if at.Add(1) != 1 {
					t.Error("two are at work on one run")
				}
				turns.Add(1)
				at.Add(-1)
				if err := j.Release(t.Context(), "r"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if turns.Load() == 0 {
		t.Error("nobody was ever at work")
	}
}

func TestManyAreFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			j, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			id := fmt.Sprint("r", i)
			if err := errors.Join(j.Open(t.Context(), journal.Run{ID: id, PlanID: id}), j.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if runs, err := open(t, path).Runs(t.Context()); err != nil || len(runs) != 8 {
		t.Errorf("%d runs, %v; want 8", len(runs), err)
	}
}

func TestRefusesPlantedLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if _, err := j.Acquire(t.Context(), "first", "me", nil); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, filepath.Join(path+".d", "run-r.lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Acquire(t.Context(), "r", "me", []journal.Key{{Name: "k"}}); err == nil || !strings.Contains(err.Error(), "the lock of run r cannot be made") {
		t.Errorf("a lock that is a link was followed: %v", err)
	}
	if _, err := os.Lstat(elsewhere); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link's target was made: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, elsewhere); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("a second name gives %v", err)
	}
}

// A file that somebody else owns is refused. Only root can give a file away;
// another user finds one of root's.
func TestRefusesForeignOwners(t *testing.T) {
	path := "/etc/passwd"
	want := "belongs to another user"
	if os.Geteuid() == 0 {
		path = filepath.Join(t.TempDir(), "state.db")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a foreign file gives %v", err)
	}
}
