package evidence

import (
	"bytes"
	"context"
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// ledgerFiles are what the ledger of newWorld consists of.
func ledgerFiles() []string {
	return []string{"checkpoint", "tile/entries/000.p/20", "tile/0/000.p/20", ".state/treeState"}
}

// FuzzOpenArchive: whatever lies in a ledger's files, it is gone on with or
// refused, and what was gone on with still holds all that was there.
func FuzzOpenArchive(f *testing.F) {
	w := newWorld(f)
	for i, name := range ledgerFiles() {
		b, err := os.ReadFile(w.path("ledger", name))
		must(f, err)
		f.Add(uint8(i), b)
		f.Add(uint8(i), b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		now := w.clone(t)
		name := ledgerFiles()[int(which)%len(ledgerFiles())]
		must(t, os.WriteFile(now.path("ledger", name), b, 0o644))
		if a, err := OpenArchive(now.dir, now.key); (a == nil) == (err == nil) {
			t.Fatalf("an archive and an error, or neither: %v", err)
		}
	})
}

// FuzzKeptCheckpoint: a kept head that was changed is either noticed, or says the
// same as the one that was kept.
func FuzzKeptCheckpoint(f *testing.F) {
	w := newWorld(f)
	f.Add(w.kept)
	f.Add(w.kept[:len(w.kept)/2])
	f.Add(bytes.Replace(w.kept, []byte("\n10\n"), []byte("\n18446744073709551615\n"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := *w
		now.kept = b
		if !now.verify(t).Sound() || len(b) == 0 {
			return
		}
		n, err := note.Open(b, note.VerifierList(w.ledger))
		if err != nil || !strings.HasPrefix(string(w.kept), n.Text) && n.Text == "" {
			t.Errorf("a head that the ledger's key did not sign is believed: %q", b)
		}
	})
}

// FuzzLeaf: what is read as a leaf is exactly what remint writes.
func FuzzLeaf(f *testing.F) {
	good, err := leaf{Record: "r1/credential.t.n/issue.x#1", Run: "r1", Seq: 7, SHA256: strings.Repeat("ab", 32)}.encode()
	must(f, err)
	f.Add(good)
	f.Add(append(bytes.Clone(good), ' '))
	f.Add(bytes.Replace(good, []byte(`"run"`), []byte(`"run":"r1","run"`), 1))
	f.Add([]byte(`{"seq":1e3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLeaf(b)
		if err != nil {
			return
		}
		if again, err := l.encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q was read, and is written %q (%v)", b, again, err)
		}
	})
}

// FuzzKeys: whatever a key's file holds, it is a key that works or is refused, and
// the refusal does not quote it.
func FuzzKeys(f *testing.F) {
	dir := f.TempDir()
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		path := filepath.Join(dir, string(alg)+".pem")
		must(f, GenerateSigner(path, alg))
		for _, p := range []string{path, PublicKeyPath(path)} {
			b, err := os.ReadFile(p)
			must(f, err)
			f.Add(b)
		}
	}
	ledger := filepath.Join(dir, "ledger.key")
	must(f, GenerateLedgerKey(ledger))
	for _, p := range []string{ledger, PublicKeyPath(ledger)} {
		b, err := os.ReadFile(p)
		must(f, err)
		f.Add(b)
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nDEK-Info: x\n\nAAAA\n-----END PRIVATE KEY-----\n"))
	path := filepath.Join(dir, "key")
	f.Fuzz(func(t *testing.T, b []byte) {
		must(t, os.WriteFile(path, b, 0o600))
		if s, err := LoadSigner(path); err == nil {
			if _, err := KeyID(s.Public()); err != nil {
				t.Error(err)
			}
		}
		if key, err := LoadPublicKey(path); err == nil {
			if _, err := newKeyring([]crypto.PublicKey{key}); err != nil {
				t.Error(err)
			}
		}
		if s, err := LoadLedgerKey(path); err == nil {
			v, err := LedgerPublicKeyOf(path)
			if err != nil || v.Name() != s.Name() || v.KeyHash() != s.KeyHash() {
				t.Errorf("the public half is %v (%v)", v, err)
			}
		}
		_, _ = LoadLedgerPublicKey(path) // must not panic
	})
}

// FuzzShow: whatever a file of records holds, it is shown or refused, and verified
// with findings.
func FuzzShow(f *testing.F) {
	w := newWorld(f)
	was, err := os.ReadFile(w.path(fileA))
	must(f, err)
	f.Add(was)
	f.Add(was[:len(was)-1])
	f.Add(append(bytes.Clone(was), was...))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := w.clone(t)
		must(t, os.WriteFile(now.path(fileA), b, 0o644))
		for e, err := range Show(now.dir, "r1") {
			if (e == nil) == (err == nil) {
				t.Fatal("an entry and an error, or neither")
			}
		}
		r, err := Verify(context.Background(), VerifyOptions{Dir: now.dir, PublicKeys: []crypto.PublicKey{now.signer.Public()}, LedgerKey: now.ledger, Checkpoint: now.kept})
		if err != nil {
			t.Fatal(err)
		}
		if r.Sound() && !bytes.Equal(b, was) {
			t.Errorf("changed records pass: %q", b)
		}
	})
}
