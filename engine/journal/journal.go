// Package journal is the durable log of runs, and the state that follows from
// it: spent plans, generations, leases, sealed secrets, signed bundles that wait
// to be filed. Nothing outside is changed before a record here says that it is
// about to be.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrSpent: a run of this plan id exists.
	ErrSpent = errors.New("this plan was applied before")
	// ErrNotFound: there is no such run, secret or credential.
	ErrNotFound = errors.New("not in the journal")
	// ErrChanged: what is remembered is not what the caller thought.
	ErrChanged = errors.New("the state remembers something else by now")
	// ErrNewer: the state was written by a newer program.
	ErrNewer = errors.New("the state was written by a newer version of remint")
	// ErrClosed: the journal was closed before the call.
	ErrClosed = errors.New("the journal is closed")
	// ErrLost: another runner took the run, or one of its credentials, over.
	// Nothing of the run can be written any more, and nothing outside may be
	// changed on its behalf.
	ErrLost = errors.New("another runner has taken this run over")
)

// HeldError says who holds a lease.
type HeldError struct {
	Key, Run, Holder string
	Since            time.Time
	// Age of the lease by the state's own clock.
	Age time.Duration
	// Silent is how long its holder has not been heard of, where it may be stopped
	// and wake: zero for one that is known to be alive.
	Silent time.Duration
	// Fenced is whether what it resets rejects it once it wakes, which stores do not:
	// its own run may be gone on with, and no other is begun.
	Fenced bool
	// Lost is set where another runner went on with its run, and its process is
	// still there.
	Lost bool
}

// Error names the holder and the age of its lease.
func (e *HeldError) Error() string {
	what := fmt.Sprintf("%s is being reset by run %s", e.Key, e.Run)
	if e.Key == "run "+e.Run {
		what = e.Key + " is at work already"
	}
	if e.Lost {
		what = fmt.Sprintf("%s was being reset by run %s", e.Key, e.Run)
	}
	text := fmt.Sprintf("%s (%s, since %s, %s ago)", what, e.Holder, e.Since.UTC().Format(time.RFC3339), e.Age.Round(time.Second))
	switch {
	case e.Lost:
		text += "; another runner went on with that run, but this process is still there: it may be stopped only, and wake, and put the secret of that run over a newer one in a store: end that process first"
	case e.Silent > 0 && e.Fenced:
		text += fmt.Sprintf("; it has not been heard of for %s, but it may be stopped only, and wake, and put the secret of that run over a newer one in a store: "+
			"end that process first (its own run can be gone on with meanwhile: remint resume %s)", e.Silent.Round(time.Second), e.Run)
	case e.Silent > 0:
		text += fmt.Sprintf("; it has not been heard of for %s, but it may be stopped only, and wake, and what it resets cannot reject it then: end that process first", e.Silent.Round(time.Second))
	}
	return text
}

// Run is one application of one plan.
type Run struct {
	ID         string
	PlanID     string
	PlanDigest string
	Operator   string
	OpenedAt   time.Time
	// Plan is the plan file's JSON, needed to resume and to export evidence.
	Plan []byte
	// Meta is the opener's own JSON (approvals, policy sources, flags).
	Meta json.RawMessage
	// ClosedAt is zero while the run is open. Outcome is the closer's word.
	ClosedAt time.Time
	Outcome  string
}

// Kind says what a record means.
type Kind string

// The kinds of record.
const (
	// Intend: the step is about to change something outside.
	Intend Kind = "intend"
	// Done, Failed, Unknown: how the attempt ended. Unknown: it may have happened.
	Done    Kind = "done"
	Failed  Kind = "failed"
	Unknown Kind = "unknown"
	// Asserted: a person answered where no probe can tell.
	Asserted Kind = "asserted"
	// Ended: the reset as a whole, finished or halted; Data says which.
	Ended Kind = "ended"
	// Note: anything about the run itself (opened, approvals, decisions, closed).
	Note Kind = "note"
)

// Record is one line of the log. Seq is assigned by Append, ascending within a
// run and unique. Data never holds a secret.
type Record struct {
	Seq     int64
	Run     string
	Address string // "" for the run itself
	Step    string // "" for the reset or run as a whole
	Kind    Kind
	Attempt int
	At      time.Time
	Data    json.RawMessage
}

// Sealed is an encrypted secret, by run, address and name ("old", or an issue
// step's address).
type Sealed struct {
	Run, Address, Name string
	Ciphertext         []byte
}

// Bundle is a signed evidence bundle that waits to be filed and logged.
type Bundle struct {
	// ID is the record's name, run/address/step and so on; unique.
	ID string
	// File is relative to the evidence directory; Line is the bundle's JSON.
	Run, File string
	Line      []byte
	// Seq is assigned by Append: the ledger's sequence number.
	Seq int64
}

// Finished is what the state keeps of a credential once a reset of it ended well.
type Finished struct {
	Address string
	Run     string
	At      time.Time
	Proof   string
	Version string
	Mode    string
}

// Credential is what the state knows of an address.
type Credential struct {
	Finished
	// Generation counts finished resets.
	Generation int64
}

// Batch is written as a whole or not at all.
type Batch struct {
	Records  []Record
	Seal     []Sealed
	Erase    []Sealed // Ciphertext unused; erased so that free pages keep nothing
	Finished []Finished
	Bundles  []Bundle
	// Filed are IDs of bundles that are in their file and in the ledger.
	Filed []string
	// Close ends a run.
	Close *Close
}

// Close ends a run.
type Close struct {
	Run     string
	At      time.Time
	Outcome string
}

// Key names what a lease is about: a credential at its target.
type Key struct {
	Name string
	// Fenced is whether the target rejects who holds an older lease. A holder that
	// is silent, and may only be stopped, is taken over if all of its keys are, and
	// then by its own run alone.
	Fenced bool
	// Above is a fence that another state gave out: that of the first lease of a key
	// is greater.
	Above int64
}

// Lease keeps other runners away from a credential at its target.
type Lease struct {
	Key string
	// Fence is greater than that of every earlier lease of the same key.
	Fence int64
	// Overtaken is set where an earlier holder of this run may be stopped only, and
	// wake. Before it is concluded from how the target looks that something did not
	// happen, the target must know of Fence.
	Overtaken bool
}

// Journal is a state. Its methods are safe for concurrent use; many goroutines'
// Appends are committed together.
type Journal interface {
	// Open begins a run and spends its plan id; ErrSpent if that was done.
	Open(ctx context.Context, run Run) error
	// Append makes b durable before it returns. Record.Seq and Bundle.Seq of b's
	// slices are filled in.
	Append(ctx context.Context, b *Batch) error

	// Run gives one run; Runs all, newest first, without Plan and Meta.
	Run(ctx context.Context, id string) (Run, error)
	Runs(ctx context.Context) ([]Run, error)
	// Records iterates over a run's records in order; address "*" for all.
	Records(ctx context.Context, run, address string) iter.Seq2[Record, error]
	// Secret gives a sealed secret, ErrNotFound if it was erased or never there.
	Secret(ctx context.Context, run, address, name string) ([]byte, error)
	// Secrets lists what is sealed, without ciphertexts; run "" for all runs.
	Secrets(ctx context.Context, run string) ([]Sealed, error)
	// Unfiled iterates over a run's bundles that are not yet in file and ledger, by
	// Seq; run "" for all runs.
	Unfiled(ctx context.Context, run string) iter.Seq2[Bundle, error]
	// HasBundle reports whether a bundle of that ID was ever appended.
	HasBundle(ctx context.Context, id string) (bool, error)
	// Credential gives what is known of an address, ErrNotFound if nothing is.
	Credential(ctx context.Context, address string) (Credential, error)
	// Credentials gives everything that is known.
	Credentials(ctx context.Context) ([]Credential, error)

	// Recall gives what is remembered under key, nil if nothing is. It is kept for
	// verifiers: used tokens and codes, counters, failed guesses.
	Recall(ctx context.Context, key string) ([]byte, error)
	// Remember replaces old (nil: nothing) by next, durably and in one step;
	// ErrChanged, and nothing is changed, if something else is remembered.
	Remember(ctx context.Context, key string, old, next []byte) error

	// Acquire takes leases on all keys for a run or none, and makes this journal the
	// run's only writer; *HeldError if another live runner has one. A dead runner
	// is taken over: all that its run held is lost to it, so that it can neither
	// write nor go on (ErrLost). One that may only be stopped is taken over by its own
	// run alone, where every target can reject it; as long as it may wake, its keys are
	// refused to every other run, whoever holds or held that run since. Without keys a
	// run is taken from the dead alone: whoever only files needs nobody out of the way.
	Acquire(ctx context.Context, run, holder string, keys []Key) ([]Lease, error)
	// Holds reports whether this journal still is the run's writer: nil, or ErrLost,
	// or why it cannot be told. It is asked right before each effect outside, and is
	// cheap.
	Holds(ctx context.Context, run string) error
	// Release gives back the run's leases.
	Release(ctx context.Context, run string) error
	// Close lets go of the database.
	Close() error
}
