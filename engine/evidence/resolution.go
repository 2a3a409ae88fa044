package evidence

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// The outcomes that only a person's signed answer can give.
const (
	// Asserted is the outcome of a step that a person answered for.
	Asserted = "asserted"
	// Abandoned is that of a reset which a person's answer ended.
	Abandoned = "abandoned"
)

// maxComment bounds what a person adds to her answer, in bytes.
const maxComment = 4 << 10

// SignResolution signs a person's answer: a Sigstore bundle as one line of JSON
// with a newline. An empty Nonce is filled in.
func SignResolution(s *Signer, r Resolution) ([]byte, error) {
	fresh(&r.Nonce)
	return signStatement(s, aResolution(), r)
}

// aResolution is the kind of document that `remint resolve` makes.
func aResolution() kind {
	return kind{name: "an answer", command: "remint resolve", predicateType: ResolutionType}
}

func (r Resolution) about() (digest, name string) {
	return r.PlanDigest, r.Run + "/resolution/" + r.Nonce
}

func (r Resolution) check() error {
	switch {
	case r.Run == "" || r.PlanID == "" || r.Address == "" || r.Nonce == "" || r.CreatedAt.IsZero():
		return errors.New("an answer must name its run, plan and credential, and have a time and a nonce")
	case r.Question == "" || r.Record == "":
		return errors.New("an answer must say what was asked, and by which record")
	case len(r.Comment) > maxComment:
		return fmt.Errorf("the comment is longer than %d bytes", maxComment)
	case r.Answer != event.AnswerDone && r.Answer != event.AnswerNotDone:
		return fmt.Errorf("the answer is %.40q: it must be %s or %s", r.Answer, event.AnswerDone, event.AnswerNotDone)
	case strings.HasPrefix(r.Step, string(lifecycle.Prove)+"."):
		return errors.New("that a secret is dead is proven, never answered")
	case r.Step == "" && r.Answer != event.AnswerNotDone:
		return errors.New("a reset as a whole is given up by an answer, never called finished")
	}
	_, err := planHex(r.PlanDigest)
	return err
}

// ParseResolution reads an answer without verifying it: not even that the key it
// names has signed it is known then.
func ParseResolution(b []byte) (*Resolution, error) {
	r, _, err := parseStatementOf[Resolution](aResolution(), b)
	return r, err
}

// VerifyResolution reads an answer that must be signed with this key. The error
// wraps ErrKey if it names another one, ErrSignature if the signature is wrong.
// Whether its question is open is the caller's to ask.
func VerifyResolution(b []byte, key crypto.PublicKey) (*Resolution, error) {
	return verifyStatementOf[Resolution](aResolution(), b, key)
}
