package planner_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// chosen plans req and gives what policies see of the choice, with the plan.
func chosen(t *testing.T, p *planner.Planner, req planner.Request) (*policy.Input, *plan.File) {
	t.Helper()
	if req.Reason == "" {
		req.Reason = lifecycle.Scheduled
	}
	planned, diags := p.Plan(context.Background(), req)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return planner.Input(policy.StagePlan, &planned.File.Plan, planned.Resets), planned.File
}

func TestPartial(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	young := map[string]time.Duration{aged: time.Hour, keyX: time.Hour, keyY: time.Hour, token: time.Minute}
	left := func(typ string, n int) policy.LeftOut {
		return policy.LeftOut{Provider: "mem.main", CredentialType: typ, Count: n}
	}
	all5 := []string{token, ageless, aged, "credential.mem_key.team", "credential.mem_key.team"}
	for name, row := range map[string]struct {
		req     planner.Request
		ages    map[string]time.Duration
		partial bool
		want    policy.Targets
	}{
		"due": {planner.Request{}, map[string]time.Duration{aged: 0, keyX: 0}, false,
			policy.Targets{By: plan.ByDue, Addresses: []string{}, Selected: 2, LeftOut: []policy.LeftOut{left("mem_key", 1), left("mem_password", 2)}}},
		"all": {planner.Request{All: true}, young, false, policy.Targets{By: plan.ByAll, Addresses: []string{}, Selected: 5, LeftOut: []policy.LeftOut{}}},
		"where": {planner.Request{Where: `owner == "a@example.com"`}, young, true,
			policy.Targets{By: plan.ByWhere, Where: `owner == "a@example.com"`, Addresses: []string{}, Selected: 3, LeftOut: []policy.LeftOut{left("mem_password", 1), left("mem_token", 1)}}},
		"where that holds for all": {planner.Request{Where: `true`}, young, false, policy.Targets{By: plan.ByWhere, Where: `true`, Addresses: []string{}, Selected: 5, LeftOut: []policy.LeftOut{}}},
		"addresses":                {planner.Request{Addresses: []string{keyY, aged, keyY}}, nil, true, policy.Targets{By: plan.ByAddress, Addresses: []string{keyY, aged}, Selected: 2, LeftOut: []policy.LeftOut{left("mem_key", 1), left("mem_password", 1), left("mem_token", 1)}}},
		"the addresses of all":     {planner.Request{Addresses: all5}, nil, false, policy.Targets{By: plan.ByAddress, Addresses: []string{"credential.mem_key.team", aged, ageless, token}, Selected: 5, LeftOut: []policy.LeftOut{}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanner(t, w, nil)
			p.Known = before(row.ages)
			row.want.Declared = 5
			in, file := chosen(t, p, row.req)
			if diff := cmp.Diff(row.want, in.Targets); diff != "" || in.Partial != row.partial {
				t.Error(in.Partial, diff)
			}
			// Later, when more is due, the plan is the same and says the same.
			p.Now = func() time.Time { return now.Add(1000 * time.Hour) }
			again, second := chosen(t, p, planner.Again(file))
			if diff := cmp.Diff(in.Targets, again.Targets); diff != "" || again.Partial != in.Partial || second.Digest != file.Digest {
				t.Errorf("planned again, partial is %v and the digest %s, was %s: %s", again.Partial, second.Digest, file.Digest, diff)
			}
			restored, diags := p.Restore(file)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			result := planner.Input(policy.StageResult, &file.Plan, restored)
			row.want.Addresses = []string{}
			if diff := cmp.Diff(row.want, result.Targets); diff != "" || result.Partial != row.partial {
				t.Error("restored: ", result.Partial, diff)
			}
		})
	}
}

// A credential that is added later makes a plan partial, and not stale.
func TestPartialOfWhatIsAdded(t *testing.T) {
	const more = `
credential "mem_token" "new" {
  provider = mem.main
  name     = "n"
  owner    = "c@example.com"
  max_age  = "1h"
}
`
	old := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	grown := load(t, map[string]string{"main.remint.hcl": fleetOfFive + more + runbooks}, nil)
	for name, req := range map[string]planner.Request{
		"all": {All: true}, "due": {}, "where": {Where: "true"}, "addresses": {Addresses: []string{"credential.mem_key.team", aged, ageless, token}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanner(t, old, nil)
			in, file := chosen(t, p, req)
			p.Workspace = grown
			again, second := chosen(t, p, planner.Again(file))
			if in.Partial || !again.Partial || second.Digest != file.Digest {
				t.Errorf("partial %v, then %v; digest %s, then %s", in.Partial, again.Partial, file.Digest, second.Digest)
			}
		})
	}
}

// What a file says of its selection is held against the workspace.
func TestSelectionIsAClaim(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	for name, row := range map[string]struct {
		of    planner.Request
		claim *plan.Selection
		honest,
		partial bool
	}{
		"as it was":                      {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByAddress, Addresses: []string{keyX}}, true, true},
		"a block for an instance":        {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByAddress, Addresses: []string{"credential.mem_key.team"}}, true, true},
		"another address":                {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByAddress, Addresses: []string{keyY}}, false, true},
		"no address of the workspace":    {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByAddress, Addresses: []string{"credential.mem_key.other"}}, false, true},
		"all, and it is one":             {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByAll}, true, true},
		"where that holds":               {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByWhere, Where: `key == "x"`}, true, true},
		"where that does not hold":       {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByWhere, Where: `key == "y"`}, false, true},
		"where that is no HCL":           {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByWhere, Where: `key ==`}, false, true},
		"due, and never is":              {planner.Request{Addresses: []string{ageless}}, &plan.Selection{By: plan.ByDue}, false, true},
		"due, and is not yet":            {planner.Request{Addresses: []string{aged}}, &plan.Selection{By: plan.ByDue}, false, true},
		"due, and leaves another out":    {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: plan.ByDue}, true, true},
		"due, and it is all that is":     {planner.Request{Addresses: []string{keyX, keyY}}, &plan.Selection{By: plan.ByDue}, true, false},
		"due, for what age never starts": {planner.Request{Reason: lifecycle.Compromised, Addresses: []string{keyX, keyY}}, &plan.Selection{By: plan.ByDue}, false, true},
		"nothing":                        {planner.Request{Addresses: []string{keyX}}, nil, false, true},
		"a way that there is not":        {planner.Request{Addresses: []string{keyX}}, &plan.Selection{By: "luck"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanner(t, w, nil)
			p.Known = before(map[string]time.Duration{aged: time.Hour, token: time.Minute})
			_, file := chosen(t, p, row.of)
			file.Plan.Selection = row.claim
			file, err := plan.New(file.Plan, nil, file.CreatedAt)
			if err != nil {
				t.Fatal(err)
			}
			in, again := chosen(t, p, planner.Again(file))
			if (again.Digest == file.Digest) != row.honest || in.Partial != row.partial {
				t.Errorf("the claim stands: %v; partial: %v; %+v", again.Digest == file.Digest, in.Partial, again.Plan.Selection)
			}
		})
	}
}

// What was due and is reset meanwhile refuses itself, and not the plan.
func TestDueAndResetSince(t *testing.T) {
	p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil), nil)
	_, file := chosen(t, p, planner.Request{})
	p.Known = before(map[string]time.Duration{aged: -time.Hour})
	in, again := chosen(t, p, planner.Again(file))
	if diff := cmp.Diff(file.Plan.Selection, again.Plan.Selection); diff != "" || in.Partial {
		t.Error(in.Partial, diff)
	}
}

// A saved plan about nothing is about nothing, whatever is due by now.
func TestAgainAboutNothing(t *testing.T) {
	p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil), nil)
	_, file := chosen(t, p, planner.Request{Reason: lifecycle.Compromised, Where: "false"})
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		t.Fatal(err)
	}
	file, err := plan.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if _, again := chosen(t, p, planner.Again(file)); again.Digest != file.Digest || len(again.Plan.Resets) != 0 {
		t.Error(again.Plan)
	}
}
