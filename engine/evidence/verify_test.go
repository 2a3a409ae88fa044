package evidence

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
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

// clone is a copy of the world that may be changed.
func (w *world) clone(t testing.TB) *world {
	t.Helper()
	c := *w
	c.dir = filepath.Join(t.TempDir(), "evidence")
	must(t, os.CopyFS(c.dir, os.DirFS(w.dir)))
	return &c
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
	sound := newWorld(t)
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
			must(t, os.Truncate(w.path(fileA), 1000))
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
		}, CodeCheckpoint, "the ledger's head is damaged or was not signed"},
		"other ledger key": {func(t *testing.T, w *world) { _, w.ledger = testLedgerKey(t) }, CodeCheckpoint, "not signed"},
		"other signer":     {func(t *testing.T, w *world) { w.signer = testSigner(t, Ed25519) }, CodeKey, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := sound.clone(t)
			tc.tamper(t, w)
			r := w.verify(t)
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Code == tc.want && strings.Contains(f.Message, tc.says) })
			if i < 0 {
				t.Fatalf("want %s %q, got %v", tc.want, tc.says, r.Findings)
			}
		})
	}
}

// Nothing was filed yet: a process was killed as soon as it had made the folders.
func TestVerifyUnbegun(t *testing.T) {
	sound := newWorld(t)
	for name, tc := range map[string]struct {
		kept  []byte
		make  func(t *testing.T, dir string)
		sound bool
	}{
		"empty":           {nil, func(*testing.T, string) {}, true},
		"empty ledger":    {nil, func(t *testing.T, dir string) { must(t, os.Mkdir(filepath.Join(dir, "ledger"), 0o755)) }, true},
		"emptied by hand": {sound.kept, func(*testing.T, string) {}, false},
		"a run, no ledger": {nil, func(t *testing.T, dir string) {
			must(t, os.CopyFS(filepath.Join(dir, "r1"), os.DirFS(sound.path("r1"))))
		}, false},
		"a ledger without its head": {nil, func(t *testing.T, dir string) {
			must(t, os.CopyFS(filepath.Join(dir, "ledger"), os.DirFS(sound.path("ledger"))))
			must(t, os.Remove(filepath.Join(dir, "ledger", "checkpoint")))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := *sound
			w.dir, w.kept = t.TempDir(), tc.kept
			tc.make(t, w.dir)
			if r := w.verify(t); r.Sound() != tc.sound || r.Level != L0 {
				t.Fatalf("%+v", r)
			}
		})
	}
}

// A key that was rotated: runs that either key signed verify beside each other,
// and the report says how many; the new key alone does not cover the old ones.
func TestVerifyRotated(t *testing.T) {
	w := newWorld(t)
	next := testSigner(t, Ed25519)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	must(t, a.File(context.Background(), testRun(t, next, "r3", "a")))
	keys := []crypto.PublicKey{next.Public(), w.signer.Public()}
	r, err := Verify(context.Background(), VerifyOptions{Dir: w.dir, PublicKeys: keys, LedgerKey: w.ledger, Checkpoint: w.kept})
	must(t, err)
	got := map[string]int{}
	for _, k := range r.Keys {
		got[k.KeyID] = k.Bundles
	}
	if !r.Sound() || len(got) != 2 || got[w.signer.KeyID()] != 20 || got[next.KeyID()] != r.Bundles-20 {
		t.Fatalf("%+v", r)
	}
	r, err = Verify(context.Background(), VerifyOptions{Dir: w.dir, PublicKeys: keys[:1], LedgerKey: w.ledger})
	must(t, err)
	if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == CodeKey && strings.HasPrefix(f.File, "r1/") }) ||
		slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.HasPrefix(f.File, "r3/") }) {
		t.Fatalf("%+v", r.Findings)
	}
}

// TestVerifyResumed: after a reset that halted, the file goes on.
func TestVerifyResumed(t *testing.T) {
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, ECDSAP256)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	const address = `credential.htpasswd_user.team["Bob Ä"]`
	var bundles []journal.Bundle
	var links []RecordLink
	add := func(file, step, outcome string, r Record) string {
		line, err := w.signer.Sign(r)
		must(t, err)
		bundles = append(bundles, journal.Bundle{ID: ID(r), Run: "r1", File: "r1/" + file, Line: line})
		links = append(links, RecordLink{Sequence: len(links) + 1, Step: step, Outcome: outcome, Record: LineDigest(line)})
		return LineDigest(line)
	}
	c, err := addrs.ParseCredential(address)
	must(t, err)
	file := c.FileName() + ".sigstore.jsonl"
	add(RunFile, "", "", Run{Common: testCommon("r1", 1), Event: "opened", Addresses: []string{address, "credential.htpasswd_user.never"}})
	links = nil
	add(file, "install.user", "done", testStep("r1", address, "install.user", 1))
	add(file, "", "halted", Reset{Common: testCommon("r1", 2), Address: address, Outcome: "halted", Records: slices.Clone(links), Total: 2})
	add(file, "install.user", "done", testStep("r1", address, "install.user", 3))
	last := add(file, "", "finished", Reset{Common: testCommon("r1", 4), Address: address, Outcome: "finished", Judged: testJudged(plan.Allowed), Records: slices.Clone(links), Total: 4})
	add(RunFile, "", "", Run{Common: testCommon("r1", 2), Event: "interrupted"})
	add(RunFile, "", "", Run{Common: testCommon("r1", 3), Event: "resumed"})
	add(RunFile, "", "", Run{Common: testCommon("r1", 4), Event: "closed", Total: 4, Resets: []ResetLink{
		{Address: address, Outcome: "finished", Record: last}, {Address: "credential.htpasswd_user.never", Outcome: "not_started"},
	}})
	must(t, a.File(context.Background(), bundles))
	if r := w.verify(t); !r.Sound() {
		t.Fatal(r.Findings)
	}
}

// TestVerifyEnds: however a reset ended, and however often its steps were tried,
// what the executor writes of it is sound and exports with a file for each record.
func TestVerifyEnds(t *testing.T) {
	for _, outcome := range []string{"rolled_back", "denied", "superseded", "failed", "refused"} {
		t.Run(outcome, func(t *testing.T) {
			w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
			w.key, w.ledger = testLedgerKey(t)
			a, err := OpenArchive(w.dir, w.key)
			must(t, err)
			const address, file = "credential.htpasswd_user.a", "htpasswd_user.a.sigstore.jsonl"
			var bundles []journal.Bundle
			add := func(file string, r Record) string {
				line, err := w.signer.Sign(r)
				must(t, err)
				bundles = append(bundles, journal.Bundle{ID: ID(r), Run: "r1", File: "r1/" + file, Line: line})
				return LineDigest(line)
			}
			links := []RecordLink{}
			attempt := func(step, outcome string, number int) {
				s := testStep("r1", address, step, len(links)+1)
				s.Outcome, s.Attempts = outcome, number
				links = append(links, RecordLink{Sequence: s.Sequence, Step: step, Outcome: outcome, Record: add(file, s)})
			}
			add(RunFile, Run{Common: testCommon("r1", 1), Event: "opened", Addresses: []string{address, "credential.htpasswd_user.never"}})
			attempt("install.user", "failed", 1)
			attempt("install.user", "unknown", 2)
			attempt("install.user", "done", 3)
			attempt("confirm.login", "failed", 1)
			attempt("roll_back.new", "failed", 1)
			attempt("roll_back.new", "done", 2)
			end := Reset{Common: testCommon("r1", 7), Address: address, Outcome: outcome, Records: links, Total: 7}
			if outcome == "denied" {
				end.Judged = testJudged(plan.Denied)
			}
			last := add(file, end)
			add(RunFile, Run{Common: testCommon("r1", 2), Event: "closed", Outcome: "unfinished", Total: 2, Resets: []ResetLink{
				{Address: address, Outcome: outcome, Record: last}, {Address: "credential.htpasswd_user.never", Outcome: "not_started"},
			}})
			must(t, a.File(context.Background(), bundles))
			if r := w.verify(t); !r.Sound() {
				t.Fatal(r.Findings)
			}
			out := filepath.Join(t.TempDir(), "out")
			must(t, Export(context.Background(), w.dir, out, nil))
			names, err := filepath.Glob(filepath.Join(out, "r1", "htpasswd_user.a", "*"))
			must(t, err)
			var got []string
			for _, n := range names {
				got = append(got, strings.TrimSuffix(filepath.Base(n), ".sigstore.json"))
			}
			want := []string{
				"0001-install-user", "0002-install-user", "0003-install-user", "0004-confirm-login",
				"0005-roll_back-new", "0006-roll_back-new", "0007-reset-" + outcome,
			}
			if !slices.Equal(got, want) {
				t.Errorf("exported %v", got)
			}
			l := w.lines(t, "r1/"+file)
			w.put(t, "r1/"+file, append(l[:1:1], l[2:]...)...) // one attempt of three is removed
			if w.verify(t).Sound() {
				t.Error("a removed attempt is not noticed")
			}
		})
	}
}

// TestVerifyHostile: what is no evidence is named quickly and in little memory,
// whatever it is.
func TestVerifyHostile(t *testing.T) {
	w := newWorld(t)
	dir := w.path("r9")
	must(t, os.Mkdir(dir, 0o755))
	write := func(name string, parts ...string) {
		must(t, os.WriteFile(filepath.Join(dir, name+".sigstore.jsonl"), []byte(strings.Join(parts, "")), 0o644))
	}
	write("empty")
	write("nul", "\x00\x00\n\x00")
	write("json", "{\n{}\nnull\n[]\n")
	write("deep", strings.Repeat("[", 1<<20), "\n")
	write("long", lineHint, strings.Repeat("A", 64<<20), "\n")
	write("payload", lineHint, strings.Repeat("A", 44), linePay, strings.Repeat("AAAA", 9<<20), lineSig, "AAAA", lineEnd, "\n")
	write("many", strings.Repeat("{}\n", 1<<20))
	huge, err := os.Create(filepath.Join(dir, "huge.sigstore.jsonl"))
	must(t, err)
	must(t, errors.Join(huge.Truncate(1<<30), huge.Close()))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe.sigstore.jsonl"), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "dir.sigstore.jsonl"), 0o755))
	r := w.verify(t)
	named := map[string]bool{}
	for _, f := range r.Findings {
		if !strings.HasPrefix(f.File, "r9/") {
			t.Errorf("sound evidence is blamed: %v", f)
		}
		named[strings.TrimSuffix(strings.TrimPrefix(f.File, "r9/"), ".sigstore.jsonl")] = true
	}
	for _, name := range []string{"empty", "nul", "json", "deep", "long", "payload", "many", "huge", "pipe", "dir", "run"} {
		if !named[name] {
			t.Errorf("%s is not named", name)
		}
	}
	if len(r.Findings) > 100 {
		t.Errorf("%d findings are more than anybody reads", len(r.Findings))
	}
}

// TestVerifyCosigned: only a head that somebody else signed too is worth more.
func TestVerifyCosigned(t *testing.T) {
	w := newWorld(t)
	witness, known := testLedgerKey(t)
	verify := func(witnesses ...note.Verifier) Level {
		r, err := Verify(context.Background(), VerifyOptions{Dir: w.dir, PublicKeys: []crypto.PublicKey{w.signer.Public()}, LedgerKey: w.ledger, Checkpoint: w.kept, Witnesses: witnesses})
		must(t, err)
		if !r.Sound() {
			t.Fatal(r.Findings)
		}
		return r.Level
	}
	if got := verify(known); got != L0 {
		t.Fatalf("%s before it was cosigned", got)
	}
	n, err := note.Open(w.kept, note.VerifierList(w.ledger))
	must(t, err)
	w.kept, err = note.Sign(n, witness)
	must(t, err)
	if got := verify(); got != L0 {
		t.Fatalf("%s by an unknown witness", got)
	}
	if got := verify(known); got != L2 {
		t.Fatalf("%s by a known witness", got)
	}
}

// TestVerifyMany: a run whose closing record links to thousands of files.
func TestVerifyMany(t *testing.T) {
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	bundles := testRun(t, w.signer, "r1", manyNames(1000)...)
	for part := range slices.Chunk(bundles, 900) {
		must(t, a.File(context.Background(), part))
	}
	r := w.verify(t)
	if !r.Sound() || r.Resets != 1000 || r.Bundles != 4002 {
		t.Fatal(r.Bundles, r.Findings)
	}
	partial, err := filepath.Glob(w.path("ledger/tile/entries/*.p"))
	must(t, err)
	if len(partial) != 1 {
		t.Errorf("partial tiles are left behind: %v", partial)
	}
}

func FuzzVerifyLedger(f *testing.F) {
	w := newWorld(f)
	for _, name := range []string{"checkpoint", "tile/entries/000.p/20"} {
		b, err := os.ReadFile(w.path("ledger", name))
		must(f, err)
		f.Add(name == "checkpoint", b)
	}
	f.Fuzz(func(t *testing.T, checkpoint bool, b []byte) {
		now := w.clone(t)
		now.kept = nil
		name := "tile/entries/000.p/20"
		if checkpoint {
			name = "checkpoint"
		}
		path := now.path("ledger", name)
		was, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, b, 0o644))
		if now.verify(t).Sound() && !bytes.Equal(b, was) {
			t.Fatalf("a changed ledger passes: %q", b)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			w := &world{dir: filepath.Join(b.TempDir(), "evidence"), signer: testSigner(b, alg)}
			w.key, w.ledger = testLedgerKey(b)
			a, err := OpenArchive(w.dir, w.key)
			must(b, err)
			must(b, a.File(context.Background(), testRun(b, w.signer, "r1", manyNames(5000)...)))
			bundles := 0
			for b.Loop() {
				r := w.verify(b)
				if !r.Sound() {
					b.Fatal(r.Findings)
				}
				bundles += r.Bundles
			}
			b.ReportMetric(float64(bundles)/b.Elapsed().Seconds(), "bundles/s")
		})
	}
}
