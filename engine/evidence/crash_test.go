package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
)

// TestFileCrash stops File before every durable write, with a torn line where it
// is one, files the same bundles again (and again), and wants each of them once
// in its file and once in the ledger.
func TestFileCrash(t *testing.T) {
	signer := testSigner(t, Ed25519)
	key, verifier := testLedgerKey(t)
	bundles := testRun(t, signer, "r1", "a", "b")
	crash := errors.New("crash")
	points := 0
	for stop := 0; ; stop++ {
		w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: signer, key: key, ledger: verifier}
		n, point := 0, ""
		var mu sync.Mutex // files are written at once
		fault := func(p string) error {
			mu.Lock()
			defer mu.Unlock()
			if n++; n == stop+1 {
				point = p
			}
			if n >= stop+1 {
				return crash
			}
			return nil
		}
		file := func(fault func(string) error, b []journal.Bundle) error {
			a, err := OpenArchive(w.dir, key)
			must(t, err)
			if fault != nil {
				a.fault = fault
			}
			return errors.Join(a.File(context.Background(), b), a.Close())
		}
		must(t, file(nil, bundles[:3]))
		err := file(fault, bundles)
		if err == nil {
			break
		}
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}
		points++
		must(t, file(nil, bundles[:5]))
		must(t, file(nil, bundles))
		must(t, file(nil, bundles))
		if r := w.verify(t); !r.Sound() || r.Bundles != len(bundles) || r.Head.Size != uint64(len(bundles)) {
			t.Fatalf("after a crash at %q: %d bundles, %d leaves, %v", point, r.Bundles, r.Head.Size, r.Findings)
		}
	}
	if points < 8 {
		t.Fatalf("only %d points were enumerated", points)
	}
	t.Logf("%d crash points", points)
}

// TestLedgerCrash: leaves that were written but not counted, or counted but not
// published, when the program died.
func TestLedgerCrash(t *testing.T) {
	for _, restored := range [][]string{{"checkpoint"}, {"checkpoint", ".state/treeState"}} {
		w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
		w.key, w.ledger = testLedgerKey(t)
		a, err := OpenArchive(w.dir, w.key)
		must(t, err)
		bundles := testRun(t, w.signer, "r1", "a", "b")
		must(t, a.File(context.Background(), bundles[:3]))
		before := map[string][]byte{}
		for _, name := range restored {
			before[name], err = os.ReadFile(w.path("ledger", name))
			must(t, err)
		}
		must(t, a.File(context.Background(), bundles[3:]))
		for name, b := range before {
			must(t, os.WriteFile(w.path("ledger", name), b, 0o644))
		}
		must(t, a.File(context.Background(), bundles[2:]))
		if r := w.verify(t); !r.Sound() || r.Head.Size != uint64(len(bundles)) {
			t.Fatalf("%v: %d leaves, %v", restored, r.Head.Size, r.Findings)
		}
	}
}

// TestFileRepairs: what a power cut can leave behind is mended when all of it is
// at hand, and else left alone.
func TestFileRepairs(t *testing.T) {
	signer := testSigner(t, Ed25519)
	key, _ := testLedgerKey(t)
	bundles := testRun(t, signer, "r1", "a")
	line := func(i int) string { return string(bundles[i].Line) + "\n" }
	nul := string(make([]byte, 4096))
	for name, tc := range map[string]struct {
		left string
		ok   bool
	}{
		"nothing":                 {"", true},
		"torn first line":         {line(1)[:50], true},
		"torn second line":        {line(1) + line(2)[:50], true},
		"whole without newline":   {line(1) + string(bundles[2].Line), true},
		"zeros":                   {line(1) + nul, true},
		"zeros, then a line":      {line(1) + nul + "\n" + line(3), true},
		"zeros, then a stranger":  {line(1) + nul + "\n" + "{}\n", false},
		"more lines than at hand": {line(1) + "{}\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "evidence")
			a, err := OpenArchive(dir, key)
			must(t, err)
			must(t, os.Mkdir(filepath.Join(dir, "r1"), 0o755))
			path := filepath.Join(dir, bundles[1].File)
			must(t, os.WriteFile(path, []byte(tc.left), 0o644))
			err = a.File(context.Background(), bundles[1:4])
			if (err == nil) != tc.ok {
				t.Fatal(err)
			}
			got, readErr := os.ReadFile(path)
			must(t, readErr)
			want := line(1) + line(2) + line(3)
			switch {
			case !tc.ok:
				want = tc.left
			case name == "more lines than at hand":
				want = line(1) + "{}\n" + line(2) + line(3)
			}
			if string(got) != want {
				t.Fatalf("got %q", got)
			}
		})
	}
}

// TestFileTogether: archives of one directory take turns.
func TestFileTogether(t *testing.T) {
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
	w.key, w.ledger = testLedgerKey(t)
	done := make(chan error)
	shared := testRun(t, w.signer, "shared", "a")
	for i := range 4 {
		own := testRun(t, w.signer, fmt.Sprintf("r%d", i), "a", "b")
		go func() {
			a, err := OpenArchive(w.dir, w.key)
			if err == nil {
				err = errors.Join(a.File(context.Background(), own[:4]), a.File(context.Background(), append(own[4:], shared...)))
			}
			done <- err
		}()
	}
	for range 4 {
		must(t, <-done)
	}
	if r := w.verify(t); !r.Sound() || r.Bundles != 4*10+len(shared) {
		t.Fatalf("%d %v", r.Bundles, r.Findings)
	}
}

func TestFileRefuses(t *testing.T) {
	signer := testSigner(t, Ed25519)
	key, _ := testLedgerKey(t)
	dir := filepath.Join(t.TempDir(), "evidence")
	a, err := OpenArchive(dir, key)
	must(t, err)
	good := testRun(t, signer, "r1", "a")[0]
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("victim"), 0o644))
	planted := func(run string, plant func(victim, path string) error) func(*journal.Bundle) {
		return func(b *journal.Bundle) {
			b.Run, b.File = run, run+"/run.sigstore.jsonl"
			must(t, os.Mkdir(filepath.Join(dir, run), 0o755))
			must(t, plant(victim, filepath.Join(dir, filepath.FromSlash(b.File))))
		}
	}
	for name, change := range map[string]func(*journal.Bundle){
		"a file with two names": planted("r4", os.Link),
		"a file that is a link": planted("r5", os.Symlink),
		"outside":               func(b *journal.Bundle) { b.File = "../x.sigstore.jsonl"; b.Run = ".." },
		"deeper":                func(b *journal.Bundle) { b.File = "r1/x/y.sigstore.jsonl" },
		"other run":             func(b *journal.Bundle) { b.File = "r2/run.sigstore.jsonl" },
		"into ledger":           func(b *journal.Bundle) { b.Run, b.File = "ledger", "ledger/x.sigstore.jsonl" },
		"other suffix":          func(b *journal.Bundle) { b.File = "r1/run.json" },
		"two lines":             func(b *journal.Bundle) { b.Line = []byte("{}\n{}") },
		"NUL":                   func(b *journal.Bundle) { b.Line = []byte("{\x00}") },
		"nothing":               func(b *journal.Bundle) { b.Line = nil },
		"symbolic link": func(b *journal.Bundle) {
			must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "r3")))
			b.Run, b.File = "r3", "r3/run.sigstore.jsonl"
		},
	} {
		b := good
		change(&b)
		if err := a.File(context.Background(), []journal.Bundle{b}); err == nil {
			t.Errorf("%s: was filed", name)
		}
	}
	if got, err := os.ReadFile(victim); string(got) != "victim" {
		t.Errorf("another file was written to: %q, %v", got, err)
	}
}

// TestOpenArchiveRefuses: a ledger that cannot be gone on with is not forked.
func TestOpenArchiveRefuses(t *testing.T) {
	other, _ := testLedgerKey(t)
	w := newWorld(t)
	if _, err := OpenArchive(w.dir, other); err == nil {
		t.Error("another key goes on with the ledger")
	}
	must(t, os.RemoveAll(w.path("ledger", ".state")))
	if _, err := OpenArchive(w.dir, w.key); err == nil {
		t.Error("a ledger without its state begins anew")
	}
	must(t, os.WriteFile(w.path("ledger", "checkpoint"), []byte("\x00"), 0o644))
	if _, err := OpenArchive(w.dir, w.key); err == nil {
		t.Error("a damaged head is written over")
	}
}
