package providertest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// recorder stands in for testing.T to see what a rule finds.
type recorder struct {
	mu       sync.Mutex
	findings []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// findings runs one rule, or checkDefinition when name is "schema".
func findings(t *testing.T, h Harness, name string) []string {
	rec := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if name == "schema" {
			checkDefinition(rec, h.Definition)
			return
		}
		i := slices.IndexFunc(rules(), func(r rule) bool { return r.name == name })
		if i < 0 || !rules()[i].applies(findType(h)) {
			t.Errorf("no rule %q for %s", name, h.Type)
			return
		}
		rules()[i].run(t, rec, h)
	}()
	<-done
	return rec.findings
}

// TestMutantsAreCaught makes the reference wrong in one way at a time.
func TestMutantsAreCaught(t *testing.T) {
	const inPlace, overlapping, minted = lifecycle.InPlace, lifecycle.Overlapping, lifecycle.Minted
	for _, m := range []struct {
		kind lifecycle.Kind
		d    defects
		rule string
		says string
	}{
		{inPlace, defects{noControl: true}, "capabilities agree with the declaration", "Controller"},
		{inPlace, defects{identityMoves: true}, "identity is stable", "after a change"},
		{overlapping, defects{inspectLogsIn: true}, "inspect describes and changes nothing", "differ"},
		{overlapping, defects{oldestFirst: true}, "set adds a version", "newest"},
		{minted, defects{unlists: true}, "inspect describes and changes nothing", "Unlisted"},
		{inPlace, defects{absentExists: true}, "inspect reports what is absent", "Exists true"},
		{inPlace, defects{acceptsAll: true}, "probe refuses a wrong secret", "accepted"},
		{inPlace, defects{unclearRefusal: true}, "probe refuses a wrong secret", "time-outs"},
		{inPlace, defects{acceptsAll: true}, "probe survives empty material", "empty material"},
		{inPlace, defects{leaks: true}, "probe refuses a wrong secret", "shows the secret"},
		{inPlace, defects{leaksJSON: true}, "probe accepts the current secret", "shows the secret"},
		{inPlace, defects{setKeepsOld: true}, "set replaces the secret", "still logs in"},
		{inPlace, defects{localClock: true}, "set replaces the secret", "target's clock"},
		{inPlace, defects{touchesOthers: true}, "set replaces the secret", "something else"},
		{overlapping, defects{setKillsOld: true}, "set adds a version", "does not log in"},
		{overlapping, defects{setTwiceTwo: true}, "set twice is once", "the same as"},
		{inPlace, defects{acceptsEmpty: true}, "set refuses empty material", "empty secret"},
		{inPlace, defects{unclassed: true}, "set refuses empty material", "no class"},
		{minted, defects{sameKey: true}, "mint makes a new labelled version", "same value"},
		{minted, defects{noLabel: true}, "mint makes a new labelled version", "orphan"},
		{minted, defects{noLabel: true}, "an orphan is found by its label", "want 1"},
		{inPlace, defects{disabledOnRevoke: true}, "revoke makes the credential unusable until the next set", "invalid too"},
		{inPlace, defects{staysDisabled: true}, "revoke makes the credential unusable until the next set", "enable"},
		{overlapping, defects{revokesAll: true}, "revoke kills the named versions only", "not named"},
		{minted, defects{revokesNothing: true}, "revoke kills the named versions only", "still logs in"},
		{minted, defects{revokesNothing: true}, "revoke without names kills all versions", "still logs in"},
		{overlapping, defects{unknownFails: true}, "revoke of an unknown version changes nothing", "succeeds"},
		{inPlace, defects{retireFails: true}, "retire is final and idempotent", "succeed"},
		{inPlace, defects{controlNeedsAccounts: true}, "a target that holds nothing yet can be contained", "would stop for good"},
		{minted, defects{controlNeedsAccounts: true}, "a target that holds nothing yet can be retired", "would stop for good"},
		{overlapping, defects{probeNeedsAccounts: true}, "a target that holds nothing yet can be contained", "Probe"},
		{inPlace, defects{acceptsAll: true}, "a target that holds nothing yet can be contained", "nothing is there that could accept"},
		{overlapping, defects{inspectNeedsAccounts: true}, "a target that holds nothing yet can be retired", "Inspect"},
		{inPlace, defects{retireFails: true}, "a target that holds nothing yet can be retired", "must succeed"},
		{inPlace, defects{endsNone: true}, "sessions are ended by their start", "lives after"},
		{inPlace, defects{endsAll: true}, "sessions are ended by their start", "SelectiveSessions"},
		{inPlace, defects{endsByStart: true}, "sessions are ended by their start", "zero cut-off"},
		{inPlace, defects{ignoresContext: true}, "a cancelled context is a classed error", "look at the context"},
		{minted, defects{downRefuses: true}, "an unreachable target is never a refusal", "never a verdict"},
		{overlapping, defects{racy: true}, "changes may run at once", "lost"},
	} {
		t.Run(m.rule+"/"+m.says, func(t *testing.T) {
			found := findings(t, harness(m.kind, true, m.d), m.rule)
			if !strings.Contains(strings.Join(found, "\n"), m.says) {
				t.Errorf("the rule did not say %q of %+v; it said: %q", m.says, m.d, found)
			}
		})
	}
}

// TestBadDeclarationsAreCaught makes the declaration wrong in one way at a time.
func TestBadDeclarationsAreCaught(t *testing.T) {
	attribute := func(a provider.Attribute) func(*provider.Definition) {
		return func(d *provider.Definition) {
			if a.Description == "" {
				a.Description = "An attribute."
			}
			d.Schema.Attributes = append(d.Schema.Attributes, a)
		}
	}
	for _, m := range []struct {
		spoil func(*provider.Definition)
		says  string
	}{
		{func(d *provider.Definition) { d.Description = "" }, "no Description"},
		{func(d *provider.Definition) { d.Name = "My Thing" }, "lower_case"},
		{func(d *provider.Definition) { d.Types[0].Kind = "other" }, "none of"},
		{func(d *provider.Definition) { d.Types[0].Fields[0].Probe = false }, "exactly one"},
		{func(d *provider.Definition) { d.Types[0].Fields[0].Name = "other" }, "Fields declares"},
		{func(d *provider.Definition) { d.Types[0].Issue.Generate = nil }, "Generate is nil"},
		{func(d *provider.Definition) { d.Types[0].Issue.Bits = nil }, "Bits is nil"},
		{func(d *provider.Definition) { d.Types[0].Sessions = false }, "without Sessions"},
		{func(d *provider.Definition) { d.Types[0].Schema.Attributes[0].Key = false }, "no attribute is a Key"},
		{func(d *provider.Definition) { d.Types[0].Schema.Attributes[0].Required = false }, "a Key must be Required"},
		{attribute(provider.Attribute{Name: "k", Type: provider.String, Required: true, Key: true}), "only in a credential type"},
		{func(d *provider.Definition) { d.ByFile = true }, "which file tells"},
		{attribute(provider.Attribute{Name: "n", Type: provider.Int, Default: 5}), "Go int, but"},
		{attribute(provider.Attribute{Name: "n", Type: provider.Int, Default: int64(5), Min: 6, Max: 9}), "outside"},
		{attribute(provider.Attribute{Name: "s", Type: provider.String, Default: "c", OneOf: []string{"a", "b"}}), "not in OneOf"},
		{attribute(provider.Attribute{Name: "s", Type: provider.String, Writes: true}), "only paths"},
		{attribute(provider.Attribute{Name: "s", Type: provider.String, Default: "x", Required: true}), "exclude"},
		{attribute(provider.Attribute{Name: "s", Type: provider.Bool, Sensitive: true}), "only strings"},
		{attribute(provider.Attribute{Name: "environment", Type: provider.String}), "engine's word"},
		{attribute(provider.Attribute{Name: "s", Type: "float"}), "unknown type"},
	} {
		t.Run(m.says, func(t *testing.T) {
			h := harness(lifecycle.InPlace, true, defects{})
			if found := findings(t, h, "schema"); len(found) > 0 {
				t.Fatalf("the untouched declaration is found wrong: %q", found)
			}
			m.spoil(&h.Definition)
			if found := findings(t, h, "schema"); !strings.Contains(strings.Join(found, "\n"), m.says) {
				t.Errorf("the suite did not say %q; it said: %q", m.says, found)
			}
		})
	}
}
