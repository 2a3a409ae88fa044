package evidence

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/remint-dev/remint/internal/jsonstream"
)

// Binding ties what a person signs about a plan to that very plan, its judges and
// its targets, and says how long it counts.
type Binding struct {
	PlanID       string    `json:"plan_id"`
	PlanDigest   string    `json:"plan_digest"`
	PolicyDigest string    `json:"policy_digest"`
	TrustDigest  string    `json:"trust_digest"`
	Targets      []string  `json:"targets"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	Nonce        string    `json:"nonce"`
}

func (b Binding) check() error {
	switch {
	case b.PlanID == "" || b.Nonce == "":
		return errors.New("it must name its plan and have a nonce")
	case !b.ExpiresAt.After(b.CreatedAt):
		return errors.New("it expires before it begins")
	}
	_, err := planHex(b.PlanDigest)
	return err
}

// statement is what one person signs: of a kind, with a name for its second subject.
type statement interface {
	about() (digest, name string)
	check() error
}

// fresh fills an empty nonce in.
func fresh(nonce *string) {
	if *nonce == "" {
		*nonce = rand.Text()
	}
}

// signStatement gives a Sigstore bundle as one line of JSON with a newline.
func signStatement(s *Signer, k kind, p statement) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("not %s: %w", k.name, err)
	}
	digest, name := p.about()
	line, err := s.sign(k.predicateType, digest, name, p)
	if err != nil {
		return nil, err
	}
	if line, err = s.document(line); err != nil {
		return nil, err
	}
	if len(line) > maxSmall {
		return nil, fmt.Errorf("not %s: it would be larger than %d bytes", k.name, maxSmall)
	}
	return line, nil
}

// parseStatementOf reads a document without verifying it: not even that it is signed
// by the signatory that it names is known then.
func parseStatementOf[T statement](k kind, b []byte) (*T, Signatory, error) {
	d, err := k.parse(b)
	if err != nil {
		return nil, Signatory{}, err
	}
	var p T
	if jsonstream.Strict(d.said.predicate, &p) != nil {
		return nil, Signatory{}, fmt.Errorf("not %s: its predicate is not one of type %s as this version knows it", k.name, k.predicateType)
	}
	if err := p.check(); err != nil {
		return nil, Signatory{}, fmt.Errorf("not %s: %w", k.name, err)
	}
	if digest, name := p.about(); digest != d.said.planDigest || name != d.said.name {
		return nil, Signatory{}, fmt.Errorf("not %s: its subjects do not fit what it says", k.name)
	}
	return &p, d.by, nil
}

// verifyStatementOf reads a document that must be signed with this key: ErrKey if it
// names another one, ErrSignature if the signature is wrong.
func verifyStatementOf[T statement](k kind, b []byte, key crypto.PublicKey) (*T, error) {
	p, _, err := parseStatementOf[T](k, b)
	if err != nil {
		return nil, err
	}
	if err := k.verify(b, key); err != nil {
		return nil, err
	}
	return p, nil
}
