package evidence

import (
	"cmp"
	"crypto"
	"errors"
	"slices"
)

// Person is somebody whose signed word may stand in evidence.
type Person struct {
	// Names are all that she is known by, whatever she signs with.
	Names []string
	// Key is what she signs with, nil where that is a certificate only; Identity is whom
	// the certificate names.
	Key      crypto.PublicKey
	Identity Identity
}

// RootUse says how many certificates were verified by a trusted root.
type RootUse struct {
	// Digest is "sha256:…" of the file.
	Digest string `json:"digest"`
	// Source says where it came from, for people.
	Source    string `json:"source"`
	Documents int    `json:"documents"`
}

// signs reports whether she signs as by says.
func (p Person) signs(by Signatory) bool {
	if by.KeyID == "" {
		return by.Identity != (Identity{}) && by.Identity == p.Identity
	}
	hint, err := KeyID(p.Key)
	return err == nil && hint == by.KeyID
}

// names are all that the people are known by who sign as by says.
func (v *verification) names(by Signatory) []string {
	out := []string{by.Identity.Name}
	for _, p := range v.People {
		if p.signs(by) {
			out = append(out, p.Names...)
		}
	}
	return out
}

// signedBy is nil if one of the people has signed a document of the run: with her key,
// or with a certificate of hers by the trusted root. It wraps ErrKey where it is
// somebody else's, and ErrNoAuthority where no trusted root is at hand.
func (v *verification) signedBy(run string, k kind, content []byte, by Signatory) error {
	if by.KeyID != "" {
		err := ErrKey
		for _, p := range v.People {
			if p.Key == nil {
				continue
			}
			if err = k.verify(content, p.Key); !errors.Is(err, ErrKey) {
				return err
			}
		}
		return err
	}
	var a *Authority
	if v.Authority != nil {
		a = v.Authority(run)
	}
	id, err := a.identify(k, content)
	if err != nil {
		return err
	}
	v.rootUsed(a)
	if !slices.ContainsFunc(v.People, func(p Person) bool { return p.signs(Signatory{Identity: id}) }) {
		return ErrKey
	}
	return nil
}

// rootUsed counts a certificate under the trusted root that it was verified by.
func (v *verification) rootUsed(a *Authority) {
	v.mu.Lock()
	defer v.mu.Unlock()
	roots := v.report.TrustedRoots
	i, found := slices.BinarySearchFunc(roots, a.digest, func(u RootUse, digest string) int { return cmp.Compare(u.Digest, digest) })
	if !found {
		roots = slices.Insert(roots, i, RootUse{Digest: a.digest, Source: a.Source})
	}
	roots[i].Documents++
	v.report.TrustedRoots = roots
}

// signedByApprover finds fault with a document that none of the approvers has signed.
func (v *verification) signedByApprover(f *recordFile, k kind, content []byte, who string, by Signatory) bool {
	switch err := v.signedBy(f.run, k, content, by); {
	case err == nil:
		return true
	case errors.Is(err, ErrKey):
		v.bad(f, f.lines, CodeAssertion, "%s by %s is signed with %s, which is no known approver's: if it was one's then, name it with %s", k.name, who, by, by.flag())
	case errors.Is(err, ErrNoAuthority):
		v.bad(f, f.lines, CodeAssertion, "%s by %s is signed with %s, and no trusted root is at hand to verify it by: name one with -trusted-root=FILE", k.name, who, by)
	case by.KeyID == "":
		v.bad(f, f.lines, CodeAssertion, "%s by %s: %v", k.name, who, err)
	default:
		v.bad(f, f.lines, CodeAssertion, "the signature of %s by %s is wrong", k.name, who)
	}
	return false
}

// flag is the flag with which somebody who signs so is named.
func (s Signatory) flag() string {
	if s.KeyID != "" {
		return "-approver-key=FILE"
	}
	return "-approver-identity=IDENTITY,ISSUER"
}
