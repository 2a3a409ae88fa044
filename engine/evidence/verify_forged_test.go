package evidence

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// forgery is a run of one reset as it is about to be signed and filed, whose
// signer says what is not so. Files are by name; a record's links are made when it
// is filed, unless forged here.
type forgery struct {
	files  []string
	record map[string][]Record
	// relink changes the links of the reset's record, and reclose what the closing
	// record says of the reset.
	relink  func([]RecordLink) []RecordLink
	reclose func([]ResetLink) []ResetLink
}

const (
	forgedAddress = "credential.htpasswd_user.a"
	forgedFile    = "htpasswd_user.a.sigstore.jsonl"
)

func newForgery() *forgery {
	return &forgery{files: []string{RunFile, forgedFile}, record: map[string][]Record{
		RunFile: {
			&Run{Common: testCommon("r1", 1), Event: "opened", Addresses: []string{forgedAddress}},
			&Run{Common: testCommon("r1", 2), Event: "closed", Total: 2},
		},
		forgedFile: {
			ptr(testStep("r1", forgedAddress, "install.user", 1)), ptr(testStep("r1", forgedAddress, "prove.refused", 2)),
			&Reset{Common: testCommon("r1", 3), Address: forgedAddress, Outcome: "finished", Judged: testJudged(plan.Allowed), Total: 3},
		},
	}}
}

func ptr[T any](v T) *T { return &v }

// file signs everything, the closing record last, and files it in a new directory.
func (f *forgery) file(t *testing.T) *world {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	var bundles, own []journal.Bundle
	var ends []ResetLink
	sign := func(name string, r Record) (journal.Bundle, string) {
		line, err := w.signer.Sign(r)
		must(t, err)
		return journal.Bundle{ID: ID(r) + name, Run: "r1", File: "r1/" + name, Line: line}, LineDigest(line)
	}
	for _, name := range f.files {
		var links []RecordLink
		for _, r := range f.record[name] {
			if name == RunFile {
				continue
			}
			link := RecordLink{Sequence: len(links) + 1}
			switch r := r.(type) {
			case *Step:
				link.Step, link.Outcome = r.Step, r.Outcome
			case *Reset:
				r.Records, link.Outcome = append([]RecordLink{}, links...), r.Outcome
				if f.relink != nil {
					r.Records = f.relink(r.Records)
				}
			}
			var b journal.Bundle
			b, link.Record = sign(name, r)
			links, bundles = append(links, link), append(bundles, b)
			if r, ok := r.(*Reset); ok {
				ends = append(ends, ResetLink{Address: r.Address, Outcome: r.Outcome, Record: link.Record})
			}
		}
	}
	if f.reclose != nil {
		ends = f.reclose(ends)
	}
	for _, r := range f.record[RunFile] {
		if r, ok := r.(*Run); ok && r.Event == "closed" {
			r.Resets = ends
		}
		b, _ := sign(RunFile, r)
		own = append(own, b)
	}
	must(t, a.File(context.Background(), append(own, bundles...)))
	return w
}

// TestVerifyForged: whoever holds the keys can sign what is not so; what
// contradicts itself is found all the same, at its place, and nothing else is
// blamed for it.
func TestVerifyForged(t *testing.T) {
	step := func(f *forgery, i int) *Step { return f.record[forgedFile][i].(*Step) }
	reset := func(f *forgery) *Reset { return f.record[forgedFile][2].(*Reset) }
	run := func(f *forgery, i int) *Run { return f.record[RunFile][i].(*Run) }
	type finding struct {
		Code Code
		File string
		Line int
	}
	const own, file = "r1/" + RunFile, "r1/" + forgedFile
	for name, tc := range map[string]struct {
		forge func(*forgery)
		want  []finding
		says  string
	}{
		"nothing": {func(*forgery) {}, nil, ""},
		"the reset's record counts more": {func(f *forgery) { reset(f).Total = 4 },
			[]finding{{CodeTotal, file, 3}}, "speaks of 4 records, but there are 3"},
		"the reset's record counts fewer": {func(f *forgery) { reset(f).Total = 2 }, []finding{{CodeTotal, file, 3}}, "speaks of 2"},
		"the reset's record leaves one out": {func(f *forgery) { f.relink = func(l []RecordLink) []RecordLink { return l[:1] } },
			[]finding{{CodeChain, file, 3}}, "links to 1 records, but 2 stand before it"},
		"the reset's record links to another": {func(f *forgery) {
			f.relink = func(l []RecordLink) []RecordLink { l[0].Record = strings.Repeat("0", 64); return l }
		}, []finding{{CodeChain, file, 1}}, "(line 3) links to"},
		"the reset's record exchanges two": {func(f *forgery) {
			f.relink = func(l []RecordLink) []RecordLink { l[1].Sequence = 3; return l }
		}, []finding{{CodeChain, file, 2}}, "(line 3) links to"},
		"the reset's record says done of a failure": {func(f *forgery) {
			step(f, 1).Outcome = "failed"
			f.relink = func(l []RecordLink) []RecordLink { l[1].Outcome = "done"; return l }
		}, []finding{{CodeChain, file, 3}}, `says done of record 2 (step "prove.refused")`},
		"the reset's record says another step": {func(f *forgery) {
			f.relink = func(l []RecordLink) []RecordLink { l[0].Step = "confirm.login"; return l }
		}, []finding{{CodeChain, file, 3}}, `record 1 (step "confirm.login")`},
		"the closing record says another end": {func(f *forgery) {
			reset(f).Outcome = "halted"
			f.reclose = func(l []ResetLink) []ResetLink { l[0].Outcome = "finished"; return l }
		}, []finding{{CodeChain, file, 3}}, "says finished of this reset, its own last record halted"},
		"the closing record links to another": {func(f *forgery) {
			f.reclose = func(l []ResetLink) []ResetLink { l[0].Record = strings.Repeat("0", 64); return l }
		}, []finding{{CodeChain, file, 3}}, "not the last record"},
		"the closing record says that nothing was begun": {func(f *forgery) {
			f.reclose = func(l []ResetLink) []ResetLink { l[0].Record = ""; return l }
		}, []finding{{CodeChain, file, 0}}, "says that nothing was begun here"},
		"the closing record links twice": {func(f *forgery) {
			f.reclose = func(l []ResetLink) []ResetLink { return append(l, l[0]) }
		}, []finding{{CodeChain, own, 2}}, "links to credential.htpasswd_user.a twice"},
		"the closing record knows nothing of it": {func(f *forgery) {
			run(f, 0).Addresses = nil
			f.reclose = func([]ResetLink) []ResetLink { return nil }
		}, []finding{{CodeChain, file, 0}}, "knows nothing of this file"},
		"the closing record is silent": {func(f *forgery) { run(f, 0).Addresses = []string{forgedAddress, "credential.htpasswd_user.b"} },
			[]finding{{CodeMissing, own, 2}}, "does not say what became of it"},
		"a denied run says nothing of any": {func(f *forgery) {
			f.files, f.record[RunFile] = []string{RunFile}, []Record{
				run(f, 0), &Run{Common: testCommon("r1", 2), Event: "denied", Judged: testGates(plan.Allowed, plan.Denied)}, &Run{Common: testCommon("r1", 3), Event: "closed", Total: 3},
			}
		}, nil, ""},
		"the closing record counts more":  {func(f *forgery) { run(f, 1).Total = 3 }, []finding{{CodeTotal, own, 2}}, "speaks of 3 records, but there are 2"},
		"the closing record counts fewer": {func(f *forgery) { run(f, 1).Total = 1 }, []finding{{CodeTotal, own, 2}}, "speaks of 1"},
		"a record after the closing one": {func(f *forgery) {
			f.record[RunFile] = append(f.record[RunFile], &Run{Common: testCommon("r1", 3), Event: "resumed"})
		}, []finding{{CodeSequence, own, 3}}, "after the one that closed"},
		"never opened": {func(f *forgery) { run(f, 0).Event = "resumed" }, []finding{{CodeMissing, own, 0}}, "opened the run is gone"},
		"a wrong number": {func(f *forgery) { step(f, 1).Sequence = 7 }, []finding{{CodeSequence, file, 2}},
			"record 7 of the file, but its line is number 2"},
		"a record of the run in a credential's file": {func(f *forgery) {
			f.record[forgedFile] = append([]Record{&Run{Common: testCommon("r1", 1), Event: "opened"}}, f.record[forgedFile]...)
			step(f, 1).Sequence = 2
			f.record[forgedFile][2].(*Step).Sequence = 3
			r := f.record[forgedFile][3].(*Reset)
			r.Sequence, r.Total = 4, 4
		}, []finding{{CodePlace, file, 1}}, "which has a file of its own"},
		"a record of another credential": {func(f *forgery) { step(f, 0).Address = "credential.htpasswd_user.b" },
			[]finding{{CodePlace, file, 1}}, "which has another file"},
		"another plan within a file": {func(f *forgery) { step(f, 1).PlanID = "another" }, []finding{{CodeSubject, file, 2}}, "another plan than the first"},
		"another plan's digest within a file": {func(f *forgery) { step(f, 1).PlanDigest = "sha256:" + strings.Repeat("00", 32) },
			[]finding{{CodeSubject, file, 2}}, "another plan than the first"},
		"another plan's file": {func(f *forgery) {
			step(f, 0).PlanID, step(f, 1).PlanID, reset(f).PlanID = "another", "another", "another"
		}, []finding{{CodeSubject, file, 0}}, "another plan than the run's own"},
		"another digest's file": {func(f *forgery) {
			other := "sha256:" + strings.Repeat("00", 32)
			step(f, 0).PlanDigest, step(f, 1).PlanDigest, reset(f).PlanDigest = other, other, other
		}, []finding{{CodeSubject, file, 0}}, "another plan than the run's own"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForgery()
			tc.forge(f)
			r := f.file(t).verify(t)
			var got []finding
			for _, x := range r.Findings {
				got = append(got, finding{x.Code, x.File, x.Line})
			}
			if d := cmp.Diff(tc.want, got); d != "" || len(got) > 0 && !strings.Contains(r.Findings[0].Message, tc.says) {
				t.Errorf("%v\n%s", r.Findings, d)
			}
		})
	}
}

// A file without any record is no evidence of anything, and is named.
func TestVerifyAnEmptyFile(t *testing.T) {
	w := newForgery().file(t)
	must(t, os.WriteFile(w.path("r1/htpasswd_user.b.sigstore.jsonl"), nil, 0o644))
	if r := w.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != CodeMissing || !strings.Contains(r.Findings[0].Message, "no records") {
		t.Error(r.Findings)
	}
}

// What is given to verification has to be enough to trust anything.
func TestVerifyNeedsKeys(t *testing.T) {
	w := newForgery().file(t)
	keys := []crypto.PublicKey{w.signer.Public()}
	for name, tc := range map[string]struct {
		o    VerifyOptions
		says string
	}{
		"no signer":    {VerifyOptions{Dir: w.dir, LedgerKey: w.ledger}, "without the public keys"},
		"no ledger":    {VerifyOptions{Dir: w.dir, PublicKeys: keys}, "without the public keys"},
		"a kind of no": {VerifyOptions{Dir: w.dir, PublicKeys: append([]crypto.PublicKey{"key"}, keys...), LedgerKey: w.ledger}, "not supported"},
		"no directory": {VerifyOptions{Dir: w.path("none"), PublicKeys: keys, LedgerKey: w.ledger}, "there is no evidence directory"},
		"a file":       {VerifyOptions{Dir: w.path("r1", RunFile), PublicKeys: keys, LedgerKey: w.ledger}, "not a directory"},
	} {
		if r, err := Verify(context.Background(), tc.o); err == nil || r != nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := Verify(ctx, VerifyOptions{Dir: w.dir, PublicKeys: keys, LedgerKey: w.ledger}); err == nil || r != nil {
		t.Errorf("a verification that was cut off said %+v", r)
	}
}

// A head kept elsewhere that the ledger did not grow from is found, wherever in
// the ledger it ends; and one of a longer ledger too.
func TestVerifyAnotherPast(t *testing.T) {
	w, other := newWorld(t), newForgery().file(t)
	head, err := Checkpoint(other.dir)
	must(t, err)
	n, err := note.Open(head, note.VerifierList(other.ledger))
	must(t, err)
	for name, tc := range map[string]struct {
		change func(string) string
		code   Code
		says   string
	}{
		"in the middle": {func(s string) string { return strings.Replace(s, "\n5\n", "\n7\n", 1) }, CodeCheckpoint, "the first 7 leaves are not those"},
		"at the end":    {func(s string) string { return strings.Replace(s, "\n5\n", "\n20\n", 1) }, CodeCheckpoint, "the first 20 leaves"},
		"longer":        {func(s string) string { return strings.Replace(s, "\n5\n", "\n21\n", 1) }, CodeCheckpoint, "covers 21 leaves, the ledger has 20"},
		"empty":         {func(s string) string { return strings.Replace(s, "\n5\n", "\n0\n", 1) }, CodeCheckpoint, "the first 0 leaves"},
	} {
		text := strings.Replace(tc.change(n.Text), other.ledger.Name(), w.ledger.Name(), 1)
		w.kept, err = note.Sign(&note.Note{Text: text}, w.key)
		must(t, err)
		if r := w.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != tc.code || !strings.Contains(r.Findings[0].Message, tc.says) {
			t.Errorf("%s: %v", name, r.Findings)
		}
	}
}

// A head kept from before anything was logged holds for every ledger.
func TestVerifyAnEmptyPast(t *testing.T) {
	w := newForgery().file(t)
	root := base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.EmptyRoot())
	var err error
	w.kept, err = note.Sign(&note.Note{Text: w.ledger.Name() + "\n0\n" + root + "\n"}, w.key)
	must(t, err)
	if r := w.verify(t); !r.Sound() {
		t.Error(r.Findings)
	}
}

// Entries that are not those of the head are found by the tree, even where every
// bundle has its leaf.
func TestVerifyEntriesExchanged(t *testing.T) {
	w := newWorld(t)
	path := w.path("ledger/tile/entries/000.p/20")
	b, err := os.ReadFile(path)
	must(t, err)
	b = bytes.Replace(b, []byte("r1/run/opened"), []byte("r1/run/OPENED"), 1)
	if at := bytes.Index(b, []byte(`"seq":0`)); at > 0 {
		b[at+len(`"seq":`)] = '9'
	}
	must(t, os.WriteFile(path, b, 0o644))
	codes := map[Code]bool{}
	for _, f := range w.verify(t).Findings {
		codes[f.Code] = true
	}
	if !codes[CodeRoot] || !codes[CodeCheckpoint] || !codes[CodeLedger] {
		t.Errorf("%v", codes)
	}
}

// What lies where only remint's belongs is named, up to as much as anybody reads.
func TestVerifyNamesWhatIsNotOurs(t *testing.T) {
	w := newForgery().file(t)
	must(t, os.WriteFile(w.path("stray"), nil, 0o644))
	must(t, os.Mkdir(w.path(".hidden"), 0o755))
	must(t, os.WriteFile(w.path("r1/.x.sigstore.jsonl"), nil, 0o644))
	var got []string
	for _, f := range w.verify(t).Findings {
		got = append(got, string(f.Code)+" "+f.File)
	}
	if d := cmp.Diff([]string{"file .hidden", "file r1/.x.sigstore.jsonl", "file stray"}, got); d != "" {
		t.Error(d)
	}
	for i := range maxFindings {
		must(t, os.WriteFile(w.path(fmt.Sprintf("stray-%d", i)), nil, 0o644))
	}
	if r := w.verify(t); len(r.Findings) != maxFindings || r.More != 3 || r.Sound() {
		t.Errorf("%d findings and %d more", len(r.Findings), r.More)
	}
}

// A head kept elsewhere that is damaged is said to be, and the ledger is still read; with no
// ledger at all, one over nothing holds.
func TestVerifyAKeptHeadThatIsDamaged(t *testing.T) {
	w := newForgery().file(t)
	w.kept = []byte("not a checkpoint\n")
	if r := w.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != CodeCheckpoint || !strings.Contains(r.Findings[0].Message, "the checkpoint kept elsewhere is damaged") || r.Head.Size != 5 {
		t.Errorf("%+v", r)
	}
	w.dir = t.TempDir()
	if r := w.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != CodeCheckpoint {
		t.Errorf("no ledger: %v", r.Findings)
	}
	root := base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.EmptyRoot())
	var err error
	w.kept, err = note.Sign(&note.Note{Text: w.ledger.Name() + "\n0\n" + root + "\n"}, w.key)
	must(t, err)
	if r := w.verify(t); !r.Sound() {
		t.Errorf("no ledger, and nothing was kept: %v", r.Findings)
	}
}
