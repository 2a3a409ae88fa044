// Package provider is the contract between the engine and the systems in which
// credentials live, the stores that hold copies of secrets, the consumers that
// must pick them up, and the notifiers that tell people.
//
// A Provider must be able to Inspect and Probe; everything else is an optional
// capability, an interface that the engine asks for by type assertion, in the
// manner of io.Reader. What a type can do is also declared in its
// CredentialType, so that plans and validation need no running provider; the
// conformance suite (package providertest) checks that the two agree.
package provider

import (
	"context"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/secret"
)

// Definition declares one kind of system: its provider block, its credential
// types, and how to open an instance. It is a value; it holds no state.
type Definition struct {
	// Name is the provider block's first label.
	Name        string
	Description string
	// Schema is of the provider block's attributes (`environment` is the engine's).
	Schema Schema
	Types  []CredentialType
	// ByFile is set where credentials lie in the file that a block writes to: blocks that
	// write to different files then hold different credentials, even if their targets
	// have one identity, as two users' files at one SSH server.
	ByFile bool
	// Open connects lazily: it must not change anything, and should not fail
	// for what Inspect can report with more context.
	Open func(ctx context.Context, block Block) (Provider, error)
}

// Block is a configured block as handed to whoever implements it.
type Block struct {
	// Name is the block's last label.
	Name  string
	Attrs Attrs
	// Now is the engine's clock; this machine's if nil.
	Now func() time.Time
}

// Clock is the clock that everything goes by which tells the time to this block or
// writes it down: one clock, so that what two parts of a program wrote can be compared.
func (b Block) Clock() func() time.Time {
	if b.Now == nil {
		return time.Now
	}
	return b.Now
}

// CredentialType declares one type of credential.
type CredentialType struct {
	// Name is the credential block's first label.
	Name        string
	Description string
	Kind        lifecycle.Kind
	// Schema is of the credential block's attributes (owner, max_age, labels,
	// environment, runbook, store, consumer … are the engine's).
	Schema Schema
	// Fields of the secret, in the order in which they are documented.
	Fields []Field
	// Issue declares the arguments of `issue` steps, and makes the material of
	// types that are not minted.
	Issue Issue
	// Sessions tells whether the target keeps sessions that outlive a change of
	// the secret: the provider then implements SessionEnder.
	Sessions bool
	// SelectiveSessions tells whether sessions begun before the change can be
	// told from those begun after it; otherwise all are ended.
	SelectiveSessions bool
	// Fenced tells whether the target can check a fencing token at all: the provider
	// then implements Fencer. Observation.Fenced tells whether this one does.
	Fenced bool
}

// Field is one part of a secret.
type Field struct {
	Name        string
	Description string
	// Public fields may be shown (a public key, a certificate).
	Public bool
	// Probe marks the field that authenticating needs: a store that holds it
	// can give the old secret for the proof.
	Probe bool
}

// Issue says how new material comes to be.
type Issue struct {
	Schema Schema
	// Generate makes new material in memory, from crypto/rand, without side
	// effects. Nil for minted types. args are the issue step's.
	Generate func(args Attrs) (secret.Material, error)
	// Bits is the entropy of what Generate or Mint makes, for policies.
	Bits func(args Attrs) float64
}

// Field finds the field of that name.
func (t *CredentialType) Field(name string) (Field, bool) {
	for _, f := range t.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// ProbeField names the field that a Probe needs.
func (t *CredentialType) ProbeField() string {
	for _, f := range t.Fields {
		if f.Probe {
			return f.Name
		}
	}
	return t.Fields[0].Name
}

// Credential is what a provider is told about one credential.
type Credential struct {
	// Address is for messages and marks, never parsed.
	Address string
	Type    string
	Attrs   Attrs
}

// CallTimeout is how long the engine lets one call take, unless a step's `timeout`
// says otherwise. The context ends then; a call must not outlast it.
const CallTimeout = 60 * time.Second

// Provider is one configured instance. Its methods are called from many
// goroutines at once. Every error is classed (see Class); none carries a secret.
type Provider interface {
	// Identity names the target itself, stably and not by its address: a
	// PostgreSQL system_identifier, an SSH host key, a CA's fingerprint. No side effects.
	Identity(ctx context.Context) (string, error)
	// Inspect reads what the target knows of c. A credential that does not exist
	// is an Observation with Exists false, not an error. No side effects.
	Inspect(ctx context.Context, c Credential) (Observation, error)
	// Probe authenticates once as c with m, at the places named by Endpoint, and
	// leaves nothing behind. It never retries: lock-out policies count.
	Probe(ctx context.Context, c Credential, m secret.Material) (Probe, error)
	// Close lets go of connections.
	Close() error
}

// Observation is what a target says of one credential.
type Observation struct {
	Exists bool
	// Enabled is whether anybody could log in with the right secret.
	Enabled bool
	// Versions that the target holds, newest first. IDs are stable and are
	// neither secrets nor hashes from which one could be guessed.
	Versions []Version
	// Unlisted is set when the target did not let Versions be read (a PostgreSQL
	// login that may not see pg_authid): their absence then proves nothing.
	Unlisted bool
	// Incomplete is set when the target may hold versions that it keeps no record
	// of (an authority whose index was begun later): that it knows none then does
	// not show that there is none.
	Incomplete bool
	// Sessions open now; -1 where the target does not tell.
	Sessions int
	// Now is the target's clock; cut-off times are taken from it.
	Now time.Time
	// LastUsed is when it last authenticated, zero where unknown. Seen, not judged.
	LastUsed time.Time
	// Settle is how long a login begun with the old secret may still complete
	// after the change (PostgreSQL: authentication_timeout). Zero: not at all.
	Settle time.Duration
	// Fenced is whether this target checks the fencing token of mutations.
	Fenced bool
	// Fence is the greatest fencing token that this target has seen for the
	// credential; 0 where it does not tell. A state that gives out no greater one is
	// an old copy, or another state.
	Fence int64
	// InUseBy names the provider block's own login when that is this very
	// credential: resetting it would lock remint out, and a policy refuses it.
	InUseBy string
	// Notes are facts that a reviewer should read, whole sentences.
	Notes []string
}

// Version is one version of a credential at its target.
type Version struct {
	ID string
	// Created is zero where the target does not tell.
	Created time.Time
	// Label is the idempotency label under which remint made it; empty for others'.
	Label string
	// Stored is set by the engine where only a store told of it: the target does
	// not list it for the credential, and so cannot show by its list that it is dead.
	Stored bool
}

// Verdict is the answer to one attempt to authenticate.
type Verdict string

// The verdicts.
const (
	// Accepted: it authenticates, now.
	Accepted Verdict = "accepted"
	// Refused: as a wrong credential, not because of anything else.
	Refused Verdict = "refused"
	// Disabled: the target said that logging in is not permitted, which proves
	// nothing about the secret.
	Disabled Verdict = "disabled"
	// Unclear: a time-out, a lock-out, a 5xx. Never counts as refused.
	Unclear Verdict = "unclear"
)

// Probe is what came of one attempt to authenticate.
type Probe struct {
	Verdict Verdict
	// Basis is Tested when the verdict comes from authenticating, Reported when
	// it was read from the target's records.
	Basis lifecycle.Proof
	// Endpoint is where, for evidence: a host and port, a file as the user named it.
	Endpoint string
	// Detail is the target's answer in its own words, secret-free (28P01, …).
	Detail string
}

// Mutation is common to every call that changes a target.
type Mutation struct {
	Credential Credential
	// Label is stable over retries and resumes of this one change: a mark to put
	// on it where the target has room for one.
	Label string
	// Fence is greater for every later holder of the lease; a target that can
	// compare refuses a smaller one than it has seen, as Conflict.
	Fence int64
}

// Applied is the outcome of a change.
type Applied struct {
	// Version is the ID of the version now current.
	Version string
	// At is the target's clock just after the change took effect; later than that
	// where a session that is there already began later, by a clock that was set
	// back since.
	At time.Time
	// Detail is a short fact for evidence, secret-free.
	Detail string
}

// Setter sets a secret that the engine made: for in-place types it replaces
// the old one and enables login in one operation; for overlapping types it adds
// one. Setting the same material again is the same as setting it once.
type Setter interface {
	Set(ctx context.Context, m Mutation, material secret.Material) (Applied, error)
}

// Minter makes the secret at the target.
type Minter interface {
	// Mint makes a new version marked with m.Label. args are the issue step's.
	// The engine revokes what an ambiguous Mint left (see Versions' labels) and
	// mints again. With an error comes what had been made, if there was something: an
	// error that quotes it can then be rid of it.
	Mint(ctx context.Context, m Mutation, args Attrs) (secret.Material, Applied, error)
}

// Revoker kills versions.
type Revoker interface {
	// Revoke makes the named versions unusable; without names, every version
	// that Inspect lists. For in-place types it makes the credential unusable as
	// a whole until the next Set. Revoking what is revoked or absent succeeds.
	Revoke(ctx context.Context, m Mutation, versions []string) (Applied, error)
}

// Fencer keeps a runner that was overtaken from changing the target: the types that are
// Fenced need it.
type Fencer interface {
	// Fence makes the target refuse every change with a smaller token than m's, and
	// waits until one that is going on is over: what it shows of the credential then is
	// not changed by such a runner any more. It changes nothing of the credential
	// itself. Idempotent; an error where this target cannot do it, NotFound where there
	// is no such credential.
	Fence(ctx context.Context, m Mutation) error
}

// Awaiter waits for changes that go on at the target though whoever asked for them is
// gone: a target that ends a change without its client (a COMMIT that waits for a standby)
// needs it, for until then it shows what was before, and nobody can tell by looking
// whether the change took effect.
type Awaiter interface {
	// Await waits until no change of c that was asked for before is going on: what the
	// target shows then is what came of it. It changes nothing. Conflict where one goes on
	// for long; another error where that cannot be told.
	Await(ctx context.Context, c Credential) error
}

// Retirer says what becomes of the credential when it is retired, for types
// where that is more than revoking.
type Retirer interface {
	// Retire is Revoke in the mode retire: it makes the named versions unusable,
	// also those that Inspect does not list for the credential, and whatever
	// Inspect lists. For in-place types it is given no names. Idempotent.
	Retire(ctx context.Context, m Mutation, versions []string) (Applied, error)
}

// SessionEnder ends sessions.
type SessionEnder interface {
	// EndSessions ends the sessions of c begun before cutoff, by the target's
	// clock, and waits until they are gone; all of them where cutoff is zero,
	// because no session can be a new one, or where the type is not selective. One
	// that began in the future, by a clock that was set back since, is ended too.
	// Idempotent; called again until the settle window has passed.
	EndSessions(ctx context.Context, m Mutation, cutoff time.Time) (Ended, error)
}

// Ended counts ended sessions.
type Ended struct {
	Count int
	// Now is the target's clock after the last one was gone.
	Now time.Time
}

// Controller proves that a place that refuses is alive: it logs in there as
// the provider itself. The engine uses it as the control of a negative probe
// when there is no new secret to try.
type Controller interface {
	Control(ctx context.Context, c Credential) (Probe, error)
}

// Lister lists what the target has of a type, for finding what is not declared.
type Lister interface {
	List(ctx context.Context, credentialType string) ([]string, error)
}
