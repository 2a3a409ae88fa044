package evidence

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/journal"
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
		last := add(file, Reset{Common: testCommon(run, 4), Address: a, CredentialType: "htpasswd_user", Outcome: "finished", Proof: "tested", Planned: 3, Records: links, Total: 4})
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

func TestFile(t *testing.T) {
	signer := testSigner(t, ECDSAP256)
	key, _ := testLedgerKey(t)
	dir := filepath.Join(t.TempDir(), "evidence")
	a, err := OpenArchive(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		start := time.Now()
		if err := a.File(context.Background(), testRun(t, signer, fmt.Sprintf("r%d", i), "a", "b")); err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(start))
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
