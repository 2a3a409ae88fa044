package planner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/provider"
)

// What was retired is chosen by name alone, as long as its target says that it is gone.
func TestRetired(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	gone := &provider.Observation{}
	for name, row := range map[string]struct {
		req    planner.Request
		target *provider.Observation
		mode   lifecycle.Mode
		want   bool
	}{
		"due":                       {planner.Request{}, gone, lifecycle.Retire, false},
		"all":                       {planner.Request{All: true}, gone, lifecycle.Retire, false},
		"all, compromised":          {planner.Request{All: true, Reason: lifecycle.Compromised}, gone, lifecycle.Retire, false},
		"all, retired again":        {planner.Request{All: true, Reason: lifecycle.Offboarding}, gone, lifecycle.Retire, false},
		"by an expression":          {planner.Request{Where: `name == "aged"`}, gone, lifecycle.Retire, false},
		"named":                     {planner.Request{Addresses: []string{aged}}, gone, lifecycle.Retire, true},
		"disabled":                  {planner.Request{}, &provider.Observation{Exists: true}, lifecycle.Retire, false},
		"there again":               {planner.Request{}, &provider.Observation{Exists: true, Enabled: true}, lifecycle.Retire, true},
		"a store holds a version":   {planner.Request{}, &provider.Observation{Exists: true, Versions: []provider.Version{{ID: "v", Stored: true}}}, lifecycle.Retire, true},
		"no record of all":          {planner.Request{}, &provider.Observation{Incomplete: true}, lifecycle.Retire, true},
		"gone, but not by a retire": {planner.Request{}, gone, lifecycle.Cutover, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanner(t, w, targets{"aged": row.target})
			p.Known = planner.Known{aged: journal.Credential{Generation: 1, Finished: journal.Finished{At: now.Add(-48 * time.Hour), Mode: string(row.mode)}}}
			if row.req.Reason == "" {
				row.req.Reason = lifecycle.Scheduled
			}
			planned, diags := p.Plan(context.Background(), row.req)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(fmt.Sprint(addresses(planned)), aged); got != row.want {
				t.Errorf("chosen: %v", addresses(planned))
			}
			var notes []string
			for _, d := range diags {
				notes = append(notes, d.Detail)
			}
			said := strings.Contains(strings.Join(notes, "\n"), aged+" was retired on 2026-02-27")
			if said == row.want {
				t.Errorf("told: %v, %q", said, notes)
			}
			if in := planner.Input("", &planned.File.Plan, planned.Resets); row.req.All && len(planned.Resets) > 0 && in.Partial {
				t.Error("to leave it out leaves something out")
			}
		})
	}
}

// A target that cannot be asked is told as for any other credential, and a saved plan has
// what it was made of.
func TestRetiredAndNotTold(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": fleetOfFive + runbooks}, nil)
	known := planner.Known{aged: journal.Credential{Generation: 1, Finished: journal.Finished{At: now.Add(-48 * time.Hour), Mode: string(lifecycle.Retire)}}}
	p := newPlanner(t, w, targets{"aged": nil})
	p.Known = known
	if _, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Scheduled}); !diags.HasErrors() {
		t.Error("a target that does not answer is passed over")
	}
	p = newPlanner(t, w, targets{"aged": {}})
	p.Known = known
	named, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Scheduled, Addresses: []string{aged}})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	again, diags := p.Plan(context.Background(), planner.Again(named.File))
	if diags.HasErrors() || again.File.Digest != named.File.Digest {
		t.Errorf("planned again it is another plan: %v, %v", addresses(again), diags)
	}
}

// Ten thousand that left are one warning.
func TestManyRetired(t *testing.T) {
	text := `
provider "mem" "main" { environment = "test" }
credential "mem_password" "left" {
  for_each = toset([for i in range(100) : format("p%02d", i)])
  provider = mem.main
  name     = each.key
  owner    = "a@example.com"
}
`
	w := load(t, map[string]string{"main.remint.hcl": text + runbooks}, nil)
	all := targets{}
	known := planner.Known{}
	for _, c := range w.Credentials {
		all[c.Attrs.String("name")] = &provider.Observation{}
		known[c.Addr.String()] = journal.Credential{Finished: journal.Finished{At: now, Mode: string(lifecycle.Retire)}}
	}
	p := newPlanner(t, w, all)
	p.Known = known
	planned, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Compromised, All: true})
	if len(planned.Resets) > 0 || len(diags) != 1 || diags[0].Severity != diag.Warning {
		t.Fatalf("%d resets, %v", len(planned.Resets), diags)
	}
	if want := `["p04"] was retired on 2026-03-01, 95 more were retired. Nobody`; !strings.Contains(diags[0].Detail, want) {
		t.Error(diags[0].Detail)
	}
}
