package evidence

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// Identity is whom a Fulcio certificate was given to: the subject's alternative
// name, and the issuer of the ID token that it was given for.
type Identity struct {
	Name   string `json:"name"`
	Issuer string `json:"issuer"`
}

// ErrNoAuthority says that a certificate stands for a key, and nothing is at hand to verify it by.
var ErrNoAuthority = errors.New("it is signed with a certificate, and no trusted root is declared that certificates count by")

// Authority verifies what people signed with certificates instead of keys: by a
// Sigstore trusted root, offline. It is safe for concurrent use.
type Authority struct {
	// Source says where the trusted root came from, for people.
	Source string
	// digest is "sha256:…" of the trusted root as it was written.
	digest   string
	material *root.TrustedRoot
	options  []verify.VerifierOption
}

// Digest is "sha256:…" of the trusted root as it was written.
func (a *Authority) Digest() string { return a.digest }

// ParseAuthority reads a Sigstore trusted root (JSON). It must name a certificate
// authority, and somebody who says when a signature was made: certificates live for
// minutes, and a signature without a proven time could be of any day after.
func ParseAuthority(text []byte) (*Authority, error) {
	material, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		return nil, errors.New("it is no Sigstore trusted root in JSON")
	}
	a := &Authority{digest: "sha256:" + LineDigest(text), material: material, options: []verify.VerifierOption{verify.WithObserverTimestamps(1)}}
	switch {
	case len(material.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("it names no certificate authority")
	case len(material.TimestampingAuthorities()) == 0 && len(material.RekorLogs()) == 0:
		return nil, errors.New("it names neither a timestamp authority nor a transparency log, so nothing proves when a signature was made")
	case len(material.TimestampingAuthorities()) == 0:
		a.options = append(a.options, verify.WithTransparencyLog(1))
	}
	if len(material.CTLogs()) > 0 {
		a.options = append(a.options, verify.WithSignedCertificateTimestamps(1))
	}
	return a, nil
}

// identify says whose certificate of this authority a document was signed with, while
// that was valid. The error wraps ErrKey for one that is signed with a key. Whoever has
// no authority may ask it as well, and learns that no certificate counts.
func (a *Authority) identify(k kind, b []byte) (Identity, error) {
	parsed, err := k.bundle(b)
	if err != nil {
		return Identity{}, err
	}
	switch {
	case certificateOf(parsed) == nil:
		return Identity{}, ErrKey
	case a == nil:
		return Identity{}, ErrNoAuthority
	case !timed(parsed):
		return Identity{}, errors.New("nothing in it proves when it was signed, and a certificate counts for minutes: it has no timestamp")
	}
	verifier, err := verify.NewVerifier(a.material, a.options...)
	if err != nil {
		return Identity{}, errors.New("the trusted root cannot be used")
	}
	// Whose it is, is compared by the caller with what the workspace declares.
	res, err := verifier.Verify(parsed, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return Identity{}, fmt.Errorf("its certificate, its time or its signature is not good by the trusted root: %w", err)
	}
	if res.Signature == nil || res.Signature.Certificate == nil {
		return Identity{}, ErrSignature
	}
	id := Identity{res.Signature.Certificate.SubjectAlternativeName, res.Signature.Certificate.Issuer}
	if id.Name == "" || id.Issuer == "" { // it must never equal that of an approver who has none
		return Identity{}, errors.New("its certificate does not say to whom it was given, and by which issuer's word")
	}
	return id, nil
}

// certificateOf is the certificate that a bundle was signed with, nil where that was a key.
func certificateOf(b *bundle.Bundle) *x509.Certificate {
	content, err := b.VerificationContent()
	if err != nil {
		return nil
	}
	return content.Certificate()
}

// timed reports whether a bundle has anything that may prove when it was signed.
func timed(b *bundle.Bundle) bool {
	stamps, _ := b.Timestamps()
	entries, _ := b.TlogEntries()
	return len(stamps)+len(entries) > 0
}

// IdentityOf is whom a certificate says that it was given to.
func IdentityOf(c *x509.Certificate) (Identity, error) {
	s, err := certificate.SummarizeCertificate(c)
	if err != nil || s.SubjectAlternativeName == "" || s.Issuer == "" {
		return Identity{}, errors.New("the certificate does not say to whom it was given, and by which issuer's word")
	}
	return Identity{s.SubjectAlternativeName, s.Issuer}, nil
}

// Certified is a signer with the same key that puts the key's certificate into what
// people sign, in place of the key's name, and the time of the signature: at gives it as
// an RFC 3161 response.
func (s *Signer) Certified(certificate *x509.Certificate, at func(signature []byte) ([]byte, error)) *Signer {
	return &Signer{pair: s.pair, certificate: certificate, at: at}
}

// document makes of a signed line what people sign, ready to be a file.
func (s *Signer) document(line []byte) ([]byte, error) {
	if s.certificate == nil {
		return append(line, '\n'), nil
	}
	e, err := parseEnvelope(line)
	if err != nil {
		return nil, err
	}
	stamp, err := s.at(e.sig)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{
			"certificate":               map[string]any{"rawBytes": s.certificate.Raw},
			"timestampVerificationData": map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": stamp}}},
		},
		"dsseEnvelope": map[string]any{"payload": e.payload, "payloadType": payloadType, "signatures": []any{map[string]any{"sig": e.sig}}},
	})
	return append(doc, '\n'), err
}

// NewSigner is a signer with a key that is made now and kept nowhere.
func NewSigner() (*Signer, error) {
	key, err := newECDSA()
	if err != nil {
		return nil, err
	}
	hint, err := KeyID(key.Public())
	if err != nil {
		return nil, err
	}
	return &Signer{pair: keypair{key: key, hint: hint}}, nil
}
