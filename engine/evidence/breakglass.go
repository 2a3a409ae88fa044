package evidence

import (
	"crypto"
	"errors"
	"fmt"
	"time"
)

// Predicate types of what people sign around break-glass.
const (
	// BreakGlassType is a person's word that a plan cannot wait for all of its gates.
	BreakGlassType = "https://remint.dev/evidence/break-glass/v1"
	// ReviewType is the review that is owed for it.
	ReviewType = "https://remint.dev/evidence/review/v1"
)

// BreakGlass is what a member of the break-glass group signs.
type BreakGlass struct {
	Binding
	// Member is a name for the reader; who it is follows from the key.
	Member string `json:"member"`
	Reason string `json:"reason"`
	Ticket string `json:"ticket,omitempty"`
}

// Review is what somebody signs, afterwards, who took no part.
type Review struct {
	// Run is the one that broke the glass.
	Run        string `json:"run"`
	PlanID     string `json:"plan_id"`
	PlanDigest string `json:"plan_digest"`
	// Reviewer is a name for the reader; who it is follows from the key.
	Reviewer  string    `json:"reviewer"`
	Comment   string    `json:"comment"`
	CreatedAt time.Time `json:"created_at"`
	Nonce     string    `json:"nonce"`
}

// SignBreakGlass signs a statement: one line of JSON with a newline, ready to be a
// file. An empty Nonce is filled in.
func SignBreakGlass(s *Signer, b BreakGlass) ([]byte, error) {
	fresh(&b.Nonce)
	return signStatement(s, aBreakGlass(), b)
}

// ParseBreakGlass reads a statement without verifying it.
func ParseBreakGlass(b []byte) (*BreakGlass, error) {
	g, _, err := parseStatementOf[BreakGlass](aBreakGlass(), b)
	return g, err
}

// VerifyBreakGlass reads a statement that must be signed with this key.
func VerifyBreakGlass(b []byte, key crypto.PublicKey) (*BreakGlass, error) {
	return verifyStatementOf[BreakGlass](aBreakGlass(), b, key)
}

// SignReview signs a review. An empty Nonce is filled in.
func SignReview(s *Signer, r Review) ([]byte, error) {
	fresh(&r.Nonce)
	return signStatement(s, aReview(), r)
}

func aBreakGlass() kind {
	return kind{name: "a break-glass statement", command: "remint break-glass", predicateType: BreakGlassType}
}

func aReview() kind {
	return kind{name: "a review", command: "remint review", predicateType: ReviewType}
}

func (b BreakGlass) about() (digest, name string) {
	return b.PlanDigest, b.PlanID + "/break-glass/" + b.Nonce
}

func (b BreakGlass) check() error {
	switch {
	case b.Reason == "":
		return errors.New("it must have a reason")
	case len(b.Reason) > maxComment || len(b.Ticket) > maxComment:
		return fmt.Errorf("reason or ticket is longer than %d bytes", maxComment)
	}
	return b.Binding.check()
}

func (r Review) about() (digest, name string) { return r.PlanDigest, r.Run + "/review/" + r.Nonce }

func (r Review) check() error {
	switch {
	case r.Run == "" || r.PlanID == "" || r.Nonce == "" || r.CreatedAt.IsZero():
		return errors.New("it must name its run and plan, and have a time and a nonce")
	case r.Comment == "":
		return errors.New("it must say what was found")
	case len(r.Comment) > maxComment:
		return fmt.Errorf("the comment is longer than %d bytes", maxComment)
	}
	_, err := planHex(r.PlanDigest)
	return err
}
