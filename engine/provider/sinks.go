package provider

import (
	"context"
	"time"

	"github.com/remint-dev/remint/engine/secret"
)

// StoreDefinition declares a kind of store.
type StoreDefinition struct {
	Name        string
	Description string
	Schema      Schema
	Open        func(ctx context.Context, block Block) (Store, error)
}

// Store holds a copy of one field of a secret for others to read.
type Store interface {
	// Check finds out whether Put would succeed, and leaves nothing behind.
	Check(ctx context.Context) error
	// Get gives the stored value, absent if there is none. A store that cannot
	// be read back (it is encrypted to others) returns ErrWriteOnly.
	Get(ctx context.Context) (secret.Value, error)
	// Put replaces the value, atomically. Putting it again changes nothing.
	Put(ctx context.Context, v secret.Value) error
	// Holds reports whether the store holds v now, by reading back or, where
	// it cannot be read, by what Put wrote.
	Holds(ctx context.Context, v secret.Value) (bool, error)
	// Empty removes the value and leaves the rest. Emptying twice is once.
	Empty(ctx context.Context) error
}

// ConsumerDefinition declares a kind of consumer.
type ConsumerDefinition struct {
	Name        string
	Description string
	Schema      Schema
	Open        func(ctx context.Context, block Block) (Consumer, error)
}

// Consumer is a workload that must pick up the new secret.
type Consumer interface {
	// Reload makes it read its stores again, and returns when it has. It may
	// happen more than once, under the same key.
	Reload(ctx context.Context, key string) error
}

// NotifierDefinition declares a kind of notifier.
type NotifierDefinition struct {
	Name        string
	Description string
	Schema      Schema
	// Local is set where a notice goes no further than this machine: it reaches a person
	// when something else carries it on.
	Local bool
	Open  func(ctx context.Context, block Block) (Notifier, error)
}

// Notifier tells people.
type Notifier interface {
	// Send delivers n at least once. n.ID is stable over retries, so that
	// receivers can drop duplicates.
	Send(ctx context.Context, n Notice) error
}

// Notice is what people are told about one reset. It has no room for a secret.
type Notice struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"` // "finished", "halted"
	Run       string    `json:"run"`
	Address   string    `json:"address"`
	Type      string    `json:"credential_type"`
	Owner     string    `json:"owner"`
	To        string    `json:"to"`
	Reason    string    `json:"reason"`
	Mode      string    `json:"mode"`
	Ticket    string    `json:"ticket,omitempty"`
	Requester string    `json:"requester,omitempty"`
	Outcome   string    `json:"outcome"`
	Proof     string    `json:"proof,omitempty"`
	Summary   string    `json:"summary"`
	Changes   []string  `json:"changes,omitempty"`
	Next      string    `json:"next,omitempty"`
	At        time.Time `json:"at"`
}
