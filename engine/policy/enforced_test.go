package policy

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/plan"
)

// The enforcement of a group is that of its rules, and of no others; of no group
// nothing is said.
func TestEnforced(t *testing.T) {
	l, err := OpenLibrary(os.DirFS("../../policies"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := l.Source("builtin", []string{"production", "human", "incident"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, groups := range []map[string]string{nil, {}, {"production": Mandatory}} {
		if got, err := l.Enforced(src, groups); got != nil || err != nil {
			t.Errorf("%v: %v, %v", groups, got, err)
		}
	}
	got, err := l.Enforced(src, map[string]string{"production": Overridable, "incident": Advisory, "privileged": Advisory})
	if err != nil {
		t.Fatal(err)
	}
	rules, diags := Rules(src)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	want := map[string]string{}
	for _, r := range rules {
		if level := map[string]string{"production": Overridable, "incident": Advisory}[r.Folder]; r.Set == "deny" && level != "" {
			want[r.ID] = level
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || got["production_freeze"] != Overridable || got["owner_must_be_named"] != "" {
		t.Error(diff)
	}
}

// A rule's own enforcement counts instead of its source's, and is part of the digest.
func TestEnforcementOfRules(t *testing.T) {
	src := named("builtin", Mandatory, `package remint.plan
deny contains {"id": "a", "msg": "m"} if input.reason == "scheduled"
deny contains {"id": "b", "msg": "m"} if input.reason == "scheduled"
deny contains {"id": "c", "msg": "m"} if input.reason == "scheduled"
`)
	before := compileAll(t, src).Digest()
	src.Rules = map[string]string{"a": Overridable, "b": Advisory}
	for _, one := range []Source{src, here(src)} {
		set := compileAll(t, one)
		want := []plan.Decision{
			{Source: "builtin", Rule: "a", Level: plan.Deny, Overridable: true, Message: "m", Controls: []string{}},
			{Source: "builtin", Rule: "c", Level: plan.Deny, Message: "m", Controls: []string{}},
			{Source: "builtin", Rule: "b", Level: plan.Overridden, Message: "m", Controls: []string{}},
		}
		if diff := cmp.Diff(want, ask(t, set, anInput()).Decisions); diff != "" {
			t.Error(diff)
		}
		if set.Digest() == before {
			t.Error("the digest does not depend on it")
		}
	}
	src.Rules = map[string]string{"a": "optional"}
	if diags := hereSays(t, src, anInput()); !diags.HasErrors() {
		t.Error("a level that there is not was taken")
	}
}
