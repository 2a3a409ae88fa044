package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/internal/flock"
)

func testLedgerKey(t testing.TB) (note.Signer, note.Verifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := GenerateLedgerKey(path); err != nil {
		t.Fatal(err)
	}
	s, err := LoadLedgerKey(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := LoadLedgerPublicKey(PublicKeyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

// testRun signs a whole, sound run over the given credentials.
func testRun(t testing.TB, s *Signer, run string, names ...string) []journal.Bundle {
	t.Helper()
	var out []journal.Bundle
	add := func(file string, r Record) string {
		line, err := s.Sign(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, journal.Bundle{ID: ID(r), Run: run, File: run + "/" + file, Line: line})
		return LineDigest(line)
	}
	opened := Run{Common: testCommon(run, 1), Event: "opened", Operator: "op", Mode: "cutover"}
	closed := Run{Common: testCommon(run, 2), Event: "closed", Outcome: "finished", Total: 2}
	var addresses []string
	for _, n := range names {
		addresses = append(addresses, "credential.htpasswd_user."+n)
	}
	opened.Addresses = addresses
	add(RunFile, opened)
	for _, a := range addresses {
		c, err := addrs.ParseCredential(a)
		if err != nil {
			t.Fatal(err)
		}
		file := c.FileName() + fileSuffix
		var links []RecordLink
		for i, step := range []string{"install.user", "confirm.login", "prove.refused"} {
			links = append(links, RecordLink{Sequence: i + 1, Step: step, Outcome: "done", Record: add(file, testStep(run, a, step, i+1))})
		}
		last := add(file, Reset{Common: testCommon(run, 4), Address: a, CredentialType: "htpasswd_user", Outcome: "finished", Judged: testJudged(plan.Allowed), Proof: "tested", Planned: 3, Records: links, Total: 4})
		closed.Resets = append(closed.Resets, ResetLink{Address: a, Outcome: "finished", Proof: "tested", Record: last})
	}
	add(RunFile, closed)
	return out
}

func manyNames(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("u%d", i)
	}
	return out
}

// TestFile: a run filed in parts lies in its files in order, with a leaf for
// each bundle in the same order.
func TestFile(t *testing.T) {
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, ECDSAP256)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	bundles := testRun(t, w.signer, "r1", "a", "b")
	want := map[string]string{}
	for i, b := range bundles {
		want[b.File] += string(b.Line) + "\n"
		if i%3 == 2 || i == len(bundles)-1 {
			must(t, a.File(context.Background(), bundles[i-i%3:i+1]))
		}
	}
	for file, content := range want {
		got, err := os.ReadFile(w.path(file))
		must(t, err)
		if diff := cmp.Diff(content, string(got)); diff != "" {
			t.Error(file, diff)
		}
	}
	leaves, err := readEntries(w.path("ledger"), 0, len(bundles))
	must(t, err)
	for i, raw := range leaves {
		got, err := parseLeaf(raw)
		must(t, err)
		if diff := cmp.Diff(leaf{Record: bundles[i].ID, Run: "r1", Seq: uint64(i), SHA256: LineDigest(bundles[i].Line)}, got); diff != "" {
			t.Error(diff)
		}
	}
}

func BenchmarkFile10k(b *testing.B) {
	signer := testSigner(b, Ed25519)
	key, _ := testLedgerKey(b)
	run := testRun(b, signer, "r1", manyNames(2500)...)
	for b.Loop() {
		a, err := OpenArchive(filepath.Join(b.TempDir(), "evidence"), key)
		if err != nil {
			b.Fatal(err)
		}
		if err := a.File(context.Background(), run); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(run)*b.N)/b.Elapsed().Seconds(), "bundles/s")
}

// The directory's lock is waited for while another archive has it, and not for ever;
// a second time not as long. Nothing is lost: the same bundles are filed later.
func TestFileWaitsForALock(t *testing.T) {
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, ECDSAP256)}
	w.key, w.ledger = testLedgerKey(t)
	bundles := testRun(t, w.signer, "r1", "a")
	other, err := OpenArchive(w.dir, w.key)
	must(t, err)
	unlock, err := other.lock(t.Context())
	must(t, err)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	var told []string
	a.Tell(func(message string) { told = append(told, message) })
	a.patience.Limit, a.patience.Cut, a.patience.After = 400*time.Millisecond, 20*time.Millisecond, 100*time.Millisecond
	var held *flock.HeldError
	begun := time.Now()
	if err := a.File(t.Context(), bundles); !errors.As(err, &held) || !strings.Contains(err.Error(), "the evidence directory "+w.dir+" is in use") || time.Since(begun) < a.patience.Limit {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "waiting") {
		t.Errorf("told %q", told)
	}
	a.patience.Limit, a.patience.After = time.Hour, time.Hour
	for name, ctx := range map[string]context.Context{"again": t.Context(), "interrupted": cancelled} {
		a.late.Store(name == "again")
		if err := a.File(ctx, bundles); !errors.As(err, &held) {
			t.Errorf("%s: %v", name, err)
		}
	}
	unlock()
	must(t, a.File(cancelled, bundles)) // what is begun is not cut off
	if r := w.verify(t); !r.Sound() || r.Bundles != len(bundles) {
		t.Errorf("%d bundles, %v", r.Bundles, r.Findings)
	}
}
