// Package providertest is the conformance suite that every provider runs
// against its real system. What it asks is the checklist for a new provider.
package providertest

import (
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Harness tells the suite how to set up one credential type.
//
// Run calls Setup once for each of some thirty rules: start a server once, and
// let Setup make a fresh credential in it.
type Harness struct {
	Definition provider.Definition
	// Type names the credential type of Definition under test.
	Type string
	// Args are the issue step's arguments; the zero Attrs stands for the
	// defaults of the type's Issue.Schema.
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
	// Wrong is a well-formed secret that never worked. Optional: where the
	// engine makes the material, the suite makes one; of a minted type it mints
	// one and revokes it.
	Wrong secret.Material
	// Unmade takes away what the target keeps its credentials in (a file, a list), as
	// far as a target that is there may lack it: before its first credential, or after
	// somebody lost it. Nil where there is no such state.
	Unmade func(t *testing.T)
	// Unreachable is a block whose target is down or missing, to see that no
	// answer is never taken for a refusal. Optional, but leave it out only where
	// there is no such thing.
	Unreachable provider.Block
}

// Defaults is the Attrs of a block that sets only what is in set: the rest is
// filled in from the schema, as the engine does.
func Defaults(s provider.Schema, set map[string]any) provider.Attrs {
	values := map[string]any{}
	for _, a := range s.Attributes {
		if a.Default != nil {
			values[a.Name] = a.Default
		}
	}
	for k, v := range set {
		values[k] = v
	}
	return provider.NewAttrs(values)
}
