package evidence

import (
	"bytes"
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
type Identity struct{ Name, Issuer string }

// Authority verifies what people signed with certificates instead of keys: by a
// Sigstore trusted root, offline. It is safe for concurrent use.
type Authority struct {
	material *root.TrustedRoot
	options  []verify.VerifierOption
}

// ParseAuthority reads a Sigstore trusted root (JSON). It must name a certificate
// authority, and somebody who says when a signature was made: certificates live for
// minutes, and a signature without a proven time could be of any day after.
func ParseAuthority(text []byte) (*Authority, error) {
	material, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		return nil, errors.New("it is no Sigstore trusted root in JSON")
	}
	a := &Authority{material: material, options: []verify.VerifierOption{verify.WithObserverTimestamps(1)}}
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

// VerifyApproval reads an approval that was signed with a certificate of this
// authority while that was valid, and says whose it is.
func (a *Authority) VerifyApproval(b []byte) (*Approval, Identity, error) {
	claim, err := ParseApproval(b)
	if err != nil {
		return nil, Identity{}, err
	}
	parsed, err := anApproval().bundle(b)
	if err != nil {
		return nil, Identity{}, err
	}
	if certificateOf(parsed) == nil {
		return nil, Identity{}, ErrKey
	}
	if !timed(parsed) {
		return nil, Identity{}, errors.New("nothing in it proves when it was signed, and a certificate counts for minutes: it has no timestamp")
	}
	verifier, err := verify.NewVerifier(a.material, a.options...)
	if err != nil {
		return nil, Identity{}, errors.New("the trusted root cannot be used")
	}
	// Whose it is, is compared by the caller with what the workspace declares.
	res, err := verifier.Verify(parsed, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return nil, Identity{}, fmt.Errorf("its certificate, its time or its signature is not good by the trusted root: %w", err)
	}
	if res.Signature == nil || res.Signature.Certificate == nil {
		return nil, Identity{}, ErrSignature
	}
	id := Identity{res.Signature.Certificate.SubjectAlternativeName, res.Signature.Certificate.Issuer}
	if id.Name == "" || id.Issuer == "" { // it must never equal that of an approver who has none
		return nil, Identity{}, errors.New("its certificate does not say to whom it was given, and by which issuer's word")
	}
	return &claim.Approval, id, nil
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

// SignKeyless signs an approval with the key of a certificate; at gives the time of
// a signature, as an RFC 3161 response.
func SignKeyless(s *Signer, certificate *x509.Certificate, at func(signature []byte) ([]byte, error), a Approval) ([]byte, error) {
	line, err := SignApproval(s, a)
	if err != nil {
		return nil, err
	}
	e, err := parseEnvelope(bytes.TrimSpace(line))
	if err != nil {
		return nil, err
	}
	stamp, err := at(e.sig)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{
			"certificate":               map[string]any{"rawBytes": certificate.Raw},
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
	return &Signer{keypair{key: key, hint: hint}}, nil
}
