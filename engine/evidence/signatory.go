package evidence

import (
	"crypto"
	"fmt"

	"github.com/remint-dev/remint/engine/addrs"
)

// Signatory is who a document says has signed it: by a key, or by a certificate that
// stands for one. Nothing of it is known to be true before it was verified.
type Signatory struct {
	// KeyID names the key, as KeyID does; "" where a certificate stands for it.
	KeyID string `json:"key_id,omitempty"`
	// Identity is whom the certificate says that it was given to.
	Identity Identity `json:"identity,omitzero"`
}

// String is for people.
func (s Signatory) String() string {
	if s.KeyID != "" {
		return "key " + addrs.Visible(s.KeyID)
	}
	return "a certificate of " + addrs.Visible(s.Identity.Name) + " by the word of " + addrs.Visible(s.Identity.Issuer)
}

// kindOf is the kind of document that has a predicate type.
func kindOf(predicateType string) (kind, error) {
	for _, k := range kinds() {
		if k.predicateType == predicateType {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("%.100q is the type of nothing that people sign", predicateType)
}

func kinds() []kind {
	return []kind{anApproval(), anOverride(), aBreakGlass(), aReview(), aResolution()}
}

// PersonalTypes are the predicate types of what people sign.
func PersonalTypes() []string {
	var out []string
	for _, k := range kinds() {
		out = append(out, k.predicateType)
	}
	return out
}

// SignatoryOf is who a document of any type that people sign says has signed it, not
// verified.
func SignatoryOf(b []byte) (Signatory, error) {
	var err error
	for _, k := range kinds() {
		var d *document
		if d, err = k.parse(b); err == nil {
			return d.by, nil
		}
	}
	return Signatory{}, err
}

// SignedBy checks that a document of a type that people sign is signed with a key. The
// error wraps ErrKey if it names another one, or a certificate.
func SignedBy(predicateType string, b []byte, key crypto.PublicKey) error {
	k, err := kindOf(predicateType)
	if err == nil {
		_, err = k.parse(b)
	}
	if err != nil {
		return err
	}
	return k.verify(b, key)
}

// Identify says to whom the certificate was given that a document of a type that people
// sign is signed with. The error wraps ErrKey for one that is signed with a key, and
// ErrNoAuthority where a is nil.
func (a *Authority) Identify(predicateType string, b []byte) (Identity, error) {
	k, err := kindOf(predicateType)
	if err == nil {
		_, err = k.parse(b)
	}
	if err != nil {
		return Identity{}, err
	}
	return a.identify(k, b)
}

// Verifiable checks that what s has just signed is verified as it will be: with its
// key, which a key elsewhere may not be what it shows, or with its certificate by a.
func (s *Signer) Verifiable(predicateType string, b []byte, a *Authority) error {
	if s.certificate == nil {
		return SignedBy(predicateType, b, s.Public())
	}
	_, err := a.Identify(predicateType, b)
	return err
}
