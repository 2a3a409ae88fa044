package planner_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

const accounts = `
provider "mem" "main" {
  url         = "id:mem:1"
  environment = "test"
}
provider "mem" "alias" {
  url         = "id:mem:1"
  environment = "test"
}
provider "mem" "second" {
  url         = "id:mem:2"
  environment = "test"
}
provider "mem" "odd" {
  url         = "id:mem-at:host"
  environment = "test"
}
provider "mem" "down" {
  url         = "down"
  environment = "test"
}
notifier "mem" "ops" { channel = "ops" }
`

const (
	ann   = "credential.mem_password.ann"
	bob   = "credential.mem_password.bob"
	other = "credential.mem_password.other"
)

// account is a credential block.
func account(label, at, name, who, tier string) string {
	return "credential \"mem_password\" \"" + label + "\" {\n  provider = mem." + at + "\n  name = \"" + name + "\"\n  owner = \"" + who + "-owner\"\n  subject = \"" + who + "\"\n" +
		"  labels = { tier = \"" + tier + "\" }\n}\n"
}

// keeping is a credential block with a store.
func keeping(block, attributes string) string {
	return strings.TrimSuffix(block, "}\n") + "  store \"mem\" \"kept\" {\n" + attributes + "\n  }\n}\n"
}

// loadBase reads a trust base.
func loadBase(t *testing.T, text string) *config.Workspace {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.remint.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w, diags := config.Load(config.Options{Dir: dir, Home: dir, Label: "base/", Registry: registry(nil), Builtin: fstest.MapFS{}, Version: "0.1.0"})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

// Whatever the workspace calls an account, it is judged as what the trust base says of it,
// at whichever address.
func TestCounterparts(t *testing.T) {
	const judging = `package remint.plan
require contains {"approvals": 2, "group": sprintf("tier %s", [r.labels.tier]), "address": r.address} if {
	some r in input.resets
}
require contains {"approvals": 1, "group": "ann's", "address": r.address} if {
	some r in input.resets
	r.address == "credential.mem_password.ann"
}
require contains {"approvals": 1, "group": "keys", "address": r.address} if {
	some r in input.resets
	r.credential_type == "mem_key"
	r.kind == "overlapping"
}
warn contains {"id": "base", "msg": sprintf("%s of %s", [x.address, x.owner]), "address": r.address} if {
	some r in input.resets
	some x in array.concat([r.change.base], object.get(r.change, "others", []))
}
`
	base := account("ann", "main", "ann", "ann", "1") + account("bob", "main", "bob", "bob", "2")
	const at, member, elsewhere = `path = "/secrets/ann"`, "path = \"/secrets/all\"\nformat = \"json\"\nkey = \"ann.old\"", `path = "/secrets/moved"`
	kept := keeping(account("ann", "main", "ann", "ann", "1"), at)
	keptByKey := keeping(account("ann", "main", "ann", "ann", "1"), member)
	taken := &plan.Change{Address: ann, Fields: []string{"address", "attributes", "labels", "owner", "subject"}, Owner: "ann-owner", Subject: "ann"}
	takenByKey := &plan.Change{Address: ann, Fields: []string{"address", "attributes", "labels", "owner", "stores", "subject"}, Owner: "ann-owner", Subject: "ann"}
	mine := func(label, at, name string) string { return account(label, at, name, "mal", "3") }
	for name, row := range map[string]struct {
		base, text string
		about      string // the address in the plan that is looked at
		want       *plan.Change
		groups     []string // that must agree to it
		owners     []string
		subjects   []string
		warns      []string
		twins      int
		offline    bool
	}{
		"nothing": {text: base, about: ann, groups: []string{"ann's", "tier 1"}, subjects: []string{"ann"}},
		"renamed": {text: account("other", "main", "ann", "ann", "1"), about: other,
			want:   &plan.Change{Address: ann, Fields: []string{"address"}, Owner: "ann-owner"},
			groups: []string{"ann's", "tier 1"}, owners: []string{"ann-owner"}, subjects: []string{"ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"renamed and taken": {text: mine("other", "main", "ann"), about: other,
			want:   &plan.Change{Address: ann, Fields: []string{"address", "labels", "owner", "subject"}, Owner: "ann-owner", Subject: "ann"},
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"renamed, its name given away": {text: mine("other", "main", "ann") + account("ann", "main", "new", "ann", "1"), about: other,
			want:   &plan.Change{Address: ann, Fields: []string{"address", "labels", "owner", "subject"}, Owner: "ann-owner", Subject: "ann"},
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 2},
		"a second one by another block": {text: base + mine("other", "alias", "ann"), about: other,
			want:   &plan.Change{Address: ann, Fields: []string{"address", "labels", "owner", "provider", "subject"}, Owner: "ann-owner", Subject: "ann"},
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"targets that cannot be compared": {text: base + mine("other", "odd", "ann"), about: other,
			want:   &plan.Change{Address: ann, Fields: []string{"address", "labels", "owner", "provider", "subject"}, Owner: "ann-owner", Subject: "ann"},
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"the name at another target": {text: base + mine("other", "second", "ann"), about: other,
			want: &plan.Change{Fields: []string{"added"}}, groups: []string{"tier 3"}, subjects: []string{"mal"}},
		"pointed at another's": {text: account("bob", "main", "ann", "bob", "2"), about: bob,
			want:   &plan.Change{Fields: []string{"address", "attributes", "labels", "owner", "subject"}, Owner: "bob-owner", Others: []plan.Counterpart{{Address: ann, Owner: "ann-owner", Subject: "ann"}}},
			groups: []string{"ann's", "tier 1", "tier 2"}, owners: []string{"bob-owner", "ann-owner"}, subjects: []string{"bob", "ann"}, warns: []string{bob + " of bob-owner", ann + " of ann-owner"}, twins: 2},
		"pointed at another's by another block": {text: mine("bob", "alias", "ann"), about: bob,
			want: &plan.Change{Fields: []string{"address", "attributes", "labels", "owner", "provider", "subject"}, Owner: "bob-owner", Subject: "bob",
				Others: []plan.Counterpart{{Address: ann, Owner: "ann-owner", Subject: "ann"}}},
			groups: []string{"ann's", "tier 1", "tier 2", "tier 3"}, owners: []string{"bob-owner", "ann-owner"}, subjects: []string{"mal", "bob", "ann"}, warns: []string{bob + " of bob-owner", ann + " of ann-owner"}, twins: 2},
		"exchanged": {text: account("ann", "main", "bob", "ann", "1") + account("bob", "main", "ann", "bob", "2"), about: bob,
			want:   &plan.Change{Fields: []string{"address", "attributes", "labels", "owner", "subject"}, Owner: "bob-owner", Others: []plan.Counterpart{{Address: ann, Owner: "ann-owner", Subject: "ann"}}},
			groups: []string{"ann's", "tier 1", "tier 2"}, owners: []string{"bob-owner", "ann-owner"}, subjects: []string{"bob", "ann"}, warns: []string{bob + " of bob-owner", ann + " of ann-owner"}, twins: 2},
		"the base has it twice": {base: base + account("more", "main", "ann", "more", "4"), text: base, about: ann,
			want:   &plan.Change{Address: "credential.mem_password.more", Fields: []string{"address", "labels", "owner", "subject"}, Owner: "more-owner", Subject: "more"},
			groups: []string{"ann's", "tier 1", "tier 4"}, owners: []string{"more-owner"}, subjects: []string{"ann", "more"}, warns: []string{"credential.mem_password.more of more-owner"}, twins: 1},
		"the base has it by two blocks": {base: base + account("more", "alias", "ann", "more", "4"), text: base, about: ann,
			groups: []string{"ann's", "tier 1"}, subjects: []string{"ann"}},
		"its store is as it was": {base: kept, text: kept, about: ann, groups: []string{"ann's", "tier 1"}, subjects: []string{"ann"}},
		"another in its store": {base: kept, text: keeping(mine("other", "main", "new"), at), about: other, want: taken,
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"another in its store, which moved": {base: kept, text: keeping(account("ann", "main", "ann", "ann", "1"), elsewhere) + keeping(mine("other", "main", "new"), at), about: other, want: taken,
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 2},
		"another in its store, offline": {base: kept, text: keeping(mine("other", "main", "new"), at), about: other, offline: true, want: taken,
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"another of the base in its store": {base: kept + account("bob", "main", "bob", "bob", "2"), text: keeping(account("bob", "main", "bob", "bob", "2"), at), about: bob,
			want:   &plan.Change{Fields: []string{"address", "attributes", "labels", "owner", "stores", "subject"}, Owner: "bob-owner", Others: []plan.Counterpart{{Address: ann, Owner: "ann-owner", Subject: "ann"}}},
			groups: []string{"ann's", "tier 1", "tier 2"}, owners: []string{"bob-owner", "ann-owner"}, subjects: []string{"bob", "ann"}, warns: []string{bob + " of bob-owner", ann + " of ann-owner"}, twins: 2},
		"one of another type in its store": {base: strings.Replace(keeping(account("ann", "main", "ann", "ann", "1"), at+"\nfield = \"private_key\""), "mem_password", "mem_key", 1), text: keeping(mine("other", "main", "new"), at), about: other,
			want:   &plan.Change{Address: "credential.mem_key.ann", Fields: []string{"address", "attributes", "labels", "owner", "runbook", "stores", "subject"}, Owner: "ann-owner", Subject: "ann"},
			groups: []string{"keys", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{"credential.mem_key.ann of ann-owner"}, twins: 1},
		"another by its key": {base: keptByKey, text: keeping(mine("other", "main", "new"), strings.Replace(member, "old", `o\\ld`, 1)), about: other, want: takenByKey,
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"the whole file of its key": {base: keptByKey, text: keeping(mine("other", "main", "new"), `path = "/secrets/all"`), about: other, want: takenByKey,
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"another key of its file": {base: keptByKey, text: keptByKey + keeping(mine("other", "main", "new"), strings.Replace(member, "old", "new", 1)), about: other,
			want: &plan.Change{Fields: []string{"added"}}, groups: []string{"tier 3"}, subjects: []string{"mal"}},
		"offline": {text: mine("other", "main", "ann"), about: other, offline: true,
			want:   &plan.Change{Address: ann, Fields: []string{"address", "labels", "owner", "subject"}, Owner: "ann-owner", Subject: "ann"},
			groups: []string{"ann's", "tier 1", "tier 3"}, owners: []string{"ann-owner"}, subjects: []string{"mal", "ann"}, warns: []string{ann + " of ann-owner"}, twins: 1},
		"offline, nobody is asked": {text: base + mine("other", "alias", "ann"), about: other, offline: true,
			want: &plan.Change{Fields: []string{"added"}}, groups: []string{"tier 3"}, subjects: []string{"mal"}},
	} {
		t.Run(name, func(t *testing.T) {
			if row.base == "" {
				row.base = base
			}
			p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": accounts + runbooks + row.text}, nil), nil)
			p.Base, p.Trust, p.Policies = loadBase(t, accounts+runbooks+row.base), plan.FromBase, judges(t, judging)
			if row.offline {
				p.Fleet = nil
			}
			planned, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Forgotten, All: true})
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			doc := &planned.File.Plan
			var about *plan.Reset
			for i := range doc.Resets {
				if doc.Resets[i].Address == row.about {
					about = &doc.Resets[i]
				}
			}
			if diff := cmp.Diff(row.want, about.Change); diff != "" {
				t.Error(diff)
			}
			var groups, warns []string
			for _, r := range doc.Requirements.Approvals {
				if len(r.Addresses) == 0 || strings.Contains(strings.Join(r.Addresses, " "), row.about) {
					groups = append(groups, r.Group)
				}
			}
			for _, d := range doc.Decisions {
				if d.Address == row.about {
					warns = append(warns, d.Message)
				}
			}
			sorted := func(list []string) []string { // as decisions are
				if len(list) == 2 && list[0] > list[1] {
					list[0], list[1] = list[1], list[0]
				}
				return list
			}
			for _, diff := range []string{
				cmp.Diff(row.groups, groups), cmp.Diff(sorted(row.warns), warns),
				cmp.Diff(row.owners, about.BaseOwners()), cmp.Diff(row.subjects, about.Subjects()),
			} {
				if diff != "" {
					t.Error(diff)
				}
			}
			notes := strings.Join(about.Notes, "\n")
			for _, x := range append(row.owners, row.warns...) {
				if who, _, _ := strings.Cut(x, " of "); who != row.about && who != about.Owner && !strings.Contains(notes, who) {
					t.Errorf("the plan's notes do not name %s: %s", who, notes)
				}
			}
			if inStore := strings.Contains(name, "in its store") || strings.Contains(name, "its key"); inStore != strings.Contains(notes, "its store mem.kept is where the trust base has the secret of credential.") {
				t.Errorf("whether it is a store that counts: %s", notes)
			}
			again, diags := p.Restore(planned.File)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			in := planner.Input(policy.StageResult, doc, again)
			if got := len(planner.Before(in, again)); got != row.twins {
				t.Errorf("restored, it is judged by %d other inputs, want %d", got, row.twins)
			}
			for i, r := range again {
				if diff := cmp.Diff(planned.Resets[i].Input.Change, r.Input.Change); diff != "" {
					t.Errorf("restored, %s", diff)
				}
			}
		})
	}
}

// Whether it is somebody's account must be told before anything is planned.
func TestCounterpartUntold(t *testing.T) {
	base := account("ann", "down", "ann", "ann", "1")
	p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": accounts + runbooks + base + account("other", "main", "ann", "mal", "3")}, nil), nil)
	p.Base = loadBase(t, accounts+runbooks+base)
	_, diags := p.Plan(context.Background(), planner.Request{Reason: lifecycle.Forgotten, Addresses: []string{other}})
	if err := diags.Err(); err == nil || !strings.Contains(err.Error(), ann+", which is the same account if it lies at the same target, and that cannot be asked: nobody answers. Mend this, or have "+other+" agreed to") {
		t.Errorf("%v", diags)
	}
}
