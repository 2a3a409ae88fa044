package evidence

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// Signer signs records and approvals. It is safe for concurrent use.
type Signer struct{ pair keypair }

// LoadSigner reads a PKCS#8 PEM key, ECDSA P-256 or Ed25519, not encrypted.
func LoadSigner(path string) (*Signer, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	key, err := parsePrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	hint, err := KeyID(key.Public())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Signer{keypair{key: key, hint: hint}}, nil
}

// Public is the public half of the key.
func (s *Signer) Public() crypto.PublicKey { return s.pair.key.Public() }

// KeyID is the hint that bundles carry.
func (s *Signer) KeyID() string { return s.pair.hint }

// Sign makes the signed bundle of a record, as one line of JSON without the
// newline. ECDSA signatures are random, so that the same record signed twice
// gives two different lines: a line is signed once and then kept.
func (s *Signer) Sign(r Record) ([]byte, error) {
	return s.sign(r.predicateType(), r.common().PlanDigest, r.Name(), r)
}

func (s *Signer) sign(predicateType, planDigest, name string, predicate any) ([]byte, error) {
	payload, err := newStatement(predicateType, planDigest, name, predicate)
	if err != nil {
		return nil, err
	}
	line, err := s.envelop(payload)
	if err != nil {
		return nil, fmt.Errorf("the record %s could not be signed: %w", name, err)
	}
	if len(line) > maxLine {
		return nil, fmt.Errorf("the record %s is larger than %d MiB: nothing that large is evidence", name, maxLine>>20)
	}
	return line, nil
}

// envelop signs a payload into a bundle on one line.
func (s *Signer) envelop(payload []byte) ([]byte, error) {
	b, err := sign.Bundle(&sign.DSSEData{Data: payload, PayloadType: payloadType}, s.pair, sign.BundleOptions{})
	if err != nil {
		return nil, errors.New("the key refused to sign")
	}
	raw, err := protojson.Marshal(b)
	if err != nil {
		return nil, errors.New("the bundle cannot be written as JSON")
	}
	// protojson varies its spaces from build to build; evidence does not.
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return nil, errors.New("the bundle cannot be written as JSON")
	}
	return line.Bytes(), nil
}

// KeyID names a public key: base64 of the sha256 of its PKIX form.
func KeyID(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", errors.New("the public key cannot be encoded")
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// keypair is a local key, in the form that sigstore-go signs with.
type keypair struct {
	key  crypto.Signer
	hint string
}

func (k keypair) ecdsa() bool {
	_, ok := k.key.Public().(*ecdsa.PublicKey)
	return ok
}

// GetHashAlgorithm is SHA-256, which for pure Ed25519 goes unused.
func (k keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

// GetSigningAlgorithm says how SignData signs.
func (k keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	if k.ecdsa() {
		return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
	}
	return protocommon.PublicKeyDetails_PKIX_ED25519
}

// GetHint names the key in bundles.
func (k keypair) GetHint() []byte { return []byte(k.hint) }

// GetKeyAlgorithm is the family of the key.
func (k keypair) GetKeyAlgorithm() string {
	if k.ecdsa() {
		return "ECDSA"
	}
	return "ED25519"
}

// GetPublicKey is the public half.
func (k keypair) GetPublicKey() crypto.PublicKey { return k.key.Public() }

// GetPublicKeyPem is the public half as PKIX PEM.
func (k keypair) GetPublicKeyPem() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		return "", errors.New("the public key cannot be encoded")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// SignData signs data and gives back the signature and what was signed: the
// digest for ECDSA, the data itself for pure Ed25519.
func (k keypair) SignData(_ context.Context, data []byte) (signature, signed []byte, err error) {
	hash := crypto.Hash(0)
	if k.ecdsa() {
		hash = crypto.SHA256
		sum := sha256.Sum256(data)
		data = sum[:]
	}
	signature, err = k.key.Sign(rand.Reader, data, hash)
	return signature, data, err
}
