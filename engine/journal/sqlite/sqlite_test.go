package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/journaltest"
	"github.com/remint-dev/remint/engine/journal/sqlite"
)

func open(t testing.TB, path string) journal.Journal {
	t.Helper()
	j, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestConformance(t *testing.T) {
	dirs := map[*testing.T]string{}
	journaltest.Run(t, func(t *testing.T) journal.Journal {
		if dirs[t] == "" {
			dirs[t] = t.TempDir()
		}
		return open(t, filepath.Join(dirs[t], "s", "state.db"))
	})
}

func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TEST_HOLD"); path != "" {
		hold(path)
		return
	}
	if path := os.Getenv("JOURNAL_TEST_APPEND"); path != "" {
		appendForever(path)
		return
	}
	if path := os.Getenv("JOURNAL_TEST_FILL"); path != "" {
		fill(path)
		return
	}
	os.Exit(m.Run())
}

// hold takes a lease, says so, and waits to be killed.
func hold(path string) {
	j, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err == nil {
		_, err = j.Acquire(context.Background(), "child", "the child", []journal.Key{{Name: "k"}})
	}
	fmt.Println("held", err)
	time.Sleep(time.Hour)
}

// appendForever writes pairs of records and says the number of each that was
// acknowledged.
func appendForever(path string) {
	ctx := context.Background()
	j, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	run := fmt.Sprint("r", os.Getpid())
	if err := j.Open(ctx, journal.Run{ID: run, PlanID: run}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				data := json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))
				b := journal.Batch{Records: []journal.Record{
					{Run: run, Address: fmt.Sprint("w", w), Kind: journal.Intend, Data: data}, {Run: run, Address: fmt.Sprint("w", w), Kind: journal.Done, Data: data},
				}}
				if err := j.Append(ctx, &b); err != nil {
					return
				}
				mu.Lock()
				fmt.Printf("%s w%d %d\n", run, w, i)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func child(t *testing.T, env, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), env+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, out
}

// A stopped holder is not taken over, a killed one is, without any flag.
func TestLivenessFollowsTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	cmd, out := child(t, "JOURNAL_TEST_HOLD", path)
	said := make([]byte, len("held <nil>"))
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "held <nil>" {
		t.Fatalf("the child says %q, %v", said, err)
	}
	j := open(t, path)
	var held *journal.HeldError
	try := func() error {
		_, err := j.Acquire(t.Context(), "mine", "me", []journal.Key{{Name: "k"}})
		return err
	}
	if err := try(); !errors.As(err, &held) || held.Holder != "the child" {
		t.Fatalf("a live holder gives %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := try(); !errors.As(err, &held) {
		t.Errorf("a stopped holder gives %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	leases, err := j.Acquire(t.Context(), "mine", "me", []journal.Key{{Name: "k"}})
	if err != nil || leases[0].Fence != 2 {
		t.Errorf("a killed holder gives %+v, %v; its fence was 1", leases, err)
	}
}

// Whatever was acknowledged before a SIGKILL is there, and batches are whole.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	acknowledged := map[string]int{}
	for range 5 {
		cmd, out := child(t, "JOURNAL_TEST_APPEND", path)
		lines := bufio.NewReader(out)
		_, _ = lines.Peek(1) // it is at work, however busy the machine is
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(lines)
		_ = cmd.Wait()
		for line := range strings.Lines(string(said)) {
			var run, worker string
			var n int
			if c, _ := fmt.Sscanf(line, "%s %s %d\n", &run, &worker, &n); c == 3 {
				acknowledged[run+" "+worker] = n + 1
			}
		}
	}
	if len(acknowledged) == 0 {
		t.Fatal("the children acknowledged nothing")
	}
	j := open(t, path)
	total := 0
	for who, n := range acknowledged {
		run, worker, _ := strings.Cut(who, " ")
		intend, done := 0, 0
		for r, err := range j.Records(t.Context(), run, worker) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind == journal.Done {
				done++
			} else {
				intend++
			}
		}
		if intend != done || done < n {
			t.Errorf("%s: %d intended, %d done, %d acknowledged", who, intend, done, n)
		}
		total += n
	}
	t.Logf("%d batches acknowledged by killed processes, none lost", total)
}

// An erased ciphertext is nowhere in the state's files.
func TestErasedSecretsLeaveNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	canary := []byte("canary-ciphertext-")
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	var all []journal.Sealed
	for i := range 50 {
		all = append(all, journal.Sealed{Run: "r", Address: fmt.Sprint(i), Name: "old", Ciphertext: bytes.Repeat(canary, 1+i*20)})
	}
	if err := j.Append(t.Context(), &journal.Batch{Seal: all}); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), &journal.Batch{Erase: all, Close: &journal.Close{Run: "r", At: time.Now()}}); err != nil {
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

func TestRefusesWhatIsNoStateOfOurs(t *testing.T) {
	good := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, good)
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	put := func(t *testing.T, b []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		make func(t *testing.T) string
		want string
	}{
		"text":      {func(t *testing.T) string { return put(t, bytes.Repeat([]byte("hello "), 1000)) }, "not a SQLite database"},
		"truncated": {func(t *testing.T) string { return put(t, state[:len(state)/2]) }, "damaged"},
		"newer": {func(t *testing.T) string {
			path := put(t, state)
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("PRAGMA user_version=99"); err != nil {
				t.Fatal(err)
			}
			return path
		}, "newer version"},
		"another program's": {func(t *testing.T) string {
			path := put(t, nil)
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE x (y)"); err != nil {
				t.Fatal(err)
			}
			return path
		}, "another program"},
		"symlink": {func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := os.Symlink(put(t, state), path); err != nil {
				t.Fatal(err)
			}
			return path
		}, "symbolic link"},
		"world-writable": {func(t *testing.T) string {
			path := put(t, state)
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
			return path
		}, "may"},
		"folder":     {func(t *testing.T) string { return t.TempDir() }, "regular file"},
		"empty path": {func(*testing.T) string { return "" }, "name a file"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			path := tc.make(t)
			before, _ := os.ReadFile(path)
			j, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: 100 * time.Millisecond})
			if err == nil {
				_ = j.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error says %q, without %q", err, tc.want)
			}
			if name == "newer" && !errors.Is(err, journal.ErrNewer) {
				t.Errorf("%v is not ErrNewer", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestModesWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s", "state.db")
	j := open(t, path)
	if _, err := j.Acquire(t.Context(), "r", "me", []journal.Key{{Name: "k"}}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Dir(path), func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(p)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", filepath.Base(p), info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzOpenDamaged(f *testing.F) {
	path := filepath.Join(f.TempDir(), "s", "state.db")
	j := open(f, path)
	_ = j.Open(f.Context(), journal.Run{ID: "r", PlanID: "p", Plan: []byte("{}")})
	_ = j.Close()
	state, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), byte(1), uint32(0))
	f.Add(uint32(100), byte(0xff), uint32(1))
	f.Add(uint32(4096), byte(7), uint32(5000))
	f.Fuzz(func(t *testing.T, at uint32, flip byte, cut uint32) {
		b := bytes.Clone(state)
		b[int(at)%len(b)] ^= flip
		b = b[:len(b)-int(cut)%len(b)]
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: 10 * time.Millisecond})
		if err != nil {
			return
		}
		defer j.Close()
		_, _ = j.Runs(t.Context())
		_, _ = j.Run(t.Context(), "r")
		_ = j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r", Kind: journal.Done}}})
	})
}

func BenchmarkAppend(b *testing.B) {
	journaltest.Benchmark(b, func(b *testing.B) journal.Journal { return open(b, filepath.Join(b.TempDir(), "s", "state.db")) })
}
