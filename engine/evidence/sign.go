package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
)

// Signer signs records, and what people sign. It is safe for concurrent use.
type Signer struct {
	pair keypair
	// certificate stands for the key in what people sign, nil where the key does; at
	// gives the time of a signature.
	certificate *x509.Certificate
	at          func(signature []byte) ([]byte, error)
}

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
	return &Signer{pair: keypair{key: key, hint: hint}}, nil
}

// Public is the public half of the key.
func (s *Signer) Public() crypto.PublicKey { return s.pair.key.Public() }

// Key is the key itself, for who has it certified.
func (s *Signer) Key() crypto.Signer { return s.pair.key }

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

// envelop signs a payload into a bundle on one line, in the only spelling that
// parseEnvelope reads. sigstore-go's own writer is not used: it brings a client
// for every kind of transparency log, OpenPGP among them, and its reader, which
// the tests ask, accepts these bytes.
func (s *Signer) envelop(payload []byte) ([]byte, error) {
	sig, err := s.pair.sign(append(signedHead(payload), payload...))
	if err != nil {
		return nil, fmt.Errorf("the key refused to sign: %w", err)
	}
	line := slices.Concat([]byte(lineHint), []byte(s.pair.hint), []byte(linePay))
	line = base64.StdEncoding.AppendEncode(line, payload)
	line = append(line, lineSig...)
	line = base64.StdEncoding.AppendEncode(line, sig)
	return append(line, lineEnd...), nil
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

// keypair is a local key and the hint that names it.
type keypair struct {
	key  crypto.Signer
	hint string
}

// sign signs data: its digest with ECDSA, itself with pure Ed25519.
func (k keypair) sign(data []byte) ([]byte, error) {
	if m, ok := k.key.(messages); ok {
		return m.SignMessage(data)
	}
	if _, ok := k.key.Public().(*ecdsa.PublicKey); !ok {
		return k.key.Sign(rand.Reader, data, crypto.Hash(0))
	}
	sum := sha256.Sum256(data)
	return k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
}
