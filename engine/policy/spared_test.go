package policy

import (
	"context"
	"testing"
)

// A rule was spared where a test came to what decides it, and it did not hold; not
// where the test was about something else, or only where it held for another reset.
func TestSpared(t *testing.T) {
	const rule = "package remint.plan\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tr.production\n\tr.owner == \"\"\n}\n"
	const single = "package remint.plan\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"\"\n"
	const helped = "package remint.plan\n\nbad(r) if r.owner == \"\"\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tsome r in input.resets\n\tr.production\n\tbad(r)\n}\n"
	reset := func(production, owner string) string {
		return `{"production": ` + production + `, "owner": "` + owner + `"}`
	}
	asked := func(resets string) string {
		return "count(plan.deny) >= 0 with input as {\"resets\": [" + resets + "]}"
	}
	for name, tc := range map[string]struct {
		rule, test string
		want       bool
	}{
		"no test":                 {rule, "true", false},
		"another thing":           {rule, asked(reset("false", "x")), false},
		"nothing at all":          {rule, asked(""), false},
		"held":                    {rule, asked(reset("true", "")), false},
		"held for one of two":     {rule, asked(reset("true", "") + "," + reset("true", "x")), false},
		"the thing itself":        {rule, asked(reset("true", "x")), true},
		"after it held":           {rule, asked(reset("true", "")) + "\n\t" + asked(reset("true", "x")), true},
		"one condition, held":     {single, `count(plan.deny) == 1 with input as {"ticket": ""}`, false},
		"one condition, spared":   {single, `count(plan.deny) == 0 with input as {"ticket": "T"}`, true},
		"in a test that fails":    {single, `count(plan.deny) == 1 with input as {"ticket": "T"}`, false},
		"by a helper":             {helped, asked(reset("true", "x")), true},
		"a helper was not needed": {helped, asked(reset("false", "x")), false},
	} {
		t.Run(name, func(t *testing.T) {
			src := source(map[string]string{"a.rego": tc.rule, "a_test.rego": "package remint.plan_test\n\nimport data.remint.plan\n\ntest_it if {\n\t" + tc.test + "\n}\n"})
			report, diags := Test(context.Background(), []Source{src}, Options{})
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			for _, r := range report.Rules {
				if want := tc.want || r.Name != "deny"; r.Spared != want {
					t.Errorf("%s: spared is %v", r.Name, r.Spared)
				}
			}
		})
	}
}
