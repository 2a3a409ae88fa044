package evidence

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerate(t *testing.T) {
	for name, generate := range map[string]func(string) error{
		"ecdsa.pem":   func(p string) error { return GenerateSigner(p, ECDSAP256) },
		"ed25519.pem": func(p string) error { return GenerateSigner(p, Ed25519) },
		"ledger.key":  GenerateLedgerKey,
	} {
		path := filepath.Join(t.TempDir(), "keys", name)
		must(t, generate(path))
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		before, err := os.ReadFile(path)
		must(t, err)
		if err := generate(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s was made twice: %v", name, err)
		}
		must(t, os.Remove(PublicKeyPath(path)))
		if err := generate(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s was made twice: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s was overwritten", name)
		}
	}
	path := filepath.Join(t.TempDir(), "e.pem")
	must(t, GenerateSigner(path, Ed25519))
	if key, err := LoadPublicKey(PublicKeyPath(path)); err != nil || !key.(ed25519.PublicKey).Equal(mustLoad(t, path).Public()) {
		t.Error("the public key is another one", err)
	}
}

func mustLoad(t *testing.T, path string) *Signer {
	t.Helper()
	s, err := LoadSigner(path)
	must(t, err)
	return s
}

func TestLoadSignerRefuses(t *testing.T) {
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		return der
	}
	block := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	good := block("PRIVATE KEY", pkcs8(p256))
	for name, tc := range map[string]struct{ file, says string }{
		"empty":     {"", "not a private key"},
		"text":      {"hello", "not a private key"},
		"encrypted": {block("ENCRYPTED PRIVATE KEY", []byte{1}), "encrypted"},
		"cosign":    {block("ENCRYPTED SIGSTORE PRIVATE KEY", []byte{1}), "encrypted"},
		"SEC 1":     {block("EC PRIVATE KEY", sec1), "PKCS#8"},
		"public":    {block("PUBLIC KEY", []byte{1}), "PKCS#8"},
		"damaged":   {block("PRIVATE KEY", []byte{1}), "damaged"},
		"P-384":     {block("PRIVATE KEY", pkcs8(p384)), "not supported"},
		"RSA":       {block("PRIVATE KEY", pkcs8(rsaKey)), "not supported"},
		"two":       {good + good, "more than one"},
		"huge":      {good + strings.Repeat("\n", maxSmall), "larger"},
	} {
		path := filepath.Join(t.TempDir(), "k.pem")
		must(t, os.WriteFile(path, []byte(tc.file), 0o600))
		if _, err := LoadSigner(path); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key pair whose making was cut short has its private half only: the public one
// follows from it.
func TestLedgerPublicKeyOf(t *testing.T) {
	for range 50 { // what is base64 may or may not have a plus in it
		path := filepath.Join(t.TempDir(), "ledger.key")
		must(t, GenerateLedgerKey(path))
		want, err := LoadLedgerPublicKey(PublicKeyPath(path))
		must(t, err)
		got, err := LedgerPublicKeyOf(path)
		must(t, err)
		s, err := LoadLedgerKey(path)
		must(t, err)
		msg := []byte("m\n")
		sig, err := s.Sign(msg)
		must(t, err)
		if got.Name() != want.Name() || got.KeyHash() != want.KeyHash() || !got.Verify(msg, sig) {
			t.Fatal("it is another key")
		}
	}
	if _, err := LedgerPublicKeyOf(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}
