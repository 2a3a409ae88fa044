package evidence

import (
	"crypto"
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
	fresh(&a.Nonce)
	return signStatement(s, anApproval(), a)
}

func (a Approval) about() (digest, name string) {
	return a.PlanDigest, a.PlanID + "/approval/" + a.Nonce
}

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
	Signatory
}

// ParseApproval reads an approval without verifying it, in order to find the key
// to verify it with and to show it.
func ParseApproval(b []byte) (*UnverifiedApproval, error) {
	a, by, err := parseStatementOf[Approval](anApproval(), b)
	if err != nil {
		return nil, err
	}
	return &UnverifiedApproval{Approval: *a, Signatory: by}, nil
}

// VerifyApproval reads an approval that must be signed with this key. The error
// wraps ErrKey if it names another one, ErrSignature if the signature is wrong.
// Whether it has expired, and speaks of the plan at hand, is the caller's to ask.
func VerifyApproval(b []byte, key crypto.PublicKey) (*Approval, error) {
	return verifyStatementOf[Approval](anApproval(), b, key)
}

// anApproval is the kind of document that `remint approve` writes.
func anApproval() kind {
	return kind{name: "an approval", command: "remint approve", predicateType: ApprovalType}
}
