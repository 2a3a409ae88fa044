package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/plan"
)

// A misspelt value is never equal, and its rule silent; or always unequal.
func TestMisspeltValues(t *testing.T) {
	rule := func(stage, body string) string {
		return "package remint." + stage + "\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\t" + body + "\n}\n"
	}
	for name, tc := range map[string]struct{ rego, want string }{
		"reason":                 {rule("plan", `input.reason == "compromized"`), `"compromized" is no value of input.reason, which has "scheduled", "expiring", "forgotten", "compromised", "offboarding"`},
		"the nearest":            {rule("plan", `input.reason == "compromized"`), `Did you mean "compromised"?`},
		"the other way round":    {rule("plan", `"compromized" == input.reason`), `Did you mean "compromised"?`},
		"not equal":              {rule("plan", `input.reason != "compromized"`), `Did you mean "compromised"?`},
		"not":                    {rule("plan", `not input.reason == "compromized"`), `Did you mean "compromised"?`},
		"unified":                {rule("plan", `input.reason = "compromized"`), `Did you mean "compromised"?`},
		"in a set":               {rule("plan", `input.reason in {"forgotten", "compromized"}`), `Did you mean "compromised"?`},
		"not in an array":        {rule("plan", `not input.reason in ["forgotten", "compromized"]`), `Did you mean "compromised"?`},
		"in an object":           {rule("plan", `input.reason in {"a": "compromized"}`), `Did you mean "compromised"?`},
		"in a rule's set":        {rule("plan", `input.reason in bad`) + `bad := {"forgotten", "compromized"}` + "\n", `Did you mean "compromised"?`},
		"in a set by its member": {rule("plan", `bad[input.reason]`) + `bad contains "compromized"` + "\n", `Did you mean "compromised"?`},
		"a key of a table":       {rule("plan", `bad[input.reason] > 1`) + `bad := {"forgotten": 1, "compromized": 2}` + "\n", `Did you mean "compromised"?`},
		"a name among words":     {rule("plan", `count(by.inplace) > 1`) + "by[r.kind] contains r if some r in input.resets\n", `Did you mean "in_place"?`},
		"a constant":             {rule("plan", `input.reason == bad`) + `bad := "compromized"` + "\n", `Did you mean "compromised"?`},
		"given to a function":    {rule("plan", `is("compromized")`) + `is(x) if input.reason == x` + "\n", `Did you mean "compromised"?`},
		"in a function's head":   {rule("plan", `f(input.reason) > 1`) + `f("compromized") := 2` + "\n", `Did you mean "compromised"?`},
		"mode":                   {rule("plan", `input.mode == "contian"`), `Did you mean "contain"?`},
		"trust":                  {rule("plan", `input.trust == "selfasserted"`), `Did you mean "self-asserted"?`},
		"by":                     {rule("plan", `input.targets.by == "al"`), `Did you mean "all"?`},
		"kind":                   {rule("plan", "some r in input.resets\n\tr.kind == \"inplace\""), `Did you mean "in_place"?`},
		"a phase":                {rule("plan", "some r in input.resets\n\t\"proove\" in r.phases"), `Did you mean "prove"?`},
		"no phase":               {rule("plan", "some r in input.resets\n\tnot \"proove\" in r.phases"), `Did you mean "prove"?`},
		"phases less some":       {rule("plan", "some r in input.resets\n\tcount({\"proove\"} - {p | some p in r.phases}) > 0"), `Did you mean "prove"?`},
		"a step's phase":         {rule("plan", "some s in input.resets[_].steps\n\ts.phase == \"instal\""), `Did you mean "install"?`},
		"in every":               {rule("plan", "some r in input.resets\n\tevery s in r.steps { s.phase != \"instal\" }"), `Did you mean "install"?`},
		"through a function":     {rule("plan", "some r in input.resets\n\tsome s in of(r, \"instal\")\n\tnot s.reversible") + "of(r, phase) := [s | some s in r.steps; s.phase == phase]\n", `Did you mean "install"?`},
		"fields":                 {rule("plan", "some r in input.resets\n\t\"onwer\" in r.change.fields"), `Did you mean "owner"?`},
		"proof":                  {rule("result", "some r in input.resets\n\tr.result.proof == \"teste\""), `Did you mean "tested"?`},
		"strength":               {rule("approval", `input.verification.strength == "all2"`), `Did you mean "aal2"?`},
		"no strength":            {rule("approval", `input.verification.strength == ""`), `"" is no value of input.verification.strength`},
		"strength of a method":   {rule("approval", `input.verification.methods[_].strength in {"all2"}`), `Did you mean "aal2"?`},
		"strength less":          {rule("approval", `input.verification.strength < "aal2"`), `< compares strengths as texts`},
		"strength not at least":  {rule("approval", `not input.verification.strength >= "aal2"`), `input.verification.strength in {"aal2", "aal3"}`},
		"a requirement's":        {rule("approval", `input.verification.strength < input.requirements.strength`), `< compares strengths as texts`},
		"the strongest":          {rule("approval", `max({m.strength | some m in input.verification.methods}) == "aal2"`), `max compares strengths as texts`},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := (Options{}).Compile(context.Background(), []Source{source(one(tc.rego))})
			if got := fmt.Sprint(diags); !diags.HasErrors() || !strings.Contains(got, tc.want) {
				t.Errorf("%q is not said: %s", tc.want, got)
			}
			if diags.HasErrors() && diags[0].Snippet == nil {
				t.Error("no snippet")
			}
		})
	}
}

// What may be any text, or is said of several things, is no misspelt value.
func TestValuesThatMayOccurCompile(t *testing.T) {
	const rules = `package remint.plan

deny contains {"id": "a", "msg": "m"} if {
	input.ticket in {"compromized", "x"}
	input.reason in {"compromised", "offboarding"}
	input.reason != ""
	not input.mode == ""
	lower(input.reason) == "Compromised"
	sprintf("%s/%s", [input.reason, input.mode]) == "compromised/contain"
	some r in input.resets
	r.environment == "produktion"
	r.labels.tier == "compromized"
	r.attributes.phase == "proove"
	some x in [input.reason, r.owner]
	x == "somebody"
	said(input.reason)
	said(r.owner)
	weight[input.reason] > 1
	r.observed.generation < 3
	startswith(input.reason, "comp")
	{"verify", "approve"} - {p | some p in r.phases} == set()
	some list in [r.phases, r.stores]
	"file.dotenv" in list
	some [key, word] in [["reason", "compromised"], ["mode", "contain"]]
	input[key] == word
	what("kind", r) == "minted"
	what("phase", r) == "prove"
	object.get(r, ["result", "proof"], "nothing") == "nothing"
	input.reason == object.get(r.labels, "only", "whatever")
	input.mode != expected
	input.mode != other
	by["in_place"]
	count({d.id | some d in warn; d.id == "b"}) == 0
}

warn contains {"id": "c", "msg": "m"} if input.ticket == "x"

warn contains {"id": "b", "msg": "m", "step": "s"} if input.ticket == "x"

by[r.kind] contains r if some r in input.resets

default expected := "nothing"

expected := "contain" if input.reason == "compromised"

other := "contain" if {
	input.reason == "compromised"
} else := "none"

what("kind", r) := r.kind

what("phase", r) := r.phases[0]

said("somebody")

said(x) if x == "nobody"

weight := {"compromised": 2, "forgotten": 1, "": 0, "legacy": 0}
`
	if _, diags := (Options{}).Compile(context.Background(), []Source{source(one(rules))}); diags.HasErrors() {
		t.Errorf("%v", diags)
	}
}

// Vocabularies that stand in tags are those of the constants.
func TestTagsAreTheVocabulary(t *testing.T) {
	trust, _ := Schema().Properties.Get("trust")
	if diff := cmp.Diff([]any{plan.SelfAsserted, plan.Pinned, plan.FromBase}, trust.Enum); diff != "" {
		t.Error(diff)
	}
}
