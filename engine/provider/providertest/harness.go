// Package providertest is the conformance suite that every provider runs
// against its real system. What it asks is the checklist for a new provider.
package providertest

import (
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Harness tells the suite how to set up one credential type.
type Harness struct {
	Definition provider.Definition
	// Type names the credential type of Definition under test.
	Type string
	// Args are the issue step's arguments, defaults filled in.
	Args provider.Attrs
	// Setup makes a fresh target with one existing, working credential. It
	// cleans up by t.Cleanup.
	Setup func(t *testing.T) Fixture
}

// Fixture is a fresh target and the means to look at it from outside the
// provider.
type Fixture struct {
	Block      provider.Block
	Credential provider.Credential
	// Absent is a credential of the same type that the target does not have.
	Absent provider.Credential
	// Current is the secret that works now.
	Current secret.Material
	// Login authenticates with m by independent means (psql, ssh, htpasswd -vb,
	// openssl) and reports whether that succeeded.
	Login func(t *testing.T, m secret.Material) bool
	// OpenSession authenticates with m and stays; the result reports whether
	// the session still works. Nil for types without sessions.
	OpenSession func(t *testing.T, m secret.Material) (alive func() bool)
	// Others returns a digest of everything at the target that is not this
	// credential; it must not change. Nil if there is nothing else.
	Others func(t *testing.T) string
	// Reported is true where Probe can only read the target's records, so that
	// its basis is lifecycle.Reported.
	Reported bool
}
