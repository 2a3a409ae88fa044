package gate

import (
	"crypto"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
)

// certified gives what a document that was signed with a certificate says, and whose
// that is; nil for one that was signed with a key. why says what keeps it from
// counting, whoever is declared.
func (q Question) certified(d Document) (signed *evidence.Approval, whose evidence.Identity, why string) {
	claim, err := evidence.ParseApproval(d.Content)
	if err != nil || claim.KeyID != "" {
		return nil, evidence.Identity{}, ""
	}
	if q.Authority == nil {
		return nil, evidence.Identity{}, "it is signed with a certificate, and no trusted root is declared that certificates count by"
	}
	signed, whose, err = q.Authority.VerifyApproval(d.Content)
	if err != nil {
		return nil, evidence.Identity{}, err.Error()
	}
	return signed, whose, "it is signed as " + addrs.Visible(whose.Name) + ", by the word of " + addrs.Visible(whose.Issuer) + ", who is no approver of this workspace"
}

// byKey gives what d says if a's key signed it, and that key. verify is that of the
// kind of statement that it should be.
func byKey[T any](a config.Approver, d Document, verify func([]byte, crypto.PublicKey) (*T, error)) (*T, crypto.PublicKey) {
	key, err := evidence.ParsePublicKey([]byte(a.PublicKey))
	if err != nil {
		return nil, nil // the workspace was validated: she has none that signs
	}
	found, err := verify(d.Content, key)
	if err != nil {
		return nil, nil
	}
	return found, key
}
