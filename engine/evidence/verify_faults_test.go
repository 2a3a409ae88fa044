package evidence

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// meanwhile is a context in which something happens once the ledger was read and
// before the runs are: that is when Verify asks for its end.
type meanwhile struct {
	context.Context
	once *sync.Once
	do   func()
}

func (m meanwhile) Done() <-chan struct{} {
	m.once.Do(m.do)
	return m.Context.Done()
}

func (w *world) options() VerifyOptions {
	return VerifyOptions{Dir: w.dir, PublicKeys: []crypto.PublicKey{w.signer.Public()}, LedgerKey: w.ledger, Checkpoint: w.kept}
}

// A verification that was cut off says nothing, wherever it was.
func TestVerifyCutOff(t *testing.T) {
	w := newForgery().file(t)
	for i := range 60 { // where a run is cut off is by chance
		if i == 30 { // with one file it is never cut off between two
			must(t, os.Remove(w.path("r1", forgedFile)))
		}
		ctx, cancel := context.WithCancel(context.Background())
		if r, err := Verify(meanwhile{ctx, &sync.Once{}, cancel}, w.options()); err == nil || r != nil {
			t.Fatalf("cut off between ledger and runs: %+v, %v", r, err)
		}
	}
	must(t, os.RemoveAll(w.path("r1")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := Verify(ctx, w.options()); err == nil || r != nil {
		t.Errorf("cut off in the ledger: %+v, %v", r, err)
	}
}

// What changes while it is verified is a finding, and not blamed on anything else.
func TestVerifyChangesMeanwhile(t *testing.T) {
	sound := newForgery().file(t)
	for name, tc := range map[string]struct {
		change func(w *world)
		code   Code
		file   string
		says   string
	}{
		"a run goes": {func(w *world) { must(t, os.RemoveAll(w.path("r1"))) }, CodeFile, "r1", "the folder cannot be read: no such file or directory"},
		"the ledger goes": {func(w *world) {
			must(t, os.Remove(w.path("r1", forgedFile)))
			must(t, os.RemoveAll(w.path("ledger/tile/entries")))
		}, CodeLedger, "ledger", "the ledger changed while it was read"},
	} {
		w := sound.clone(t)
		r, err := Verify(meanwhile{context.Background(), &sync.Once{}, func() { tc.change(w) }}, w.options())
		must(t, err)
		n := 0
		for _, f := range r.Findings {
			if f.Code == tc.code && f.File == tc.file && f.Message == tc.says {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %v", name, r.Findings)
		}
	}
}

// Findings stand in the order of the files and lines that they are about, keys in
// that of their names: two reports on the same evidence are the same.
func TestVerifyOrder(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	for range 12 {
		o.PublicKeys = append(o.PublicKeys, testSigner(t, Ed25519).Public())
	}
	for _, name := range []string{"a.txt", "b.txt"} {
		must(t, os.WriteFile(w.path("r2", name), nil, 0o644))
	}
	l := w.lines(t, fileA)
	w.put(t, fileA, []byte("{}"), l[1], l[1], l[3])
	must(t, os.WriteFile(w.path("zz"), nil, 0o644))
	must(t, os.RemoveAll(w.path("r2", "htpasswd_user.b"+fileSuffix)))
	r, err := Verify(context.Background(), o)
	must(t, err)
	var places []string
	for _, f := range r.Findings {
		places = append(places, fmt.Sprintf("%s\t%03d\t%s\t%s", f.File, f.Line, f.Code, f.Message))
	}
	if len(places) < 10 || !slices.IsSorted(places) {
		t.Errorf("the findings are in no order:\n%s", strings.Join(places, "\n"))
	}
	var keys []string
	for _, k := range r.Keys {
		keys = append(keys, k.KeyID)
	}
	if len(keys) != 13 || !slices.IsSorted(keys) {
		t.Errorf("the keys are in no order: %v", keys)
	}
}

// What was read is let go of: a hundred thousand files do not use up what a process
// may have open.
func TestFilesAreClosed(t *testing.T) {
	w := newForgery().file(t)
	w.dir, _ = filepath.EvalSymlinks(w.dir)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close them too
	w.verify(t)
	for _, err := range Show(w.dir, "r1") {
		must(t, err)
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	var left []string
	for _, fd := range open {
		if path, err := os.Readlink(fd); err == nil && strings.HasPrefix(path, w.dir) {
			left = append(left, strings.TrimPrefix(path, w.dir))
		}
	}
	if d := cmp.Diff([]string(nil), left); d != "" {
		t.Error(d)
	}
}

// What cannot be read is named with the reason, and the rest is read.
func TestVerifyUnreadable(t *testing.T) {
	w := newForgery().file(t)
	must(t, os.Rename(w.path("r1", forgedFile), w.dir+".moved"))
	must(t, os.Symlink(w.dir+".moved", w.path("r1", forgedFile)))
	must(t, os.Mkdir(w.path("r1", "htpasswd_user.b"+fileSuffix), 0o755))
	r := w.verify(t)
	if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Code == CodeFile && f.File == "r1/"+forgedFile && strings.Contains(f.Message, "nothing of remint's")
	}) || r.Bundles != 2 {
		t.Errorf("%d bundles, %v", r.Bundles, r.Findings)
	}
	must(t, os.RemoveAll(w.path("ledger")))
	must(t, os.WriteFile(w.path("ledger"), nil, 0o644))
	if r := w.verify(t); !hasCode(r, CodeLedger) {
		t.Errorf("a ledger that is a file: %v", r.Findings)
	}
	w.dir = t.TempDir()
	must(t, os.WriteFile(w.path("ledger"), nil, 0o644))
	if r := w.verify(t); r.Sound() || !hasCode(r, CodeLedger) {
		t.Errorf("a ledger that is a file, and nothing else: %v", r.Findings)
	}
}

// What is no run's folder is not counted as a run, and said to be none.
func TestVerifyCountsRuns(t *testing.T) {
	w := newForgery().file(t)
	must(t, os.WriteFile(w.path("stray"), nil, 0o644))
	must(t, os.Mkdir(w.path(".hidden"), 0o755))
	r := w.verify(t)
	for _, f := range r.Findings {
		if f.Code != CodeFile || !strings.Contains(f.Message, "this is no folder of a run") {
			t.Error(f)
		}
	}
	if r.Runs != 1 || r.Resets != 1 || r.Bundles != 5 || len(r.Findings) != 2 {
		t.Errorf("%+v", r)
	}
}

// A file that goes while its run is verified is named.
func TestVerifyAFileGoes(t *testing.T) {
	w := newForgery().file(t)
	v := &verification{VerifyOptions: w.options(), report: &Report{}}
	must(t, v.file(context.Background(), &recordFile{run: "r1", name: "htpasswd_user.b" + fileSuffix}))
	want := []Finding{{Code: CodeFile, File: "r1/htpasswd_user.b" + fileSuffix, Message: "the file cannot be read: no such file or directory"}}
	if d := cmp.Diff(want, v.report.Findings); d != "" {
		t.Error(d)
	}
}
