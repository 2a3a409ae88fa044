package providertest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

var identifier = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Names that the engine gives a meaning of its own in each kind of block.
func reservedInProvider() []string { return []string{"environment"} }
func reservedInCredential() []string {
	return []string{"provider", "owner", "max_age", "labels", "environment", "runbook", "store", "consumer", "for_each", "depends_on"}
}
func reservedInStep() []string {
	return []string{"description", "when", "for_each", "depends_on", "timeout", "retry", "on_failure", "controls", "secret", "target", "to"}
}

// checkDefinition checks everything that can be known without a target.
func checkDefinition(r reporter, d provider.Definition) {
	r.Helper()
	if !identifier.MatchString(d.Name) {
		r.Errorf("Definition.Name %q must be a lower_case identifier: it is the provider block's label", d.Name)
	}
	describe(r, "Definition "+d.Name, d.Description)
	checkSchema(r, "provider "+d.Name, d.Schema, reservedInProvider())
	checkKeyless(r, "provider "+d.Name, d.Schema)
	if d.ByFile && !slices.ContainsFunc(d.Schema.Attributes, func(a provider.Attribute) bool { return a.Writes }) {
		r.Errorf("Definition.ByFile is set, but no attribute of the block is a path that Writes: which file tells credentials apart?")
	}
	if d.Open == nil {
		r.Errorf("Definition.Open is nil: nothing can be opened")
	}
	var seen []string
	for i := range d.Types {
		t := &d.Types[i]
		if !identifier.MatchString(t.Name) || slices.Contains(seen, t.Name) {
			r.Errorf("CredentialType.Name %q must be a lower_case identifier of its own", t.Name)
		}
		seen = append(seen, t.Name)
		checkType(r, t)
	}
}

func checkType(r reporter, t *provider.CredentialType) {
	r.Helper()
	describe(r, "type "+t.Name, t.Description)
	checkSchema(r, "credential "+t.Name, t.Schema, reservedInCredential())
	checkSchema(r, "issue of "+t.Name, t.Issue.Schema, reservedInStep())
	checkKeyless(r, "issue of "+t.Name, t.Issue.Schema)
	checkKeys(r, t)
	switch t.Kind {
	case lifecycle.InPlace, lifecycle.Overlapping:
		if t.Issue.Generate == nil {
			r.Errorf("type %s: Issue.Generate is nil, but the engine makes the secrets of %s types", t.Name, t.Kind)
		}
	case lifecycle.Minted:
		if t.Issue.Generate != nil {
			r.Errorf("type %s: Issue.Generate is set, but the target makes the secrets of minted types", t.Name)
		}
	default:
		r.Errorf("type %s: Kind %q is none of in_place, overlapping, minted", t.Name, t.Kind)
	}
	if t.SelectiveSessions && !t.Sessions {
		r.Errorf("type %s: SelectiveSessions without Sessions says nothing", t.Name)
	}
	checkFields(r, t)
	checkGenerate(r, t)
}

// checkKeys asks for what tells one credential of the type from another: without
// it two workspaces could reset the same one at the same time.
func checkKeys(r reporter, t *provider.CredentialType) {
	r.Helper()
	keys := 0
	for _, a := range t.Schema.Attributes {
		if !a.Key {
			continue
		}
		keys++
		if !a.Required || a.Sensitive {
			r.Errorf("type %s: attribute %q: a Key must be Required and not Sensitive: it says which credential it is", t.Name, a.Name)
		}
	}
	if keys == 0 {
		r.Errorf("type %s: no attribute is a Key: mark those that say which credential it is at its target", t.Name)
	}
}

func checkKeyless(r reporter, where string, s provider.Schema) {
	r.Helper()
	for _, a := range s.Attributes {
		if a.Key {
			r.Errorf("%s: attribute %q is a Key, which means something only in a credential type", where, a.Name)
		}
	}
}

func checkFields(r reporter, t *provider.CredentialType) {
	r.Helper()
	probes := 0
	var seen []string
	for _, f := range t.Fields {
		if !identifier.MatchString(f.Name) || slices.Contains(seen, f.Name) {
			r.Errorf("type %s: field %q must be a lower_case identifier of its own", t.Name, f.Name)
		}
		seen = append(seen, f.Name)
		describe(r, fmt.Sprintf("field %s of %s", f.Name, t.Name), f.Description)
		if f.Probe {
			probes++
		}
	}
	if probes != 1 {
		r.Errorf("type %s: %d fields say Probe; exactly one must, the one that a store has to hold for the old secret to be tried", t.Name, probes)
	}
}

// checkGenerate makes two secrets from the defaults alone and compares them
// with what is declared.
func checkGenerate(r reporter, t *provider.CredentialType) {
	r.Helper()
	if slices.ContainsFunc(t.Issue.Schema.Attributes, func(a provider.Attribute) bool { return a.Required }) {
		r.Errorf("type %s: an argument of `issue` is required; give it a default, so that the built-in runbook works as it is", t.Name)
		return
	}
	args := Defaults(t.Issue.Schema, nil)
	if t.Issue.Bits == nil {
		r.Errorf("type %s: Issue.Bits is nil: policies ask for the entropy of a new secret", t.Name)
	} else if bits := t.Issue.Bits(args); bits < 64 {
		r.Errorf("type %s: the defaults of `issue` make only %.0f bits; a generated secret has no reason to be that weak", t.Name, bits)
	}
	if t.Issue.Generate == nil {
		return
	}
	one, err1 := t.Issue.Generate(args)
	two, err2 := t.Issue.Generate(args)
	if err1 != nil || err2 != nil {
		r.Errorf("type %s: Issue.Generate fails with its defaults: %v %v", t.Name, err1, err2)
		return
	}
	checkNames(r, t, one)
	if name := secretField(t); one.Field(name).Equal(two.Field(name)) {
		r.Errorf("type %s: Issue.Generate made the same %s twice; draw it from crypto/rand each time", t.Name, name)
	}
}

func checkNames(r reporter, t *provider.CredentialType, m secret.Material) {
	r.Helper()
	var want []string
	for _, f := range t.Fields {
		want = append(want, f.Name)
	}
	slices.Sort(want)
	if got := m.Names(); !slices.Equal(got, want) {
		r.Errorf("type %s: new material has the fields %q, but Fields declares %q", t.Name, got, want)
	}
}

// secretField is the first field that is not public.
func secretField(t *provider.CredentialType) string {
	for _, f := range t.Fields {
		if !f.Public {
			return f.Name
		}
	}
	return t.ProbeField()
}

func describe(r reporter, what, text string) {
	r.Helper()
	if text == "" {
		r.Errorf("%s has no Description: it is the whole documentation in `remint schema`", what)
	}
}

func checkSchema(r reporter, where string, s provider.Schema, reserved []string) {
	r.Helper()
	var seen []string
	for _, a := range s.Attributes {
		what := fmt.Sprintf("%s: attribute %q", where, a.Name)
		if !identifier.MatchString(a.Name) || slices.Contains(seen, a.Name) {
			r.Errorf("%s must be a lower_case identifier of its own", what)
		}
		if slices.Contains(reserved, a.Name) {
			r.Errorf("%s is the engine's word in this block; choose another", what)
		}
		seen = append(seen, a.Name)
		describe(r, what, a.Description)
		checkAttribute(r, what, a)
	}
}

func checkAttribute(r reporter, what string, a provider.Attribute) {
	r.Helper()
	want := goType(a)
	if want == nil {
		r.Errorf("%s: unknown type %q", what, a.Type)
		return
	}
	numeric := a.Type == provider.Int || a.Type == provider.Duration
	switch {
	case a.Sensitive && a.Type != provider.String:
		r.Errorf("%s: only strings can be Sensitive", what)
	case a.Writes && a.Type != provider.PathType:
		r.Errorf("%s: only paths can be marked Writes", what)
	case len(a.OneOf) > 0 && a.Type != provider.String && a.Type != provider.StringList:
		r.Errorf("%s: only strings and lists of them can have OneOf", what)
	case (a.Min != 0 || a.Max != 0) && !numeric:
		r.Errorf("%s: only numbers and durations can have Min and Max", what)
	case a.Min > a.Max:
		r.Errorf("%s: Min %d is greater than Max %d", what, a.Min, a.Max)
	case a.Required && a.Default != nil:
		r.Errorf("%s: Required and a Default exclude each other", what)
	}
	if a.Default != nil {
		checkDefault(r, what, a, want)
	}
}

func checkDefault(r reporter, what string, a provider.Attribute, want reflect.Type) {
	r.Helper()
	if got := reflect.TypeOf(a.Default); got != want {
		r.Errorf("%s: Default is a Go %s, but Attrs holds %s as %s", what, got, a.Type, want)
		return
	}
	number, bounded := int64(0), a.Min != 0 || a.Max != 0
	switch v := a.Default.(type) {
	case int64:
		number = v
	case time.Duration:
		number = int64(v)
	case string:
		if len(a.OneOf) > 0 && !slices.Contains(a.OneOf, v) {
			r.Errorf("%s: Default %q is not in OneOf", what, v)
		}
	case []string:
		for _, s := range v {
			if len(a.OneOf) > 0 && !slices.Contains(a.OneOf, s) {
				r.Errorf("%s: Default has %q, which is not in OneOf", what, s)
			}
		}
	}
	if bounded && (number < a.Min || number > a.Max) {
		r.Errorf("%s: Default %v is outside of Min and Max", what, a.Default)
	}
	if a.Check != nil {
		if err := a.Check(a.Default); err != nil {
			r.Errorf("%s: Check finds fault with the Default: %v", what, err)
		}
	}
}

func goType(a provider.Attribute) reflect.Type {
	switch a.Type {
	case provider.String:
		if a.Sensitive {
			return reflect.TypeFor[secret.Value]()
		}
		return reflect.TypeFor[string]()
	case provider.Int:
		return reflect.TypeFor[int64]()
	case provider.Bool:
		return reflect.TypeFor[bool]()
	case provider.Duration:
		return reflect.TypeFor[time.Duration]()
	case provider.StringList:
		return reflect.TypeFor[[]string]()
	case provider.StringMap:
		return reflect.TypeFor[map[string]string]()
	case provider.PathType:
		return reflect.TypeFor[provider.Path]()
	}
	return nil
}
