package evidence

import (
	"bytes"
	"context"
	"crypto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// world is an evidence directory with two sound runs, and what verifies it.
type world struct {
	dir    string
	signer *Signer
	key    note.Signer
	ledger note.Verifier
	kept   []byte // the head after the first run
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *world) verify(t testing.TB) *Report {
	t.Helper()
	r, err := Verify(context.Background(), VerifyOptions{Dir: w.dir, PublicKeys: []crypto.PublicKey{w.signer.Public()}, LedgerKey: w.ledger, Checkpoint: w.kept})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) lines(t testing.TB, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

func (w *world) put(t testing.TB, name string, lines ...[]byte) {
	t.Helper()
	for i, l := range lines {
		lines[i] = append(bytes.TrimSuffix(slices.Clone(l), []byte("\n")), '\n')
	}
	if err := os.WriteFile(w.path(name), bytes.Join(lines, nil), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, ECDSAP256)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	must(t, a.File(context.Background(), testRun(t, w.signer, "r1", "a", "b")))
	w.kept, err = Checkpoint(w.dir)
	must(t, err)
	must(t, a.File(context.Background(), testRun(t, w.signer, "r2", "a", "b")))
	return w
}

func codes(r *Report) []Code {
	var out []Code
	for _, f := range r.Findings {
		if !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	slices.Sort(out)
	return out
}

func TestVerifySound(t *testing.T) {
	w := newWorld(t)
	r := w.verify(t)
	if !r.Sound() || r.Runs != 2 || r.Resets != 4 || r.Bundles != 20 || r.Head.Size != 20 || r.Level != L0 {
		t.Fatalf("%+v", r)
	}
}

const fileA = "r1/htpasswd_user.a.sigstore.jsonl"

func TestVerifyTampered(t *testing.T) {
	for name, tc := range map[string]struct {
		tamper func(t *testing.T, w *world)
		want   Code
		says   string
	}{
		"line deleted": {func(t *testing.T, w *world) {
			l := w.lines(t, fileA)
			w.put(t, fileA, l[0], l[2], l[3])
		}, CodeSequence, "removed, repeated or moved"},
		"first line deleted": {func(t *testing.T, w *world) { w.put(t, fileA, w.lines(t, fileA)[1:]...) }, CodeSequence, ""},
		"last line deleted":  {func(t *testing.T, w *world) { w.put(t, fileA, w.lines(t, fileA)[:3]...) }, CodeMissing, "last record of the reset is gone"},
		"lines swapped": {func(t *testing.T, w *world) {
			l := w.lines(t, fileA)
			w.put(t, fileA, l[1], l[0], l[2], l[3])
		}, CodeSequence, ""},
		"line duplicated": {func(t *testing.T, w *world) {
			l := w.lines(t, fileA)
			w.put(t, fileA, l[0], l[1], l[1], l[2], l[3])
		}, CodeSequence, ""},
		"byte edited": {func(t *testing.T, w *world) {
			l := w.lines(t, fileA)
			i := bytes.Index(l[1], []byte(`"payload":"`)) + 100
			l[1][i] ^= 1
			w.put(t, fileA, l...)
		}, CodeSignature, "edited or forged"},
		"line cut": {func(t *testing.T, w *world) {
			must(t, os.Truncate(w.path(fileA), 100))
		}, CodeFormat, "cut"},
		"files exchanged": {func(t *testing.T, w *world) {
			b := "r1/htpasswd_user.b.sigstore.jsonl"
			la, lb := w.lines(t, fileA), w.lines(t, b)
			w.put(t, fileA, lb...)
			w.put(t, b, la...)
		}, CodePlace, "another file"},
		"file of another run": {func(t *testing.T, w *world) {
			w.put(t, fileA, w.lines(t, strings.Replace(fileA, "r1", "r2", 1))...)
		}, CodePlace, "record of run r2"},
		"file removed": {func(t *testing.T, w *world) { must(t, os.Remove(w.path(fileA))) }, CodeMissing, "the file is gone"},
		"run removed":  {func(t *testing.T, w *world) { must(t, os.RemoveAll(w.path("r1"))) }, CodeMissing, "the whole run is gone"},
		"closed dropped": {func(t *testing.T, w *world) {
			w.put(t, "r1/run.sigstore.jsonl", w.lines(t, "r1/run.sigstore.jsonl")[0])
		}, CodeOpen, "the run is open"},
		"ledger removed":  {func(t *testing.T, w *world) { must(t, os.RemoveAll(w.path("ledger"))) }, CodeLedger, "no head"},
		"entries removed": {func(t *testing.T, w *world) { must(t, os.RemoveAll(w.path("ledger/tile/entries"))) }, CodeLedger, "missing"},
		"entries cut":     {func(t *testing.T, w *world) { must(t, os.Truncate(w.path("ledger/tile/entries/000.p/20"), 700)) }, CodeLedger, "cut"},
		"tile cut":        {func(t *testing.T, w *world) { must(t, os.Truncate(w.path("ledger/tile/0/000.p/20"), 320)) }, CodeLedger, "tile"},
		"older ledger": {func(t *testing.T, w *world) {
			must(t, os.WriteFile(w.path("ledger/checkpoint"), w.kept, 0o644))
			w.kept = nil
		}, CodeUnledgered, "older copy"},
		"extra file":   {func(t *testing.T, w *world) { must(t, os.WriteFile(w.path("r1/x.txt"), nil, 0o644)) }, CodeFile, ""},
		"extra folder": {func(t *testing.T, w *world) { must(t, os.Mkdir(w.path("r9"), 0o755)) }, CodeOpen, ""},
		"symbolic link": {func(t *testing.T, w *world) {
			must(t, os.Rename(w.path(fileA), w.dir+".a"))
			must(t, os.Symlink(w.dir+".a", w.path(fileA)))
		}, CodeFile, ""},
		"checkpoint edited": {func(t *testing.T, w *world) {
			b, err := os.ReadFile(w.path("ledger/checkpoint"))
			must(t, err)
			must(t, os.WriteFile(w.path("ledger/checkpoint"), bytes.Replace(b, []byte("\n20\n"), []byte("\n10\n"), 1), 0o644))
		}, CodeCheckpoint, "damaged or was not signed"},
		"other ledger key": {func(t *testing.T, w *world) { _, w.ledger = testLedgerKey(t) }, CodeCheckpoint, "not signed"},
		"other signer":     {func(t *testing.T, w *world) { w.signer = testSigner(t, Ed25519) }, CodeKey, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.tamper(t, w)
			r := w.verify(t)
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Code == tc.want && strings.Contains(f.Message, tc.says) })
			if i < 0 {
				t.Fatalf("want %s %q, got %v", tc.want, tc.says, r.Findings)
			}
		})
	}
}
