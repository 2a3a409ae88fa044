package planner_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/provider"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shapes has a credential of each kind, with stores and a consumer, and one with
// neither.
const shapes = `
provider "mem" "main" { environment = "test" }
credential "mem_password" "role" {
  provider = mem.main
  name     = "role"
  owner    = "a@example.com"
  store "mem" "env" { key = "DB_PASSWORD" }
  consumer "mem" "web" { command = "reload" }
}
credential "mem_key" "deploy" {
  provider = mem.main
  name     = "deploy"
  owner    = "a@example.com"
  store "mem" "private" { field = "private_key" }
  store "mem" "public" { field = "public_key" }
}
credential "mem_token" "api" {
  provider   = mem.main
  name       = "api"
  owner      = "b@example.com"
  depends_on = [credential.mem_password.role]
  store "mem" "cert" { field = "certificate" }
  store "mem" "key" { field = "private_key" }
}
credential "mem_password" "loose" {
  provider = mem.main
  name     = "loose"
  owner    = "b@example.com"
}
`

// text is what a reviewer reads of a plan: a line a step, and the notes.
func text(p *plan.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", p.Reason, p.Mode)
	for _, r := range p.Resets {
		fmt.Fprintf(&b, "\n%s (%s, %s) after %v\n", r.Address, r.Kind, r.Environment, r.DependsOn)
		for _, s := range r.Steps {
			mark := " "
			if !s.Reversible {
				mark = "!"
			}
			fmt.Fprintf(&b, "  %s %s [%s] %s\n", mark, s.Address, s.Target, s.Summary)
			fmt.Fprintf(&b, "      after %s\n", strings.Join(s.DependsOn, ", "))
		}
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": shapes + runbooks}, nil)
	for _, reason := range []lifecycle.Reason{lifecycle.Scheduled, lifecycle.Compromised, lifecycle.Offboarding} {
		t.Run(string(reason.Mode()), func(t *testing.T) {
			planned, diags := newPlanner(t, w, nil).Plan(context.Background(), planner.Request{Reason: reason, All: true})
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			got, file := text(&planned.File.Plan), filepath.Join("testdata", string(reason.Mode())+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The notes say what is not as one would wish, and nothing else.
func TestNotes(t *testing.T) {
	const (
		absent   = "The target does not have this credential yet: there is no old one to kill."
		gone     = "The target does not have this credential."
		disabled = "Logging in is disabled at the target; this reset enables it."
		gap      = "Gap: from install until the stores have the new secret, whoever logs in with what they hold is refused."
		contain  = "Gap: from revoke until the stores have the new secret, nobody can log in."
		settling = "Gap: from revoke until the stores have the new secret, nobody can log in (at least 1m0s: so long a login begun before may take)."
		noStore  = "No store: the new secret stays sealed in the state until it is taken with `remint recover`."
		untested = "No store holds the old secret, so its death can be reported by the target, not tested by using it."
		unfenced = "Unfenced: the target cannot tell a runner that was overtaken; only the lease in the state keeps it away."
	)
	w := load(t, map[string]string{"main.remint.hcl": shapes + runbooks}, nil)
	sound := provider.Observation{Exists: true, Enabled: true, Fenced: true}
	with := func(change func(*provider.Observation)) *provider.Observation {
		o := sound
		change(&o)
		return &o
	}
	unrecorded := with(func(o *provider.Observation) {
		*o = provider.Observation{Incomplete: true, Notes: []string{"It keeps an index."}}
	})
	none := with(func(o *provider.Observation) { *o = provider.Observation{} })
	off := with(func(o *provider.Observation) { o.Enabled = false })
	for name, row := range map[string]struct {
		address string
		obs     *provider.Observation
		reason  lifecycle.Reason
		want    []string
	}{
		"in place":                   {"credential.mem_password.role", &sound, lifecycle.Scheduled, []string{gap}},
		"overlapping":                {"credential.mem_key.deploy", &sound, lifecycle.Scheduled, nil},
		"minted":                     {"credential.mem_token.api", &sound, lifecycle.Scheduled, nil},
		"no store":                   {"credential.mem_password.loose", &sound, lifecycle.Scheduled, []string{noStore, untested}},
		"no store, nothing old":      {"credential.mem_password.loose", none, lifecycle.Scheduled, []string{absent, noStore}},
		"absent":                     {"credential.mem_key.deploy", none, lifecycle.Scheduled, []string{absent}},
		"absent in retire":           {"credential.mem_key.deploy", none, lifecycle.Offboarding, []string{gone}},
		"no record, yet to be made":  {"credential.mem_token.api", unrecorded, lifecycle.Scheduled, []string{absent, "It keeps an index."}},
		"disabled":                   {"credential.mem_key.deploy", off, lifecycle.Scheduled, []string{disabled}},
		"disabled, to be contained":  {"credential.mem_key.deploy", off, lifecycle.Compromised, []string{contain}},
		"contain":                    {"credential.mem_password.role", &sound, lifecycle.Compromised, []string{contain}},
		"contain, logins may linger": {"credential.mem_password.role", with(func(o *provider.Observation) { o.Settle = time.Minute }), lifecycle.Compromised, []string{settling}},
		"no sessions, no lingering":  {"credential.mem_token.api", with(func(o *provider.Observation) { o.Settle = time.Minute }), lifecycle.Compromised, []string{contain}},
		"retire":                     {"credential.mem_password.role", &sound, lifecycle.Offboarding, nil},
		"retire without a store":     {"credential.mem_password.loose", &sound, lifecycle.Offboarding, []string{untested}},
		"unfenced":                   {"credential.mem_key.deploy", with(func(o *provider.Observation) { o.Fenced = false }), lifecycle.Scheduled, []string{unfenced}},
		"the target's own come last": {"credential.mem_password.role", with(func(o *provider.Observation) { o.Notes = []string{"It is odd."} }), lifecycle.Scheduled, []string{gap, "It is odd."}},
	} {
		t.Run(name, func(t *testing.T) {
			at := targets{}
			for _, n := range []string{"role", "deploy", "api", "loose"} {
				at[n] = row.obs
			}
			planned, diags := newPlanner(t, w, at).Plan(context.Background(), planner.Request{Reason: row.reason, Addresses: []string{row.address}})
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			got := planned.File.Plan.Resets[0].Notes
			if diff := cmp.Diff(append([]string{}, row.want...), append([]string{}, got...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the target and the state say is in the plan, with what may change any
// moment kept apart; an offline plan asks nobody and can never be applied.
func TestObserved(t *testing.T) {
	w := load(t, map[string]string{"main.remint.hcl": shapes + runbooks}, nil)
	const role = "credential.mem_password.role"
	used := now.Add(-time.Hour)
	p := newPlanner(t, w, targets{"role": {Exists: true, Versions: []provider.Version{{ID: "v2"}, {ID: "v1"}}, Sessions: 3, LastUsed: used}})
	p.Known = before(map[string]time.Duration{role: time.Minute})
	req := planner.Request{Reason: lifecycle.Scheduled, Addresses: []string{role}}
	planned, diags := p.Plan(context.Background(), req)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan.Observed{Exists: true, Generation: 1, Target: "mem:1", Versions: []string{"v2", "v1"}}, planned.File.Plan.Resets[0].Observed); diff != "" {
		t.Error(diff)
	}
	reset := now.Add(-time.Minute)
	if diff := cmp.Diff([]plan.Seen{{Address: role, LastReset: &reset, LastUsed: &used, Sessions: 3}}, planned.File.Seen); diff != "" {
		t.Error(diff)
	}
	if !planned.File.Plan.Applyable {
		t.Error("it cannot be applied")
	}
	p.Fleet = nil
	offline, diags := p.Plan(context.Background(), req)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	if offline.File.Plan.Applyable || offline.File.Plan.Resets[0].Observed.Target != "" || offline.File.Seen[0].Sessions != -1 {
		t.Errorf("offline: %+v, %+v", offline.File.Plan.Resets[0].Observed, offline.File.Seen)
	}
}

// A denial is in the plan, which can then not be applied; the plan itself is made.
func TestDeniedPlan(t *testing.T) {
	p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": shapes + runbooks}, nil), nil)
	p.Policies = judges(t, "package remint.plan\ndeny contains {\"id\": \"d\", \"msg\": \"not this one\", \"address\": r.address} if {\n some r in input.resets\n r.kind == \"minted\"\n}\n")
	planned, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Scheduled, All: true})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	doc := planned.File.Plan
	if doc.Applyable || len(doc.Decisions) != 1 || doc.Decisions[0].Level != plan.Deny || doc.Decisions[0].Address != "credential.mem_token.api" || len(doc.Resets) != 4 {
		t.Errorf("applyable %v, %+v", doc.Applyable, doc.Decisions)
	}
}
