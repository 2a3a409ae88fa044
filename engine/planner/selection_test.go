package planner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
)

const fleetOfFive = `
provider "mem" "main" { environment = "test" }
credential "mem_password" "aged" {
  provider = mem.main
  name     = "aged"
  owner    = "a@example.com"
  max_age  = "24h"
  labels   = { tier = "1" }
}
credential "mem_password" "ageless" {
  provider = mem.main
  name     = "ageless"
  owner    = "b@example.com"
}
credential "mem_key" "team" {
  for_each = toset(["x", "y"])
  provider = mem.main
  name     = each.key
  owner    = "a@example.com"
  max_age  = "48h"
}
credential "mem_token" "team" {
  provider = mem.main
  name     = "t"
  owner    = "c@example.com"
  max_age  = "1h"
}
`

const (
	aged    = "credential.mem_password.aged"
	ageless = "credential.mem_password.ageless"
	keyX    = `credential.mem_key.team["x"]`
	keyY    = `credential.mem_key.team["y"]`
	token   = "credential.mem_token.team"
)

// before says when credentials were last reset.
func before(ages map[string]time.Duration) planner.Known {
	out := planner.Known{}
	for address, age := range ages {
		out[address] = journal.Credential{Generation: 1, Finished: journal.Finished{At: now.Add(-age)}}
	}
	return out
}

func TestSelection(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	young := map[string]time.Duration{aged: time.Hour, keyX: time.Hour, keyY: time.Hour, token: time.Minute}
	for name, row := range map[string]struct {
		req  planner.Request
		ages map[string]time.Duration
		want []string
	}{
		"unknown age is due":             {planner.Request{}, nil, []string{keyX, keyY, aged, token}},
		"nothing is due":                 {planner.Request{}, young, []string{}},
		"as old as max_age is due":       {planner.Request{}, map[string]time.Duration{aged: 24 * time.Hour, keyX: 48 * time.Hour, keyY: time.Hour, token: 0}, []string{keyX, aged}},
		"a moment younger is not":        {planner.Request{}, map[string]time.Duration{aged: 24*time.Hour - 1, keyX: 48*time.Hour - 1, keyY: time.Hour, token: 0}, []string{}},
		"a reset in the future is young": {planner.Request{}, map[string]time.Duration{aged: -time.Hour, keyX: 0, keyY: 0, token: 0}, []string{}},
		"expiring goes by age too":       {planner.Request{Reason: lifecycle.Expiring}, map[string]time.Duration{aged: 0, keyX: 0, keyY: 0}, []string{token}},
		"all, however young":             {planner.Request{All: true}, young, []string{keyX, keyY, aged, ageless, token}},
		"one address":                    {planner.Request{Addresses: []string{ageless}}, nil, []string{ageless}},
		"a block's address":              {planner.Request{Addresses: []string{"credential.mem_key.team"}}, nil, []string{keyX, keyY}},
		"an instance's address":          {planner.Request{Addresses: []string{keyY}}, nil, []string{keyY}},
		"twice is once, in plan order":   {planner.Request{Addresses: []string{token, keyY, "credential.mem_key.team", token}}, nil, []string{keyX, keyY, token}},
		"where by owner":                 {planner.Request{Where: `owner == "a@example.com"`}, nil, []string{keyX, keyY, aged}},
		"where by a label some lack":     {planner.Request{Where: `labels.tier == "1"`}, nil, []string{aged}},
		"where by type and key":          {planner.Request{Where: `type == "mem_key" && key != "x"`}, nil, []string{keyY}},
		"where fits nothing":             {planner.Request{Where: `environment == "production"`}, nil, []string{}},
		"compromised, named":             {planner.Request{Reason: lifecycle.Compromised, Addresses: []string{aged}}, young, []string{aged}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanner(t, w, nil)
			p.Known = before(row.ages)
			if row.req.Reason == "" {
				row.req.Reason = lifecycle.Scheduled
			}
			planned, diags := p.Plan(context.Background(), row.req)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, addresses(planned)); diff != "" {
				t.Error(diff)
			}
			if len(planned.Resets) != len(row.want) || len(planned.File.Seen) != len(row.want) {
				t.Errorf("%d resets and %d seen for %d addresses", len(planned.Resets), len(planned.File.Seen), len(row.want))
			}
		})
	}
}

func TestSelectionRefused(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	for name, row := range map[string]struct {
		req          planner.Request
		summary, say string
	}{
		"addresses and all":     {planner.Request{Addresses: []string{aged}, All: true}, "More than one selection", "-where or -all"},
		"where and all":         {planner.Request{Where: "true", All: true}, "More than one selection", ""},
		"compromised, by age":   {planner.Request{Reason: lifecycle.Compromised}, "Nothing selected", "-where=EXPR"},
		"forgotten, by age":     {planner.Request{Reason: lifecycle.Forgotten}, "Nothing selected", "forgotten"},
		"offboarding, by age":   {planner.Request{Reason: lifecycle.Offboarding}, "Nothing selected", "never chosen by age"},
		"no address":            {planner.Request{Addresses: []string{"credential"}}, "Not an address", ""},
		"unknown instance":      {planner.Request{Addresses: []string{`credential.mem_key.team["z"]`}}, "", `credential.mem_key.team["x"]`},
		"misspelt":              {planner.Request{Addresses: []string{"credential.mem_password.agedd"}}, "", aged},
		"where is no condition": {planner.Request{Where: `owner`}, "A value does not fit", "true or false"},
		"where is no HCL":       {planner.Request{Where: `owner ==`}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if row.req.Reason == "" {
				row.req.Reason = lifecycle.Scheduled
			}
			planned, diags := newPlanner(t, w, nil).Plan(context.Background(), row.req)
			if planned != nil || !diags.HasErrors() {
				t.Fatalf("planned %v", planned)
			}
			if row.summary != "" && diags[0].Summary != row.summary || !strings.Contains(diags.Err().Error(), row.say) || diags[0].Detail == "" {
				t.Errorf("want %q and %q in %v", row.summary, row.say, diags.Err())
			}
		})
	}
}

// A target that cannot be read is told once, with whom it concerns, and there is
// no plan that leaves it out silently.
func TestUnreadableTargets(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	planned, diags := newPlanner(t, w, targets{"x": nil, "y": nil}).Plan(context.Background(), planner.Request{Reason: lifecycle.Scheduled, All: true})
	if planned != nil || len(diags) != 1 {
		t.Fatalf("planned %v, %v", planned, diags)
	}
	if d := diags[0]; d.Address != keyX || !strings.Contains(d.Detail, keyX+" and 1 more") || !strings.Contains(d.Detail, "does not answer") {
		t.Errorf("%+v", d)
	}
}
