package evidence

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
)

// The decisions that an approval can carry.
const (
	Approve = "approve"
	Reject  = "reject"
	// Withdraw takes back what the same person decided before.
	Withdraw = "withdraw"
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
	case a.Decision != Approve && a.Decision != Reject && a.Decision != Withdraw:
		return fmt.Errorf("the decision is %.40q: it must be %s, %s or %s", a.Decision, Approve, Reject, Withdraw)
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
	// KeyID names the key, as KeyID does; "" where a certificate stands for it.
	KeyID string
	// Identity is whom the certificate names.
	Identity Identity
}

// ParseApproval reads an approval without verifying it, in order to find the key
// to verify it with and to show it.
func ParseApproval(b []byte) (*UnverifiedApproval, error) {
	d, err := anApproval().parse(b)
	if err != nil {
		return nil, err
	}
	var a Approval
	if strict(d.said.predicate, &a) != nil {
		return nil, fmt.Errorf("not an approval: its predicate is not one of type %s as this version knows it", ApprovalType)
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("not an approval: %w", err)
	}
	if a.PlanDigest != d.said.planDigest || a.name() != d.said.name {
		return nil, errors.New("not an approval: its subjects do not fit what it says")
	}
	return &UnverifiedApproval{Approval: a, KeyID: d.hint, Identity: d.identity}, nil
}

// VerifyApproval reads an approval that must be signed with this key. The error
// wraps ErrKey if it names another one, ErrSignature if the signature is wrong.
// Whether it has expired, and speaks of the plan at hand, is the caller's to ask.
func VerifyApproval(b []byte, key crypto.PublicKey) (*Approval, error) {
	claim, err := ParseApproval(b)
	if err != nil {
		return nil, err
	}
	if err := anApproval().verify(b, key); err != nil {
		return nil, err
	}
	return &claim.Approval, nil
}

// anApproval is the kind of document that `remint approve` writes.
func anApproval() kind {
	return kind{name: "an approval", command: "remint approve", predicateType: ApprovalType}
}
