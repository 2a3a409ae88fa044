package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// OPA's type checker sees none of these. Each would be undefined, and its rule silent.
func TestMisspeltWhereOPADoesNotLook(t *testing.T) {
	rule := func(body string) map[string]string {
		return one("package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\t" + body + "\n}\n")
	}
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"every":               {rule("every r in input.resets { r.ownr == \"a\" }"), "undefined ref: r.ownr"},
		"every, of the input": {rule("every r in input.resets { r.owner == input.tikcet }"), "undefined ref: input.tikcet"},
		"a function":          {one(good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tbad(r)\n}\nbad(x) if x.ownr == \"a\"\n"), "undefined ref: x.ownr"},
		"two calls down":      {one(good + "warn contains {\"id\": \"b\", \"msg\": f(r)} if some r in input.resets\nf(x) := g(x.runbook)\ng(y) := y.nmae\n"), "undefined ref: y.nmae"},
		"every in a function": {one(good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tnot ok(r)\n}\nok(r) if every s in r.steps { s.phse != \"reload\" }\n"), "undefined ref: s.phse"},
		"another package":     {map[string]string{"a.rego": "package remint.plan\nimport data.h\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\th.bad(r)\n}\n", "h.rego": "package h\nbad(r) if r.observed.generatoin > 1\n"}, "undefined ref: r.observed.generatoin"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := (Options{}).Compile(context.Background(), []Source{source(tc.files)})
			if got := fmt.Sprint(diags); !diags.HasErrors() || !strings.Contains(got, tc.want) {
				t.Errorf("%q is not said: %s", tc.want, got)
			}
		})
	}
}

// What a function is given by some caller is no fault in it; nor is what has no type.
func TestMembersOfSeveralKindsCompile(t *testing.T) {
	const rules = `package remint.plan

deny contains {"id": "a", "msg": concat(", ", [name(r), name(r.runbook), tier(r.labels), deep(r, "steps")])} if {
	some r in input.resets
	every s in r.steps { s.phase != "reload" }
	every k, v in r.labels { startswith(k, v.any) }
	every n in [1, 2] { n > 0 }
	all_named(r.steps)
	all_named([r.runbook])
	every x in {y | some y in r.stores} { kind(x) == "file" }
}

# Resets have no name.
name(x) := x.name

name(x) := x.address if not x.name

tier(labels) := labels.tier

all_named(things) if {
	every t in things { t.name != "" }
} else if {
	count([t | some t in things; t.phase != ""]) > 0
}

kind("file") := "file"

kind(x) := split(x, ".")[0] if x != "file"

deep(x, member) := x[member][0].address if {
	count(x[member]) > 0
} else := x.owner
`
	if _, diags := (Options{}).Compile(context.Background(), []Source{source(one(rules))}); diags.HasErrors() {
		t.Errorf("%v", diags)
	}
}

// What calls itself out of all proportion is not looked into, and compiles in its time.
func TestManyCallsAreNotLookedInto(t *testing.T) {
	rules := good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tf0(r)\n}\n"
	for i := range 30 {
		rules += fmt.Sprintf("f%d(r) if {\n\tf%d(r)\n\tf%d(r)\n\tevery s in r.steps { s.phase == \"x\" }\n}\n", i, i+1, i+1)
	}
	rules += "f30(r) if r.owner == \"x\"\n"
	if _, diags := (Options{}).Compile(context.Background(), []Source{source(one(rules))}); diags.HasErrors() {
		t.Errorf("%v", diags)
	}
}
