package evidence

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// The decisions that an approval can carry.
const (
	Approve = "approve"
	Reject  = "reject"
)

// SignApproval signs an approval: a Sigstore bundle as one line of JSON with a
// newline, ready to be a file. An empty Nonce is filled in.
func SignApproval(s *Signer, a Approval) ([]byte, error) {
	if a.Nonce == "" {
		a.Nonce = rand.Text()
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	line, err := s.sign(ApprovalType, a.PlanDigest, a.name(), a)
	if err != nil {
		return nil, err
	}
	return append(line, '\n'), nil
}

// name is the name of the statement's second subject.
func (a Approval) name() string { return a.PlanID + "/approval/" + a.Nonce }

func (a Approval) check() error {
	switch {
	case a.Decision != Approve && a.Decision != Reject:
		return fmt.Errorf("the decision is %.40q: it must be %s or %s", a.Decision, Approve, Reject)
	case a.PlanID == "" || a.Nonce == "":
		return errors.New("an approval must name its plan and have a nonce")
	case !a.ExpiresAt.After(a.CreatedAt):
		return errors.New("the approval expires before it begins")
	}
	_, err := planHex(a.PlanDigest)
	return err
}

// UnverifiedApproval is what an approval claims. Nothing of it is known to be
// true before VerifyApproval: not even that the key it names has signed it.
type UnverifiedApproval struct {
	Approval
	// KeyID names the key, as KeyID does.
	KeyID string
}

// ParseApproval reads an approval without verifying it, in order to find the key
// to verify it with and to show it.
func ParseApproval(b []byte) (*UnverifiedApproval, error) {
	parsed, err := parseApprovalBundle(b)
	if err != nil {
		return nil, err
	}
	envelope := parsed.GetDsseEnvelope()
	if envelope.GetPayloadType() != payloadType {
		return nil, errors.New("not an approval: its payload is no in-toto statement")
	}
	a, err := parseApprovalStatement(envelope.GetPayload())
	if err != nil {
		return nil, err
	}
	return &UnverifiedApproval{Approval: *a, KeyID: parsed.GetVerificationMaterial().GetPublicKey().GetHint()}, nil
}

// VerifyApproval reads an approval that must be signed with this key. The error
// wraps ErrKey if it names another one, ErrSignature if the signature is wrong.
// Whether it has expired, and speaks of the plan at hand, is the caller's to ask.
func VerifyApproval(b []byte, key crypto.PublicKey) (*Approval, error) {
	claim, err := ParseApproval(b)
	if err != nil {
		return nil, err
	}
	hint, err := KeyID(key)
	if err != nil {
		return nil, err
	}
	if claim.KeyID != hint {
		return nil, fmt.Errorf("the approval is %w", ErrKey)
	}
	parsed, err := parseApprovalBundle(b)
	if err != nil {
		return nil, err
	}
	load, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, errors.New("the approver's public key cannot be used")
	}
	keys := root.NewTrustedPublicKeyMaterialFromMapping(map[string]*root.ExpiringKey{hint: root.NewExpiringKey(load, time.Time{}, time.Time{})})
	verifier, err := verify.NewVerifier(keys, verify.WithNoObserverTimestamps())
	if err != nil {
		return nil, errors.New("the approver's public key cannot be used")
	}
	if _, err := verifier.Verify(parsed, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithKey())); err != nil {
		return nil, ErrSignature
	}
	return &claim.Approval, nil
}

// parseApprovalBundle reads a bundle in any spelling: approvals travel through
// mail and reviews.
func parseApprovalBundle(b []byte) (*bundle.Bundle, error) {
	if len(b) > maxSmall {
		return nil, fmt.Errorf("not an approval: it is larger than %d bytes", maxSmall)
	}
	var parsed bundle.Bundle
	if err := parsed.UnmarshalJSON(bytes.TrimSpace(b)); err != nil || parsed.GetDsseEnvelope() == nil || parsed.GetVerificationMaterial().GetPublicKey() == nil {
		return nil, errors.New("not an approval: it must be a Sigstore bundle as `remint approve` writes it")
	}
	return &parsed, nil
}

func parseApprovalStatement(payload []byte) (*Approval, error) {
	s, err := parseStatement(payload)
	if err != nil {
		return nil, fmt.Errorf("not an approval: %w", err)
	}
	var a Approval
	if s.typ != ApprovalType || strict(s.predicate, &a) != nil {
		return nil, fmt.Errorf("not an approval: its predicate is not one of type %s as this version knows it", ApprovalType)
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("not an approval: %w", err)
	}
	if a.PlanDigest != s.planDigest || a.name() != s.name {
		return nil, errors.New("not an approval: its subjects do not fit what it says")
	}
	return &a, nil
}
