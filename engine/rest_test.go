package engine

import (
	"testing"

	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// The rest of a plan is what nothing holds up, and nothing that the plan did not have.
func TestRest(t *testing.T) {
	need := func(got int, addresses ...string) gate.Answer {
		return gate.Answer{Needs: []gate.Need{{Approvals: plan.Approvals{Count: 1, Addresses: addresses}, Got: got, Want: 1}}}
	}
	denied := func(addresses ...string) (a gate.Answer) {
		for _, x := range addresses {
			a.Lifting.Left = append(a.Lifting.Left, gate.Denial{Stage: "remint.plan", Decision: plan.Decision{Address: x}})
		}
		return a
	}
	for name, tc := range map[string]struct {
		selection *plan.Selection
		answer    gate.Answer
		want      string
	}{
		"nothing is held up":         {answer: need(1, "a")},
		"all of it is":               {answer: need(0, "a", "b", "c")},
		"the whole plan":             {answer: need(0)},
		"one of three, -all":         {selection: &plan.Selection{By: plan.ByAll}, answer: need(0, "b"), want: `!contains(["b"], address)`},
		"two of three, -all":         {selection: &plan.Selection{By: plan.ByAll}, answer: need(0, "a", "b"), want: `contains(["c"], address)`},
		"one of three, due":          {selection: &plan.Selection{By: plan.ByDue}, answer: need(0, "b"), want: `contains(["a", "c"], address)`},
		"one of three, by address":   {selection: &plan.Selection{By: plan.ByAddress}, answer: need(0, "b"), want: `contains(["a", "c"], address)`},
		"within the where":           {selection: &plan.Selection{By: plan.ByWhere, Where: "x || y"}, answer: need(0, "b"), want: `contains(["a", "c"], address)`},
		"a where with a comment":     {selection: &plan.Selection{By: plan.ByWhere, Where: "x # y"}, answer: need(0, "b"), want: `contains(["a", "c"], address)`},
		"no selection":               {answer: need(0, "b"), want: `contains(["a", "c"], address)`},
		"denied":                     {answer: denied("a", "b"), want: `contains(["c"], address)`},
		"denied as a whole":          {answer: denied("a", "")},
		"a subject is not verified":  {answer: gate.Answer{Waiting: []string{"a", "b"}}, want: `contains(["c"], address)`},
		"nor is the requester":       {answer: gate.Answer{Waiting: []string{"a"}, Unverified: true}},
		"somebody said no":           {answer: gate.Answer{Waiting: []string{"a"}, Rejections: []string{"no"}}},
		"the glass is not broken":    {answer: gate.Answer{Waiting: []string{"a"}, Glass: &gate.Glass{Missing: []string{"m"}}}},
		"what is met holds up none":  {answer: need(1)},
		"denials of a lifted policy": {answer: gate.Answer{Lifting: gate.Lifting{Lifted: []gate.Lifted{{}}}}},
	} {
		f := &plan.File{}
		f.Plan.Selection = tc.selection
		for _, a := range []string{"a", "b", "c"} {
			f.Plan.Resets = append(f.Plan.Resets, plan.Reset{Address: a})
		}
		if got := rest(f, tc.answer); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	long := &plan.File{}
	long.Plan.Selection = &plan.Selection{By: plan.ByWhere, Where: "x || y"}
	for _, a := range []string{"first", "second", "third", "fourth", "fifth"} {
		long.Plan.Resets = append(long.Plan.Resets, plan.Reset{Address: a})
	}
	if got, want := rest(long, need(0, "first")), `(x || y) && !contains(["first"], address)`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
