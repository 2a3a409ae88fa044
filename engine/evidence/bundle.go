package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/remint-dev/remint/internal/jsonstream"
)

// A bundle's line is these pieces around hint, payload and signature: a Sigstore
// bundle v0.3 with a DSSE envelope, in the one spelling that Sign gives it.
const (
	lineHint = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"`
	linePay  = `"}},"dsseEnvelope":{"payload":"`
	lineSig  = `","payloadType":"` + payloadType + `","signatures":[{"sig":"`
	lineEnd  = `"}]}}`
)

// envelope is a parsed line.
type envelope struct {
	hint         string
	payload, sig []byte
}

// parseEnvelope reads a line that Sign wrote: exactly these bytes, so that a
// line has no other spelling and its digest stands for it.
func parseEnvelope(line []byte) (*envelope, error) {
	bad := errors.New("not a Sigstore bundle v0.3 as remint writes it")
	rest, ok := bytes.CutPrefix(line, []byte(lineHint))
	hint, rest, ok1 := bytes.Cut(rest, []byte(linePay))
	payload, rest, ok2 := bytes.Cut(rest, []byte(lineSig))
	sig, ok3 := bytes.CutSuffix(rest, []byte(lineEnd))
	if !ok || !ok1 || !ok2 || !ok3 || len(hint) != 44 {
		return nil, bad
	}
	if _, err := unbase64(hint); err != nil {
		return nil, bad
	}
	e := &envelope{hint: string(hint)}
	var err error
	if e.payload, err = unbase64(payload); err != nil || len(e.payload) == 0 {
		return nil, bad
	}
	if e.sig, err = unbase64(sig); err != nil || len(e.sig) == 0 {
		return nil, bad
	}
	return e, nil
}

// signedHead is what stands before the payload in DSSE's pre-authentication
// encoding, which is what is signed.
func signedHead(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
}

// unbase64 decodes base64 of one spelling: no line breaks, no stray bits.
func unbase64(b []byte) ([]byte, error) {
	if bytes.ContainsAny(b, "\r\n") {
		return nil, errors.New("base64 with line breaks")
	}
	return base64.StdEncoding.Strict().AppendDecode(nil, b)
}

// keyring is the public keys that may have signed, by their hints.
type keyring map[string]crypto.PublicKey

func newKeyring(keys []crypto.PublicKey) (keyring, error) {
	ring := keyring{}
	for _, k := range keys {
		if !supported(k) {
			return nil, errors.New("this kind of public key is not supported: use ECDSA P-256 or Ed25519")
		}
		hint, err := KeyID(k)
		if err != nil {
			return nil, err
		}
		ring[hint] = k
	}
	return ring, nil
}

// What can be wrong with a signature; told apart with errors.Is.
var (
	// ErrKey: another key than any of the trusted ones is named as the signer.
	ErrKey = errors.New("signed with a key that is not trusted for it")
	// ErrSignature: the key is trusted, but did not sign this.
	ErrSignature = errors.New("the signature is wrong: this was edited or forged")
)

// verify checks the signature.
func (ring keyring) verify(e *envelope) error {
	key, ok := ring[e.hint]
	if !ok {
		return ErrKey
	}
	head := signedHead(e.payload)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		h := sha256.New()
		h.Write(head)
		h.Write(e.payload)
		ok = ecdsa.VerifyASN1(k, h.Sum(nil), e.sig)
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, append(head, e.payload...), e.sig)
	default:
		ok = false
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// signed is what a payload says, its subjects checked against its predicate.
type signed struct {
	planDigest string // sha256:…
	name       string
	typ        string
	predicate  json.RawMessage
}

// parseStatement reads a payload as newStatement writes it: exactly these bytes.
func parseStatement(payload []byte) (*signed, error) {
	rest, ok := bytes.CutPrefix(payload, []byte(statementHead))
	// The marker cannot occur inside a string, where quotes are escaped.
	at := bytes.LastIndex(rest, []byte(statementKind))
	if !ok || at < 0 {
		return nil, errors.New("the payload is not an in-toto statement v1 as remint writes it")
	}
	predicate, rest := rest[:at], rest[at+len(statementKind):]
	typ, rest, ok1 := bytes.Cut(rest, []byte(statementPlan))
	planDigest, rest, ok2 := bytes.Cut(rest, []byte(statementRecord))
	digest, rest, ok3 := bytes.Cut(rest, []byte(statementName))
	name, ok4 := bytes.CutSuffix(rest, []byte(statementEnd))
	if !ok1 || !ok2 || !ok3 || !ok4 || len(name) > maxName {
		return nil, errors.New("the statement must have two subjects, the plan and the record")
	}
	s := &signed{planDigest: "sha256:" + string(planDigest), typ: string(typ), predicate: predicate}
	if _, err := planHex(s.planDigest); err != nil {
		return nil, errors.New("the statement's first subject is not a plan's digest")
	}
	if string(digest) != LineDigest(predicate) {
		return nil, errors.New("the statement's second subject is not the digest of its predicate")
	}
	if err := json.Unmarshal(name, &s.name); err != nil {
		return nil, errors.New("the statement's second subject has no name")
	}
	return s, nil
}

// maxName bounds the name of a record as JSON, in bytes; a ledger's leaf holds it.
const maxName = 32 << 10

// parseRecord reads the predicate of a statement about a record. Of one that nobody has
// verified no more is held than its text is worth.
func (s *signed) parseRecord() (Record, error) {
	var r Record
	var err error
	switch s.typ {
	case RunType:
		var v Run
		err, r = jsonstream.Strict(s.predicate, &v), &v
	case StepType:
		var v Step
		err, r = jsonstream.Strict(s.predicate, &v), &v
	case ResetType:
		var v Reset
		err, r = jsonstream.Strict(s.predicate, &v), &v
	default:
		return nil, fmt.Errorf("the predicate type %.100q is none of an evidence file's", s.typ)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the predicate is not one of type %s as this version knows it", s.typ)
	case r.common().PlanDigest != s.planDigest:
		return nil, errors.New("the first subject is another plan than the predicate's")
	case r.Name() != s.name:
		return nil, errors.New("the second subject is another record than the predicate's")
	}
	return r, nil
}
