package planner_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// What is not as the trust base has it is said, and judged under both.
func TestAgainstBase(t *testing.T) {
	const judging = `package remint.plan
require contains {"approvals": 2, "group": "pay", "address": r.address} if {
	some r in input.resets
	r.labels.tier == "1"
}
require contains {"approvals": 1, "group": "other", "address": r.address} if {
	some r in input.resets
	r.labels.tier == "2"
}
warn contains {"id": "owner", "msg": sprintf("owned by %s", [r.owner]), "address": r.address} if {
	some r in input.resets
}
warn contains {"id": "provider", "msg": sprintf("was at %s", [r.change.base.provider]), "address": r.address} if {
	some r in input.resets
	"provider" in r.change.fields
	r.provider == "mem.other"
}
warn contains {"id": "age", "msg": sprintf("due after %d s", [seconds]), "address": r.address} if {
	some r in input.resets
	"max_age" in r.change.fields
	some seconds in {r.change.base.max_age_seconds, r.max_age_seconds}
}
deny contains {"id": "moved", "msg": "moved", "address": r.address} if {
	some r in input.resets
	"stores" in r.change.fields
	r.change.base.stores == r.stores
}
`
	const a = "credential.mem_password.a"
	whole := digested + runbooks + `
provider "mem" "other" {
  url         = "mem://two"
  environment = "test"
}
`
	said := map[string]bool{"added": true, "address": true} // TestCounterparts is about the latter
	for name, row := range map[string]struct {
		old, repl string
		fields    []string
		owner     string
		groups    []string
		warns     []string
		denied    bool
	}{
		"nothing":     {"", "", nil, "", []string{"pay"}, []string{"owned by a@example.com"}, false},
		"labels":      {`tier = "1"`, `tier = "2"`, []string{"labels"}, "a@example.com", []string{"other", "pay"}, []string{"owned by a@example.com"}, false},
		"owner":       {"  owner    = local.owner\n  max_age", "  owner    = \"m@example.com\"\n  max_age", []string{"owner"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com", "owned by m@example.com"}, false},
		"environment": {`environment = "test"`, "", []string{"environment"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, false},
		"store":       {`"k2"`, `"k3"`, []string{"stores"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, true},
		"consumer":    {`command = "reload"`, `command = "restart"`, []string{"consumers"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, false},
		"attribute":   {`name     = "a"`, `name = "root"`, []string{"attributes"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, false},
		"max age":     {`max_age  = "24h"`, `max_age  = "8760h"`, []string{"max_age"}, "a@example.com", []string{"pay"}, []string{"due after 31536000 s", "due after 86400 s", "owned by a@example.com"}, false},
		"provider":    {"  provider = mem.main\n  name     = \"a\"", "  provider = mem.other\n  name     = \"a\"", []string{"provider"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com", "was at mem.main"}, false},
		"runbook":     {"  prove \"refused\" {}", "  prove \"refused\" { description = \"d\" }", []string{"runbook"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, false},
		"subject":     {"  owner    = local.owner\n  max_age", "  owner    = local.owner\n  subject  = \"m@example.com\"\n  max_age", []string{"subject"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, false},
		"two":         {"  store \"mem\" \"two\" { key = \"k2\" }\n  consumer \"mem\" \"web\" { command = \"reload\" }\n", "", []string{"consumers", "stores"}, "a@example.com", []string{"pay"}, []string{"owned by a@example.com"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(whole, row.old, row.repl, 1)
			if row.old != "" && text == whole {
				t.Fatalf("%q is not in the workspace", row.old)
			}
			vars := map[string]string{"password": "p"}
			p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": text}, vars), nil)
			p.Base, p.Trust, p.Policies = load(t, map[string]string{"main.remint.hcl": whole}, vars), plan.FromBase, judges(t, judging)
			planned, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Scheduled, Addresses: []string{a}})
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			doc := &planned.File.Plan
			var want *plan.Change
			if row.fields != nil {
				want = &plan.Change{Fields: row.fields, Owner: row.owner}
			}
			if diff := cmp.Diff(want, doc.Resets[0].Change); diff != "" {
				t.Error(diff)
			}
			var groups, warns []string
			for _, r := range doc.Requirements.Approvals {
				groups = append(groups, r.Group)
			}
			denied := false
			for _, d := range doc.Decisions {
				if denied = denied || d.Level == plan.Deny; d.Level == plan.Warn {
					warns = append(warns, d.Message)
				}
			}
			if diff := cmp.Diff(row.groups, groups); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(row.warns, warns); diff != "" {
				t.Error(diff)
			}
			if denied != row.denied || doc.Applyable == denied {
				t.Errorf("denied: %v", denied)
			}
			again, diags := p.Restore(planned.File)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			in := planner.Input(policy.StageResult, doc, again)
			if got := len(planner.Before(in, again)); (got == 1) != (row.fields != nil) {
				t.Errorf("restored, it is judged by %d other inputs", got)
			}
		})
		for _, field := range row.fields {
			said[field] = true
		}
	}
	// Policies may compare with what may differ, and with nothing else.
	resets, _ := policy.Schema().Properties.Get("resets")
	change, _ := resets.Items.Properties.Get("change")
	fields, _ := change.Properties.Get("fields")
	for _, field := range fields.Items.Enum {
		if !said[field.(string)] {
			t.Errorf("no change has the field %v", field)
		}
	}
	if len(said) != len(fields.Items.Enum) {
		t.Errorf("%v, but a change has %v", fields.Items.Enum, said)
	}
	vars := map[string]string{"password": "p"}
	p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": whole}, vars), nil)
	p.Base = load(t, map[string]string{"main.remint.hcl": strings.Replace(whole, `x = "X", `, "", 1)}, vars)
	planned, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Scheduled, All: true})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	for _, r := range planned.File.Plan.Resets {
		if added := strings.Contains(r.Address, `"x"`); (r.Change != nil) != added || added && r.Change.Fields[0] != "added" {
			t.Errorf("%s: %+v", r.Address, r.Change)
		}
	}
}
