package providertest

import (
	"context"
	"testing"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Run checks that the provider keeps the contract of package provider for one
// credential type, each rule in a subtest of its own with a fresh Fixture. Run
// it with -race: one rule calls everything from many goroutines.
func Run(t *testing.T, h Harness) {
	t.Helper()
	typ := findType(h)
	if typ == nil {
		t.Fatalf("Harness.Type %q is none of the types that Definition %q declares", h.Type, h.Definition.Name)
	}
	t.Run("schema", func(t *testing.T) { checkDefinition(t, h.Definition) })
	for _, r := range rules() {
		if r.applies(typ) {
			t.Run(r.name, func(t *testing.T) { r.run(t, t, h) })
		}
	}
}

// reporter is the part of testing.T by which a rule says what is wrong. The
// suite's own tests put a recorder in its place to see that wrong providers fail.
type reporter interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// rule is one sentence of the contract.
type rule struct {
	name    string
	applies func(*provider.CredentialType) bool
	check   func(*bench)
}

func (r rule) run(t *testing.T, rep reporter, h Harness) {
	b := newBench(t, rep, h)
	before := b.others()
	r.check(b)
	if !b.unmade && b.others() != before {
		rep.Errorf("something else at the target changed: touch nothing but the one credential (Fixture.Others differs)")
	}
	if err := b.p.Close(); err != nil {
		rep.Errorf("Close: %v", err)
	}
}

func findType(h Harness) *provider.CredentialType {
	for i := range h.Definition.Types {
		if h.Definition.Types[i].Name == h.Type {
			return &h.Definition.Types[i]
		}
	}
	return nil
}

func always(*provider.CredentialType) bool { return true }

func inPlace(t *provider.CredentialType) bool     { return t.Kind == lifecycle.InPlace }
func overlapping(t *provider.CredentialType) bool { return t.Kind == lifecycle.Overlapping }
func minted(t *provider.CredentialType) bool      { return t.Kind == lifecycle.Minted }
func settable(t *provider.CredentialType) bool    { return t.Kind != lifecycle.Minted }
func versioned(t *provider.CredentialType) bool   { return t.Kind != lifecycle.InPlace }
func sessions(t *provider.CredentialType) bool    { return t.Sessions }

// rules lists the contract in the order in which a new provider is best built.
func rules() []rule {
	return []rule{
		{"the harness itself works", always, checkHarness},
		{"capabilities agree with the declaration", always, checkCapabilities},
		{"identity is stable", always, checkIdentity},
		{"inspect describes and changes nothing", always, checkInspect},
		{"inspect reports what is absent", always, checkAbsent},
		{"probe accepts the current secret", always, checkProbeAccepts},
		{"probe refuses a wrong secret", always, checkProbeRefuses},
		{"probe survives empty material", always, checkProbeEmpty},
		{"control is accepted", always, checkControl},
		{"list works where there is one", always, checkList},
		{"set replaces the secret", inPlace, checkSetReplaces},
		{"set adds a version", overlapping, checkSetAdds},
		{"set twice is once", settable, checkSetTwice},
		{"set refuses empty material", settable, checkSetEmpty},
		{"mint makes a new labelled version", minted, checkMint},
		{"an orphan is found by its label", minted, checkOrphan},
		{"revoke makes the credential unusable until the next set", inPlace, checkRevokeInPlace},
		{"revoke kills the named versions only", versioned, checkRevokeNamed},
		{"revoke of an unknown version changes nothing", versioned, checkRevokeUnknown},
		{"revoke without names kills all versions", always, checkRevokeAll},
		{"revoke of what is absent succeeds", always, checkRevokeAbsent},
		{"retire is final and idempotent", always, checkRetire},
		{"a target that holds nothing yet can be contained", always, checkContainUnmade},
		{"a target that holds nothing yet can be retired", always, checkRetireUnmade},
		{"sessions are ended by their start", sessions, checkSessions},
		{"a cancelled context is a classed error", always, checkCancelled},
		{"an unreachable target is never a refusal", always, checkUnreachable},
		{"reads may run at once", always, checkConcurrentReads},
		{"changes may run at once", always, checkConcurrentChanges},
	}
}

func background() context.Context { return context.Background() }
