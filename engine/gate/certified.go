package gate

import (
	"crypto"
	"errors"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
)

// signatory finds the approver who signed a document of a type that people sign: with
// her key, which is given too, or with a certificate of hers. Without one, why says what
// keeps a certificate from counting, whoever is declared; it is "" for a key's.
func (q Question) signatory(predicateType string, d Document) (by config.Approver, key crypto.PublicKey, found bool, why string) {
	whose, err := q.Authority.Identify(predicateType, d.Content)
	certified := !errors.Is(err, evidence.ErrKey)
	if certified && err != nil {
		return config.Approver{}, nil, false, err.Error()
	}
	for _, a := range q.Approvers {
		if certified {
			if whose == (evidence.Identity{Name: a.Identity, Issuer: a.Issuer}) {
				return a, nil, true, ""
			}
			continue
		}
		key, err := evidence.ParsePublicKey([]byte(a.PublicKey))
		if err != nil {
			continue // the workspace was validated: she has none that signs
		}
		if evidence.SignedBy(predicateType, d.Content, key) == nil {
			return a, key, true, ""
		}
	}
	if certified {
		why = "it is signed as " + addrs.Visible(whose.Name) + ", by the word of " + addrs.Visible(whose.Issuer) + ", who is no approver of this workspace"
	}
	return config.Approver{}, nil, false, why
}

// Signatory is the approver who signed a document of a type that people sign, under all
// names that she has in any block; false where that is nobody's.
func (q Question) Signatory(predicateType string, d Document) (config.Approver, bool) {
	q.Approvers = Persons(q.Approvers)
	by, _, found, _ := q.signatory(predicateType, d)
	return by, found
}
