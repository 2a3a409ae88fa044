package planner_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/trust"
)

const digested = `
variable "password" {
  type      = string
  sensitive = true
}
locals { owner = "a@example.com" }
provider "mem" "main" {
  url         = "mem://one"
  password    = var.password
  environment = "test"
}
notifier "mem" "ops" { channel = "ops" }
credential "mem_password" "a" {
  provider = mem.main
  name     = "a"
  owner    = local.owner
  max_age  = "24h"
  labels   = { tier = "1", team = "pay", zone = "x" }
  store "mem" "one" { key = "k1" }
  store "mem" "two" { key = "k2" }
  consumer "mem" "web" { command = "reload" }
}
credential "mem_key" "team" {
  for_each   = { y = "Y", x = "X", z = "Z" }
  provider   = mem.main
  name       = each.value
  owner      = local.owner
  depends_on = [credential.mem_password.a]
}
`

// digests of the plan of everything in a workspace of these files.
func digests(t *testing.T, files map[string]string, password string, change func(*planner.Planner, *planner.Request)) (workspace, judges, whole string) {
	t.Helper()
	p := newPlanner(t, load(t, files, map[string]string{"password": password}), nil)
	req := planner.Request{Reason: lifecycle.Scheduled, All: true}
	if change != nil {
		change(p, &req)
	}
	p.Trust, p.TrustDigest = plan.SelfAsserted, trust.Of(p.Workspace, p.Policies.Digests(), "signer").Digest()
	planned, diags := p.Plan(context.Background(), req)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(planned.File)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(doc), password) {
		t.Fatalf("the sensitive value is in the plan: %s", doc)
	}
	return planned.File.Plan.WorkspaceDigest, planned.File.Plan.TrustDigest, planned.File.Digest
}

// What does not change the meaning does not change a digest.
func TestDigestsAreTheSame(t *testing.T) {
	whole := map[string]string{"main.remint.hcl": digested + runbooks}
	workspace, base, document := digests(t, whole, "first-canary", nil)
	at := strings.Index(digested, "credential \"mem_key\"")
	with := func(old, repl string) map[string]string {
		text := strings.Replace(digested, old, repl, 1)
		if text == digested {
			t.Fatalf("%q is not in the workspace", old)
		}
		return map[string]string{"main.remint.hcl": text + runbooks}
	}
	for name, row := range map[string]struct {
		files    map[string]string
		password string
		change   func(*planner.Planner, *planner.Request)
	}{
		"again":                     {files: whole},
		"another file name":         {files: map[string]string{"x.remint.hcl": digested + runbooks}},
		"files in another order":    {files: map[string]string{"a.remint.hcl": runbooks, "b.remint.hcl": digested[at:], "c.remint.hcl": digested[:at]}},
		"comments and layout":       {files: map[string]string{"main.remint.hcl": "# one\n" + strings.ReplaceAll(digested+runbooks, "\n", "  // two\n\n")}},
		"the order of a map":        {files: with(`{ tier = "1", team = "pay", zone = "x" }`, `{ zone = "x", team = "pay", tier = "1" }`)},
		"the order of for_each":     {files: with(`{ y = "Y", x = "X", z = "Z" }`, `{ z = "Z", x = "X", y = "Y" }`)},
		"the order of stores":       {files: with("  store \"mem\" \"one\" { key = \"k1\" }\n  store \"mem\" \"two\" { key = \"k2\" }\n", "  store \"mem\" \"two\" { key = \"k2\" }\n  store \"mem\" \"one\" { key = \"k1\" }\n")},
		"another spelling":          {files: with(`owner = "a@example.com"`, `owner = join("@", ["a", "example.com"])`)},
		"another sensitive value":   {files: whole, password: "second-canary"},
		"another number of runners": {files: whole, change: func(p *planner.Planner, _ *planner.Request) { p.Parallelism = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			if row.password == "" {
				row.password = "first-canary"
			}
			w, tr, pl := digests(t, row.files, row.password, row.change)
			if w != workspace || tr != base || pl != document {
				t.Errorf("workspace %v, trust %v, plan %v are the same", w == workspace, tr == base, pl == document)
			}
		})
	}
}

// What changes the meaning changes the digest of what it belongs to, and always
// that of the plan.
func TestDigestsDiffer(t *testing.T) {
	whole := map[string]string{"main.remint.hcl": digested + runbooks}
	workspace, base, document := digests(t, whole, "canary", nil)
	with := func(old, repl string) map[string]string {
		text := strings.Replace(digested+runbooks, old, repl, 1)
		if text == digested+runbooks {
			t.Fatalf("%q is not in the workspace", old)
		}
		return map[string]string{"main.remint.hcl": text}
	}
	for name, row := range map[string]struct {
		files            map[string]string
		change           func(*planner.Planner, *planner.Request)
		workspace, trust bool // whether these differ
	}{
		"owner":               {files: with(`owner = "a@example.com"`, `owner = "m@example.com"`), workspace: true},
		"age":                 {files: with(`"24h"`, `"25h"`), workspace: true},
		"label":               {files: with(`tier = "1"`, `tier = "2"`), workspace: true},
		"attribute":           {files: with(`x = "X"`, `x = "XX"`), workspace: true},
		"another instance":    {files: with(`z = "Z" }`, `z = "Z", zz = "ZZ" }`), workspace: true},
		"store's place":       {files: with(`"k2"`, `"k3"`), workspace: true},
		"dependency":          {files: with("  depends_on = [credential.mem_password.a]\n", ""), workspace: true},
		"runbook":             {files: with("  prove \"refused\" {}", "  prove \"refused\" { description = \"d\" }"), workspace: true},
		"consumer's command":  {files: with(`"reload"`, `"restart"`), workspace: true, trust: true},
		"provider":            {files: with("mem://one", "mem://two"), workspace: true, trust: true},
		"environment":         {files: with(`environment = "test"`, `environment = "staging"`), workspace: true, trust: true},
		"sensitive is absent": {files: with("  password    = var.password\n", ""), workspace: true, trust: true},
		"notifier":            {files: with(`"ops" }`, `"other" }`), trust: true},
		"policy": {files: whole, change: func(p *planner.Planner, _ *planner.Request) {
			p.Policies = judges(t, "package remint.plan\nwarn contains {\"id\": \"w\", \"msg\": \"m\"} if false\n")
		}},
		"ticket": {files: whole, change: func(_ *planner.Planner, r *planner.Request) { r.Ticket = "T-1" }},
		"reason": {files: whole, change: func(_ *planner.Planner, r *planner.Request) { r.Reason = lifecycle.Compromised }},
		"generation": {files: whole, change: func(p *planner.Planner, _ *planner.Request) {
			p.Known = before(map[string]time.Duration{"credential.mem_password.a": 1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, tr, pl := digests(t, row.files, "canary", row.change)
			if (w != workspace) != row.workspace || (tr != base) != row.trust || pl == document {
				t.Errorf("workspace differs: %v, trust differs: %v, plan differs: %v", w != workspace, tr != base, pl != document)
			}
		})
	}
}

// What a plan does not use does not count for it.
func TestWorkspaceDigestIsOfTheChosen(t *testing.T) {
	only := func(_ *planner.Planner, r *planner.Request) {
		r.All, r.Addresses = false, []string{"credential.mem_password.a"}
	}
	one, _, _ := digests(t, map[string]string{"main.remint.hcl": digested + runbooks}, "canary", only)
	two, _, _ := digests(t, map[string]string{"main.remint.hcl": strings.Replace(digested, `x = "X"`, `x = "XX"`, 1) + runbooks}, "canary", only)
	if one != two {
		t.Error("another credential changes it")
	}
}
