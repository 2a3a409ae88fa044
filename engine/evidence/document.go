package evidence

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// kind is a kind of document that one person signs: a Sigstore bundle in any
// spelling, for such documents travel through mail and reviews.
type kind struct{ name, command, predicateType string }

// document is a document as it claims to be: nothing of it is known to be true.
type document struct {
	said *signed
	by   Signatory
}

func (k kind) bundle(b []byte) (*bundle.Bundle, error) {
	if len(b) > maxSmall {
		return nil, fmt.Errorf("not %s: it is larger than %d bytes", k.name, maxSmall)
	}
	var parsed bundle.Bundle
	if err := parsed.UnmarshalJSON(bytes.TrimSpace(b)); err != nil || parsed.GetDsseEnvelope() == nil || parsed.GetVerificationMaterial().GetPublicKey() == nil && certificateOf(&parsed) == nil {
		return nil, fmt.Errorf("not %s: it must be a Sigstore bundle as `%s` writes it", k.name, k.command)
	}
	return &parsed, nil
}

// parse reads a document without verifying it.
func (k kind) parse(b []byte) (*document, error) {
	parsed, err := k.bundle(b)
	if err != nil {
		return nil, err
	}
	envelope := parsed.GetDsseEnvelope()
	if envelope.GetPayloadType() != payloadType {
		return nil, fmt.Errorf("not %s: its payload is no in-toto statement", k.name)
	}
	s, err := parseStatement(envelope.GetPayload())
	if err != nil {
		return nil, fmt.Errorf("not %s: %w", k.name, err)
	}
	if s.typ != k.predicateType {
		return nil, fmt.Errorf("not %s: its predicate is not one of type %s as this version knows it", k.name, k.predicateType)
	}
	d := &document{said: s, by: Signatory{KeyID: parsed.GetVerificationMaterial().GetPublicKey().GetHint()}}
	if c := certificateOf(parsed); c != nil {
		d.by.Identity, _ = IdentityOf(c) // none is nobody's
	}
	return d, nil
}

// verify checks that a document is signed with this key: ErrKey if it names
// another one, ErrSignature if the signature is wrong.
func (k kind) verify(b []byte, key crypto.PublicKey) error {
	parsed, err := k.bundle(b)
	if err != nil {
		return err
	}
	hint, err := KeyID(key)
	if err != nil {
		return err
	}
	if parsed.GetVerificationMaterial().GetPublicKey().GetHint() != hint {
		return fmt.Errorf("the document is %w", ErrKey)
	}
	load, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return errors.New("the signer's public key cannot be used")
	}
	keys := root.NewTrustedPublicKeyMaterialFromMapping(map[string]*root.ExpiringKey{hint: root.NewExpiringKey(load, time.Time{}, time.Time{})})
	verifier, err := verify.NewVerifier(keys, verify.WithNoObserverTimestamps())
	if err != nil {
		return errors.New("the signer's public key cannot be used")
	}
	if _, err := verifier.Verify(parsed, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithKey())); err != nil {
		return ErrSignature
	}
	return nil
}
