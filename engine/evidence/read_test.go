package evidence

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What lies in an evidence directory and is no run is not listed as one.
func TestRuns(t *testing.T) {
	w := newWorld(t)
	must(t, os.WriteFile(w.path("r0"), nil, 0o644))
	must(t, os.Mkdir(w.path(".hidden"), 0o755))
	got, err := Runs(w.dir)
	if d := cmp.Diff([]string{"r1", "r2"}, got); d != "" || err != nil {
		t.Error(err, d)
	}
	for _, dir := range []string{w.path("none"), w.path("r0")} {
		if got, err := Runs(dir); err == nil || got != nil {
			t.Errorf("%s: %v", dir, got)
		}
		if got, err := List(dir); err == nil || got != nil {
			t.Errorf("%s: %v", dir, got)
		}
	}
	if _, err := Runs(w.path("none")); !strings.Contains(err.Error(), "there is no evidence directory") {
		t.Error(err)
	}
}

// An evidence directory is begun once there is a run or a ledger in it.
func TestBegun(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		make  func(dir string)
		begun bool
	}{
		"absent":       {func(dir string) { must(t, os.Remove(dir)) }, false},
		"empty":        {func(string) {}, false},
		"a file":       {func(dir string) { must(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o644)) }, false},
		"empty ledger": {func(dir string) { must(t, os.Mkdir(filepath.Join(dir, "ledger"), 0o755)) }, false},
		"a run":        {func(dir string) { must(t, os.Mkdir(filepath.Join(dir, "r1"), 0o755)) }, true},
		"a ledger":     {func(dir string) { must(t, os.CopyFS(filepath.Join(dir, "ledger"), os.DirFS(w.path("ledger")))) }, true},
	} {
		dir := t.TempDir()
		tc.make(dir)
		if got, err := Begun(dir); got != tc.begun || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	file := filepath.Join(t.TempDir(), "x")
	must(t, os.WriteFile(file, nil, 0o644))
	if got, err := Begun(file); err == nil || got {
		t.Errorf("a file: %v", got)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "ledger"), nil, 0o644))
	if got, err := Begun(dir); err == nil || got {
		t.Errorf("a ledger that is a file: %v", got)
	}
}

// Show gives the run's own records first, each with its place and its digest.
func TestShow(t *testing.T) {
	w := newWorld(t)
	must(t, os.WriteFile(w.path("r1/x.txt"), []byte("x"), 0o644))
	var got []string
	for e, err := range Show(w.dir, "r1") {
		must(t, err)
		line := bytes.TrimSuffix(w.lines(t, e.File)[e.Line-1], []byte("\n"))
		if e.Run != "r1" || e.SHA256 != LineDigest(line) || e.KeyID != w.signer.KeyID() || e.Type != e.Record.predicateType() {
			t.Errorf("%+v", e)
		}
		got = append(got, e.Record.Name())
	}
	if len(got) != 10 || !strings.HasPrefix(got[0], "r1/run") || !strings.HasPrefix(got[1], "r1/run") || strings.HasPrefix(got[2], "r1/run") {
		t.Errorf("%v", got)
	}
	n := 0
	for _, err := range Show(w.dir, "r1") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d after it was stopped at 3", n)
	}
}

// What cannot be shown is one error, the last thing that is said.
func TestShowFails(t *testing.T) {
	w := newWorld(t)
	shown := func(run string) (n int, err error) {
		for e, x := range Show(w.dir, run) {
			if err != nil {
				t.Fatalf("%s: something after its error: %v, %v", run, e, x)
			}
			if err = x; err == nil {
				n++
			}
		}
		return n, err
	}
	for run, says := range map[string]string{"": "not the name", "..": "not the name", "a/b": "not the name", "ledger": "not the name", "r9": "there is no evidence of run r9"} {
		if n, err := shown(run); err == nil || n > 0 || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %d, %v", run, n, err)
		}
	}
	must(t, os.WriteFile(w.path("r8"), nil, 0o644))
	if n, err := shown("r8"); err == nil || n > 0 {
		t.Errorf("a file: %d", n)
	}
	l := w.lines(t, fileA)
	w.put(t, fileA, l[0], []byte("{}"), l[2], l[3])
	if n, err := shown("r1"); n != 3 || err == nil || !strings.Contains(err.Error(), fileA+", line 2: ") || !strings.Contains(err.Error(), "remint evidence verify") {
		t.Errorf("%d, %v", n, err)
	}
	must(t, os.Truncate(w.path(fileA), 1000))
	if n, err := shown("r1"); n != 2 || err == nil || !strings.Contains(err.Error(), "line 1: ") {
		t.Errorf("%d, %v", n, err)
	}
	must(t, os.Remove(w.path("r1", RunFile)))
	if n, err := shown("r1"); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

// List says of each run what its own records say.
func TestList(t *testing.T) {
	w := newForgery().file(t)
	own := w.lines(t, "r1/"+RunFile)
	got, err := List(w.dir)
	want := []Summary{{Run: "r1", PlanID: "plan-r1", OpenedAt: testTime, Resets: 1, ClosedAt: testTime, Trust: "self-asserted"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	w.put(t, "r1/"+RunFile, own[0], w.lines(t, "r1/"+forgedFile)[0])
	got, err = List(w.dir)
	if err != nil || len(got) != 1 || !got[0].ClosedAt.IsZero() || got[0].PlanID != "plan-r1" {
		t.Errorf("an open run: %v, %+v", err, got)
	}
	w.put(t, "r1/"+RunFile, []byte("{}"))
	if got, err := List(w.dir); err == nil || got != nil {
		t.Errorf("%+v", got)
	}
	if got, err := List(t.TempDir()); err != nil || got == nil || len(got) > 0 {
		t.Errorf("an empty directory: %#v, %v", got, err)
	}
}

// Faults are blamed on their own line, and counted once.
func TestVerifyPlaces(t *testing.T) {
	sound := newForgery().file(t)
	const file = "r1/" + forgedFile
	type finding struct {
		Code Code
		Line int
	}
	var many []finding
	for i := range maxFileFindings {
		many = append(many, finding{CodeFormat, 4 + i})
	}
	for name, tc := range map[string]struct {
		tamper func(w *world, l [][]byte)
		want   []finding
	}{
		"the last line is cut": {func(w *world, l [][]byte) {
			must(t, os.Truncate(w.path(file), int64(len(l[0])+len(l[1])+500)))
		}, []finding{{CodeFormat, 3}, {CodeMissing, 2}}},
		"a foreign line": {func(w *world, l [][]byte) { w.put(t, file, l[0], []byte("not ours"), l[2]) },
			[]finding{{CodeFormat, 2}, {CodeChain, 2}}},
		"a foreign line at the end": {func(w *world, l [][]byte) { w.put(t, file, l[0], l[1], l[2], []byte("not ours")) },
			[]finding{{CodeFormat, 4}, {CodeMissing, 4}}},
		"too much": {func(w *world, l [][]byte) {
			lines := l[:3:3]
			for range 100 {
				lines = append(lines, []byte("not ours"))
			}
			w.put(t, file, lines...)
		}, append(many, finding{CodeFormat, 23}, finding{CodeMissing, 23})},
	} {
		w := sound.clone(t)
		tc.tamper(w, w.lines(t, file))
		var got []finding
		for _, f := range w.verify(t).Findings {
			if f.File == file {
				got = append(got, finding{f.Code, f.Line})
			}
		}
		for _, list := range [][]finding{tc.want, got} {
			slices.SortFunc(list, func(a, b finding) int { return 1000*(a.Line-b.Line) + strings.Compare(string(a.Code), string(b.Code)) })
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// A ledger of several bundles of entries: the place of a fault is told right, and a
// head kept at the seam or within holds.
func TestVerifyAcrossTiles(t *testing.T) {
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	bundles := testRun(t, w.signer, "r1", manyNames(150)...)
	var kept [][]byte
	for _, part := range [][2]int{{0, 256}, {256, 300}, {300, 512}, {512, len(bundles)}} {
		must(t, a.File(context.Background(), bundles[part[0]:part[1]]))
		head, err := Checkpoint(w.dir)
		must(t, err)
		kept = append(kept, head)
		if r := w.verify(t); hasCode(r, CodeLedger) || hasCode(r, CodeRoot) || r.Head.Size != uint64(part[1]) { // the run is open
			t.Fatalf("%d leaves: %v", part[1], r.Findings)
		}
	}
	for i, head := range kept {
		w.kept = head
		if r := w.verify(t); !r.Sound() || r.Bundles != 602 || r.Head.Size != 602 {
			t.Fatalf("kept %d: %+v", i, r.Findings)
		}
	}
	file := "r1/htpasswd_user.u149.sigstore.jsonl"
	lines := w.lines(t, file)
	must(t, os.Remove(w.path(file)))
	r := w.verify(t)
	n := 0
	for _, f := range r.Findings {
		switch {
		case f.Code == CodeMissing && strings.Contains(f.Message, "in the ledger"):
			if n++; !strings.Contains(f.Message, "credential.htpasswd_user.u149") {
				t.Error(f)
			}
		case f.Code != CodeMissing:
			t.Error(f)
		}
	}
	if n != 4 {
		t.Errorf("%d records are missing: %v", n, r.Findings)
	}
	w.put(t, file, lines...)
	for path, code := range map[string]Code{"ledger/tile/entries/001": CodeLedger, "ledger/tile/0/001": CodeLedger, "ledger/tile/1/000.p/2": CodeLedger, "ledger/tile/0/002.p/90": CodeLedger} {
		c := w.clone(t)
		b, err := os.ReadFile(c.path(path))
		must(t, err)
		b[len(b)-1] ^= 1
		must(t, os.WriteFile(c.path(path), b, 0o644))
		if r := c.verify(t); r.Sound() || !hasCode(r, code) && !hasCode(r, CodeRoot) {
			t.Errorf("%s: %v", path, r.Findings)
		}
	}
}

func hasCode(r *Report, code Code) bool {
	for _, f := range r.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// A ledger that cannot be read is said once, and not of every record.
func TestVerifyWithoutALedgerBlamesNoRecord(t *testing.T) {
	w := newForgery().file(t)
	must(t, os.RemoveAll(w.path("ledger/tile/entries")))
	if r := w.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != CodeLedger {
		t.Errorf("%v", r.Findings)
	}
}

// Of a line that nobody has verified no more is held than its text is worth: a stranger
// may have written it.
func TestShowHoldsNoEmptyElements(t *testing.T) {
	w := newWorld(t)
	path := w.path("r1", RunFile)
	b, err := os.ReadFile(path)
	must(t, err)
	first, _, _ := bytes.Cut(b, []byte("\n"))
	env, err := parseEnvelope(first)
	must(t, err)
	s, err := parseStatement(env.payload)
	must(t, err)
	for _, list := range []string{"decisions", "resets", "judged"} {
		predicate := slices.Concat([]byte(`{"`+list+`":[`), bytes.Repeat([]byte("{},"), 500_000), []byte("{}],"), s.predicate[1:])
		payload := slices.Concat([]byte(statementHead), predicate, []byte(statementKind+s.typ+statementPlan+strings.TrimPrefix(s.planDigest, "sha256:")+statementRecord+LineDigest(predicate)+statementName+`"`+s.name+`"`+statementEnd))
		line := lineHint + env.hint + linePay + base64.StdEncoding.EncodeToString(payload) + lineSig + base64.StdEncoding.EncodeToString(env.sig) + lineEnd + "\n"
		must(t, os.WriteFile(path, []byte(line), 0o644))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := List(w.dir)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "the predicate is not one of type") {
			t.Errorf("%s: %v", list, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
			t.Errorf("%s: %d bytes were allocated for a line of %d", list, got, len(line))
		}
	}
}
