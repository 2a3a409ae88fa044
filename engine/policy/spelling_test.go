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
		"every":                               {rule("every r in input.resets { r.ownr == \"a\" }"), "undefined ref: r.ownr"},
		"every, of the input":                 {rule("every r in input.resets { r.owner == input.tikcet }"), "undefined ref: input.tikcet"},
		"a function":                          {one(good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tbad(r)\n}\nbad(x) if x.ownr == \"a\"\n"), "undefined ref: x.ownr"},
		"two calls down":                      {one(good + "warn contains {\"id\": \"b\", \"msg\": f(r)} if some r in input.resets\nf(x) := g(x.runbook)\ng(y) := y.nmae\n"), "undefined ref: y.nmae"},
		"every in a function":                 {one(good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tnot ok(r)\n}\nok(r) if every s in r.steps { s.phse != \"reload\" }\n"), "undefined ref: s.phse"},
		"another package":                     {map[string]string{"a.rego": "package remint.plan\nimport data.h\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\th.bad(r)\n}\n", "h.rego": "package h\nbad(r) if r.observed.generatoin > 1\n"}, "undefined ref: r.observed.generatoin"},
		"what a function gives":               {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tbase(r).onwer == \"a\"\n}\nbase(r) := r.change.base\n"), "undefined ref: base(r).onwer"},
		"one of what a function gives":        {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tsome s in of(r, \"install\")\n\tnot s.reversibel\n}\nof(r, phase) := [s | some s in r.steps; s.phase == phase]\n"), "undefined ref: s.reversibel"},
		"what a function gives, in a name":    {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\ts := first(r)\n\ts.reversibel == false\n}\nfirst(r) := s if some s in r.steps\n"), "undefined ref: s.reversibel"},
		"in what no clause gives":             {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tf(r).onwer == \"a\"\n}\nf(r) := r.change.base\nf(r) := r if not r.change\n"), "undefined ref: f(r).onwer"},
		"what a function of a function gives": {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tbook(same(r)).nmae == \"a\"\n}\nsame(r) := r\nbook(r) := r.runbook\n"), "undefined ref: book(same(r)).nmae"},
		"what a rule holds":                   {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in urgent\n\tg(r)\n}\nurgent contains r if {\n\tsome r in input.resets\n\tr.production\n}\ng(r) if r.onwer == \"a\"\n"), "undefined ref: r.onwer"},
		"behind sort":                         {rule("some r in sort(input.resets)\n\tr.onwer == \"a\""), "undefined ref: r.onwer"},
		"behind array.slice":                  {rule("array.slice(input.resets, 0, 1)[0].onwer == \"a\""), "undefined ref: array.slice(input.resets, 0, 1)[0].onwer"},
		"behind array.concat":                 {rule("some r in array.concat(input.resets, [])\n\tr.onwer == \"a\""), "undefined ref: r.onwer"},
		"behind object.union":                 {rule("object.union(input, {}).tikcet == \"a\""), "undefined ref: object.union(input, {}).tikcet"},
		"object.get":                          {rule("object.get(input, \"tikcet\", \"\") == \"\""), `"tikcet" is no member of input`},
		"object.get along a path":             {rule("some r in input.resets\n\tcount(object.get(r, [\"change\", \"feilds\"], [])) > 0"), `Did you mean "fields"?`},
		"object.keys":                         {rule("some r in input.resets\n\t\"chnage\" in object.keys(r)"), `Did you mean "change"?`},
		"by a name in a variable":             {rule("some r in input.resets\n\tsome m in [\"owner\", \"subjct\"]\n\tr[m] == \"\""), `"subjct" is no member of input.resets[]`},
		"of another stage":                    {rule("some r in input.resets\n\tr.result.proof == \"tested\""), "r.result does not exist in remint.plan"},
		"of another stage, by its position":   {rule("input.resets[0].result.proof == \"tested\""), "input.resets[0].result does not exist in remint.plan"},
		"of another stage, at the approval":   {one(strings.ReplaceAll(good, "remint.plan", "remint.approval") + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if input.resets[_].result.final\n"), "does not exist in remint.approval"},
		"of another stage, in its helper":     {map[string]string{"a.rego": good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tdata.h.dead(r)\n}\n", "h.rego": "package h\ndead(r) if r.result.proof == \"tested\"\n"}, "r.result does not exist in remint.plan"},
		"in what nobody calls":                {one(good + "deny contains {\"id\": \"b\", \"msg\": \"m\"} if f(1)\nf(1) := 2\nf(x) := y if {\n\tx == \"a\"\n\ty := first(input).tikcet\n}\nfirst(x) := x\n"), "undefined ref: first(input).tikcet"},
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
	every k, v in r.attributes { startswith(k, v.any) }
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

// What one stage has is no fault in a helper of several, nor is what one clause gives.
func TestSharedHelpersCompile(t *testing.T) {
	files := map[string]string{
		"plan.rego": `package remint.plan
import data.h
deny contains {"id": "a", "msg": h.either(r).name} if {
	some r in input.resets
	not h.dead(r)
	h.base(r).owner == r.owner
	object.union(r, {"more": 1}).more == 1
	object.get(r, ["labels", "tier"], "") == "1"
	object.get(r, ["result", "proof"], "none") in {"none", "tested"}
	r.labels.anything == r.attributes.some.thing
	some name, value in object.remove(r, ["owner"])
	name != "labels"
	h.of("reason", input.reason)
	h.of("mode", input.mode)
	h.table[input.verdict_of_nobody] == 1
}
`,
		"result.rego": `package remint.result
import data.h
deny contains {"id": "a", "msg": "m"} if {
	some r in input.resets
	not h.dead(r)
}
`,
		"h.rego": `package h
dead(r) if r.result.proof == "tested"

base(r) := r.change.base

base(r) := r if not r.change

either(r) := r.runbook

either(r) := r if not r.runbook

of("reason", x) if x == "compromised"

of("mode", x) if x == "contain"

table := {"tested": 1, "": 0, "anything": 3}
`,
	}
	files["plan.rego"] = strings.ReplaceAll(files["plan.rego"], "input.verdict_of_nobody", "input.ticket")
	if _, diags := (Options{}).Compile(context.Background(), []Source{source(files)}); diags.HasErrors() {
		t.Errorf("%v", diags)
	}
}

// What calls functions that call others many times over is looked into all the same, in its time.
func TestManyCallsAreLookedInto(t *testing.T) {
	rules := good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tf0(r)\n}\n"
	for i := range 60 {
		rules += fmt.Sprintf("f%d(r) if {\n\tf%d(r)\n\tf%d(r)\n\tevery s in r.steps { s.phase == \"reload\" }\n}\n", i, i+1, i+1)
	}
	for member, want := range map[string]string{"owner": "", "onwer": "undefined ref: r.onwer"} {
		_, diags := (Options{}).Compile(context.Background(), []Source{source(one(rules + "f60(r) if r." + member + " == \"x\"\n"))})
		if got := fmt.Sprint(diags); diags.HasErrors() != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", member, got)
		}
	}
}

// What cannot be followed to its end is refused, and not left unchecked.
func TestWhatCannotBeFollowedIsRefused(t *testing.T) {
	for name, calls := range map[string]struct {
		deep int
		body string
	}{
		"too deep": {600, "f%[2]d(x)"},
		"too many, each given what none was given before": {14, "f%[2]d([\"a\", x])\n\tf%[2]d([x, \"b\"])\n\tf%[2]d([x, x])\n\tf%[2]d([\"c\", x])"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if f0(input.ticket)\n"
			for i := range calls.deep {
				rules += fmt.Sprintf("f%[1]d(x) if {\n\t"+calls.body+"\n}\n", i, i+1)
			}
			rules += fmt.Sprintf("f%d(x) if x != 1\n", calls.deep)
			_, diags := (Options{}).Compile(context.Background(), []Source{source(one(rules))})
			if got := fmt.Sprint(diags); !strings.Contains(got, "spelt right cannot be told of rule warn") {
				t.Error(got)
			}
		})
	}
}
