package evidence

import (
	"crypto"
	"errors"
)

// overrideRecord checks an override that a run was opened under: an approver signed
// it, about this very plan. Nothing else carries one.
func (v *verification) overrideRecord(f *recordFile, r *Run) {
	if r.Event != "override" {
		if len(r.Override) > 0 {
			v.bad(f, f.lines, CodeAssertion, "the record of %s carries an override", r.Event)
		}
		return
	}
	said, hint, err := parseStatementOf[Override](anOverride(), r.Override)
	if err != nil {
		v.bad(f, f.lines, CodeAssertion, "%v", err)
		return
	}
	if v.signedByApprover(f, anOverride(), r.Override, said.Approver, hint) && (said.PlanID != r.PlanID || said.PlanDigest != r.PlanDigest) {
		v.bad(f, f.lines, CodeAssertion, "%s's override is about another plan", said.Approver)
	}
}

// signedByApprover finds fault with a document that none of the approvers' keys has
// signed.
func (v *verification) signedByApprover(f *recordFile, k kind, content []byte, who, hint string) bool {
	err := verifiedByOne(k, content, v.ApproverKeys)
	switch {
	case errors.Is(err, ErrKey):
		v.bad(f, f.lines, CodeAssertion, "%s by %s is signed with key %s, which is no known approver's: if it was one's then, name it with -approver-key=FILE", k.name, who, hint)
	case err != nil:
		v.bad(f, f.lines, CodeAssertion, "the signature of %s by %s is wrong", k.name, who)
	}
	return err == nil
}

// verifiedByOne is nil if one of the keys has signed the document.
func verifiedByOne(k kind, content []byte, keys []crypto.PublicKey) error {
	err := error(ErrKey)
	for _, key := range keys {
		if err = k.verify(content, key); !errors.Is(err, ErrKey) {
			return err
		}
	}
	return err
}
