package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/secret"
)

// VerifierDefinition declares one way to find out who somebody is.
type VerifierDefinition struct {
	Name        string
	Description string
	Schema      Schema
	// Takes is what a person brings.
	Takes Takes
	// Once marks what cannot be shown a second time (a code): it is judged when it
	// is brought, and the state remembers the answer for this plan. Without it,
	// what was brought is judged again whenever it matters.
	Once bool
	Open func(ctx context.Context, block Block) (Verifier, error)
	// NewCode makes a code for somebody to keep, and the line of the workspace that
	// declares it. Nil where people bring codes of their own.
	NewCode func(identity string) (code secret.Value, line string, err error)
	// Page is what a browser shows (see Browsed), to be hosted, or served by remint
	// itself. Nil where no browser is needed.
	Page func(served bool) []byte
}

// Takes names what a person brings to a verifier.
type Takes string

// What verifiers take.
const (
	// TakesNothing: the verifier asks elsewhere.
	TakesNothing Takes = ""
	// TakesToken: an identity token, from a person or from the CI.
	TakesToken Takes = "token"
	// TakesCode: something typed in.
	TakesCode Takes = "code"
	// TakesAssertion: what a security key answered.
	TakesAssertion Takes = "assertion"
	// TakesStatement: a statement signed with a person's key (see Prover).
	TakesStatement Takes = "statement"
)

// Verifier is one configured verifier. Its methods are called from many
// goroutines at once.
type Verifier interface {
	// Verify judges what was brought, as an answer to this question and no other.
	// The error is a sentence's second half that says what to do, free of secrets.
	Verify(ctx context.Context, asked Asked, brought Brought) (Verified, error)
}

// Prover makes what a person brings, from a private key.
type Prover interface {
	// Prove signs the answer to asked.
	Prove(asked Asked, privateKey secret.Value) (Brought, error)
}

// Challenger says what a person has to bind her answer to, as JSON-ready
// members: a nonce, an audience, the options for a browser.
type Challenger interface {
	Challenge(asked Asked) map[string]any
}

// Browsed is a verifier whose answers are got with a browser. What a page is to do
// stands in the fragment of its address, which no server sees.
type Browsed interface {
	// PageURL is where the page is. One at localhost is there while remint serves it.
	PageURL() string
	// Question is the fragment with which the page gets an answer to asked.
	Question(asked Asked) (string, error)
	// Registration is the fragment with which it makes what the block of this name is
	// to declare for somebody.
	Registration(name, identity string) (string, error)
	// Registered checks what the page made for her, and gives it as it is declared.
	Registered(identity string, document []byte) (string, error)
}

// Asked is what a verification is about: who asks for this plan, or whether the
// subject of one credential wants it reset.
type Asked struct {
	PlanID, PlanDigest string
	// Address is of the credential whose subject is asked for; "" asks for the requester.
	Address string
	// Identity is who it is said to be, for verifiers that cannot tell from what is brought.
	Identity string
	Ticket   string
	// Addresses are the plan's.
	Addresses []string
	// Strength is how surely the plan wants her verified; "" where it does not say.
	Strength lifecycle.Strength
	Now      time.Time
	Memory   Memory
	// Getenv reads the environment for what a CI puts there. Nil: there is none.
	Getenv func(name string) string
}

// Challenge is what an answer must be bound to: 32 bytes that follow from the
// plan's id and digest and from whom it is about, and from nothing else.
func (a Asked) Challenge() []byte {
	sum := sha256.Sum256([]byte("remint.dev/verification/v1\n" + a.PlanID + "\n" + a.PlanDigest + "\n" + a.Address))
	return sum[:]
}

// ChallengePrefix begins every Nonce, so that a nonce of remint's for another plan
// is told from one that was never meant for it.
const ChallengePrefix = "remint-plan-"

// Nonce is Challenge as text.
func (a Asked) Nonce() string {
	return ChallengePrefix + base64.RawURLEncoding.EncodeToString(a.Challenge())
}

// Brought is what somebody shows. It is not yet believed.
type Brought struct {
	Token, Code secret.Value
	// Document is an assertion or a signed statement; public.
	Document []byte
}

// Factor is what SP 800-63B calls a proof, for the rules by which two add up.
type Factor string

// The factors.
const (
	// SingleFactor: something that one has, bound to the person.
	SingleFactor Factor = "single_factor"
	// MultiFactor: something that one has, which asks for a PIN or a finger.
	MultiFactor Factor = "multi_factor"
	// SavedRecoveryCode: kept by the person for the day when all else is lost.
	SavedRecoveryCode Factor = "saved_recovery_code"
	// Federated: somebody else verified, and says so.
	Federated Factor = "federated"
	// Hearsay: a record names the person; she has shown nothing.
	Hearsay Factor = "hearsay"
)

// Verified is an answer that holds.
type Verified struct {
	Identity string
	Strength lifecycle.Strength
	Factor   Factor
	// Bound is whether what was brought is about this very plan: it then proves
	// nothing anywhere else.
	Bound bool
	// Claims are what the answer rests on, for policies and evidence; no secrets.
	Claims map[string]string
	// Until is when it ceases to count.
	Until time.Time
}

// ErrNothing says that there was nothing to judge.
var ErrNothing = errors.New("nothing was brought")

// ErrConflict says that a memory holds another value than was expected.
var ErrConflict = errors.New("the state's memory was changed by somebody else")

// Memory is what verifiers remember between runs: which token and code was used,
// how far a counter got, how often somebody guessed. It is shared by everything
// that shares the state.
type Memory interface {
	// Recall gives what is remembered under key, nil if nothing is.
	Recall(ctx context.Context, key string) ([]byte, error)
	// Remember replaces old (nil: nothing) by next, durably, or fails with
	// ErrConflict and changes nothing.
	Remember(ctx context.Context, key string, old, next []byte) error
}
