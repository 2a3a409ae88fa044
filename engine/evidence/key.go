package evidence

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/internal/atomicfile"
)

// Algorithm is a kind of signing key.
type Algorithm string

// The algorithms that evidence and approvals are signed with.
const (
	ECDSAP256 Algorithm = "ecdsa-p256"
	Ed25519   Algorithm = "ed25519"
)

// PublicKeyPath is where the public half of a private key's file lies: beside
// it, with the extension .pub.
func PublicKeyPath(private string) string {
	return strings.TrimSuffix(private, filepath.Ext(private)) + ".pub"
}

// GenerateSigner makes a signing key: PKCS#8 PEM at path, readable by its owner
// only, and the public key as PKIX PEM beside it. It never overwrites: if either
// file is there, the error is fs.ErrExist and nothing was changed.
func GenerateSigner(path string, alg Algorithm) error {
	var key crypto.Signer
	var err error
	switch alg {
	case ECDSAP256:
		key, err = newECDSA()
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return fmt.Errorf("%q is not a kind of signing key: it must be %s or %s", alg, ECDSAP256, Ed25519)
	}
	if err != nil {
		return errors.New("the system gives no random numbers for a key")
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return errors.New("the new key cannot be encoded")
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return errors.New("the new public key cannot be encoded")
	}
	return writeKeys(path,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

func newECDSA() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// GenerateLedgerKey makes the key that signs the ledger's checkpoints: an
// Ed25519 key in the form of signed notes (C2SP), and the public key beside it.
// The ledger's name is random, so that no two ledgers share one. It never
// overwrites, like GenerateSigner.
func GenerateLedgerKey(path string) error {
	name := "remint.dev/ledger/" + strings.ToLower(rand.Text()[:12])
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return errors.New("the system gives no random numbers for a key")
	}
	return writeKeys(path, []byte(private+"\n"), []byte(public+"\n"))
}

// writeKeys writes both halves of a key, or neither.
func writeKeys(path string, private, public []byte) error {
	pub := PublicKeyPath(path)
	if _, err := os.Lstat(pub); err == nil {
		return fmt.Errorf("%s is there already and keys are never overwritten: %w", pub, os.ErrExist)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Create(context.Background(), path, 0o600, private); err != nil {
		return err
	}
	if err := atomicfile.Create(context.Background(), pub, 0o644, public); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// RestorePublic writes the public half beside a private key of either kind that
// has none: making a key may have been killed between the two.
func RestorePublic(path string) error {
	public, err := []byte(nil), error(nil)
	if signer, serr := LoadSigner(path); serr == nil {
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return errors.New("the public key cannot be encoded")
		}
		public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	} else if public, err = ledgerPublicText(path); err != nil {
		return fmt.Errorf("%s is neither a signing key nor a ledger's key", path)
	}
	return atomicfile.Create(context.Background(), PublicKeyPath(path), 0o644, append(bytes.TrimSpace(public), '\n'))
}

// LoadLedgerKey reads the key that signs the ledger's checkpoints.
func LoadLedgerKey(path string) (note.Signer, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	s, err := note.NewSigner(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%s is not a ledger key: it must be a line that begins with PRIVATE+KEY+, as `remint init` makes it", path)
	}
	return s, nil
}

// LoadLedgerPublicKey reads the key that checkpoints are checked with.
func LoadLedgerPublicKey(path string) (note.Verifier, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%s is not a ledger's public key: it must be a line of the form NAME+HASH+KEY, as `remint init` makes it", path)
	}
	return v, nil
}

// LedgerPublicKeyOf is the public half of the ledger key at path, for where the file
// beside it is gone.
func LedgerPublicKeyOf(path string) (note.Verifier, error) {
	public, err := ledgerPublicText(path)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(string(public))
}

// ledgerPublicText is the public half of the ledger key at path, as its file has it.
func ledgerPublicText(path string) ([]byte, error) {
	s, err := LoadLedgerKey(path)
	if err != nil {
		return nil, err
	}
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	// PRIVATE+KEY+NAME+HASH+KEY, where KEY is base64 of a byte for Ed25519 and the seed.
	text := strings.TrimSpace(string(b))
	parts := strings.SplitN(text, "+", 5)
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, fmt.Errorf("%s is not a ledger key", path)
	}
	public, err := note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
	return []byte(public), err
}

// LoadPublicKey reads a PKIX PEM public key.
func LoadPublicKey(path string) (crypto.PublicKey, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	key, err := ParsePublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// ParsePublicKey reads a PKIX PEM public key, ECDSA P-256 or Ed25519.
func ParsePublicKey(b []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("not a public key: it must be one PEM block that begins with -----BEGIN PUBLIC KEY-----")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the public key is damaged")
	}
	if !supported(key) {
		return nil, errors.New("this kind of public key is not supported: use ECDSA P-256 or Ed25519")
	}
	return key, nil
}

func supported(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	}
	return false
}

// parsePrivateKey reads a PKCS#8 PEM key. Errors say nothing of the content.
func parsePrivateKey(b []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(b)
	switch {
	case block == nil:
		return nil, errors.New("not a private key: it must be a PEM block that begins with -----BEGIN PRIVATE KEY-----")
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Type == "ENCRYPTED SIGSTORE PRIVATE KEY", block.Type == "ENCRYPTED COSIGN PRIVATE KEY", block.Headers["DEK-Info"] != "":
		return nil, errors.New("the private key is encrypted, which is not supported: decrypt it (openssl pkcs8 -topk8 -nocrypt) and keep it readable by its owner only")
	case block.Type != "PRIVATE KEY":
		return nil, fmt.Errorf("the private key is not PKCS#8 but %q: convert it (openssl pkcs8 -topk8 -nocrypt)", block.Type)
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("there is more than one private key in the file")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key is damaged")
	}
	s, ok := key.(crypto.Signer)
	if !ok || !supported(s.Public()) {
		return nil, errors.New("this kind of private key is not supported: use ECDSA P-256 or Ed25519")
	}
	return s, nil
}
