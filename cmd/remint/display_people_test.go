//go:build linux && !race

package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
)

// newCourt is a workspace in which people decide, and strangers named what they decide
// about: who asks, whom to tell, the rules, the owner.
func newCourt(t *testing.T, d *display) *stage {
	t.Helper()
	bin, err := os.Executable()
	must(t, err)
	s := &stage{dir: t.TempDir(), bin: bin, t: t}
	q := quotedJSON(t, d.text)
	people := ""
	for name, groups := range map[string]string{"sec": `["security"]`, "ira": `["incident"]`, "bob": `[` + q + `]`, "eve": `[]`, "who": `[]`} {
		s.key(name)
		people += "approver \"" + name + "\" {\n public_key = file(\"" + name + ".pub\")\n groups = " + groups + "\n identities = [\"" + name + "@example.com\"]\n}\n"
	}
	s.write("people.remint.hcl", people)
	s.write("main.remint.hcl", `
provider "htpasswd" "site" {
  file        = "site.htpasswd"
  environment = "test"
}
policy "house" {
  path        = "rules"
  enforcement = "overridable"
}
override {
  groups      = ["security"]
  max_expires = "2h"
}
break_glass {
  group         = "incident"
  notify        = [`+q+`]
  max_targets   = 9
  review_within = "72h"
}
notifier "file" "told" { path = "told.jsonl" }
verifier "key" "who" {
  identity   = `+q+`
  public_key = file("who.pub")
}
verifier "key" "ira" {
  identity   = "ira@example.com"
  public_key = file("ira.pub")
  strength   = "aal2"
}
credential "htpasswd_user" "team" {
  for_each = toset([`+q+`])
  provider = htpasswd.site
  user     = "bob"
  owner    = each.key
  consumer "command" "tell" {
    command   = ["/bin/true"]
    directory = "."
  }
}
runbook "htpasswd_user" {
  resets = "htpasswd_user"
  verify "requester" {}
  approve "owners" {}
  issue "password" {}
  install "user" { secret = issue.password }
  confirm "login" { secret = issue.password }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.password
  }
  reload "services" {
    for_each = credential.consumers
    retry { attempts = 1 }
  }
  revoke "old" {}
  terminate "sessions" {}
  prove "refused" {}
  notify "owner" { to = credential.owner }
}
`)
	s.write("rules/house.rego", "package remint.plan\n\n# METADATA\n# title: "+strconv.Quote(strings.Map(plainASCII, d.text))+"\ndeny contains {\"id\": "+q+", \"msg\": "+q+", \"address\": r.address} if some r in input.resets\n")
	return s
}

// plainASCII is a rune as the YAML of a title takes it.
func plainASCII(r rune) rune {
	if r < ' ' || r > '~' {
		return '.'
	}
	return r
}

// says is what the program shows, which must have done what the words say.
func (d *display) says(s *stage, words, name string, args ...string) {
	d.t.Helper()
	if out := d.shown(s, name, args...); !strings.Contains(out, words) {
		d.t.Errorf("%s does not say %q: %.1500s", name, words, out)
	}
}

// people looks at what people sign, and at what is asked of them.
func people(t *testing.T, d *display) {
	s := newCourt(t, d)
	s.run("init", "-bare")
	file, address := d.named(".plan"), addrs.Credential{Type: "htpasswd_user", Name: "team", Key: d.text, HasKey: true}.String()
	d.shown(s, "trust show", "trust", "show")
	d.shown(s, "trust show, JSON", "trust", "show", "-json")
	d.says(s, "Saved in", "a denied plan of the court", "plan", "-all", "-requester="+d.text, "-ticket="+d.text, "-out="+file)
	d.says(s, "requested by", "approvals", "approvals", file)
	d.shown(s, "approvals, JSON", "approvals", "-json", file)
	d.shown(s, "an override of nothing", "override", "-key=sec.pem", "-rule=house/no "+d.text, "-reason=r", "-ticket=t", file)
	d.says(s, "overrides until", "override", "override", "-key=sec.pem", "-rule=house/"+d.text, "-reason="+d.text, "-ticket="+d.text, file)
	d.shown(s, "override, JSON", "override", "-json", "-key=sec.pem", "-rule=house/"+d.text, "-reason="+d.text, "-ticket="+d.text, file)
	d.says(s, "Beside it lies", "an override beside a plan", "show", file)
	d.shown(s, "verify -challenge, JSON", "verify", "-challenge", file)
	d.shown(s, "a verifier of nobody", "verify", "-verifier="+d.text, "-key=who.pem", file)
	who := "is verified as the requester"
	if strings.ContainsFunc(d.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		who = "somebody whose name cannot be shown" // she is refused
	}
	d.says(s, who, "verify", "verify", "-verifier=key.who", "-key=who.pem", file)
	d.shown(s, "verify, JSON", "verify", "-json", "-verifier=key.who", "-key=who.pem", file)
	d.says(s, "overridden", "approvals with an override", "approvals", file)
	d.shown(s, "approvals with an override, JSON", "approvals", "-json", file)
	d.shown(s, "codes of somebody", "verify", "-new-codes="+d.text, "-out=codes")
	d.shown(s, "a key of somebody", "verify", "-new-key="+d.text)
	d.says(s, "The page is in", "verify -page", "verify", "-page="+d.named(".html"))

	// A consumer of which nobody can tell whether it was told.
	s.env = []string{"REMINT_TEST_BREAK=ambiguous consumer.Reload#1"}
	d.says(s, "Question about", "an apply that asks", "apply", "-auto-approve", file)
	s.env = nil
	run := d.newest(s, "")
	d.shown(s, "an answer to nothing", "resolve", run, "no "+d.text, "-as=done", "-key=bob.pem")
	d.says(s, "asserts done", "resolve", "resolve", run, address+`/reload.services["command.tell"]`, "-as=done", "-comment="+d.text, "-key=bob.pem")
	d.says(s, "said done", "runs with an answer", "runs", run)
	d.shown(s, "runs with an answer, JSON", "runs", "-json", run)
	d.says(s, "Reset complete", "a resume by an answer", "resume")
	d.says(s, "is in", "recover", "recover", "-out="+d.named(".secret"), address)
	d.shown(s, "recover of nothing", "recover", "-out=nothing", "-run=no "+d.text, address)

	// The glass is broken, and that is reviewed.
	d.says(s, "Saved in", "a compromise", "plan", "-reason=compromised", "-all", "-requester=ira@example.com", "-ticket="+d.text, "-out=b.plan")
	d.says(s, "breaks the glass", "break-glass", "break-glass", "-key=ira.pem", "-reason="+d.text, "-ticket="+d.text, "b.plan")
	d.shown(s, "break-glass, JSON", "break-glass", "-json", "-key=ira.pem", "-reason="+d.text, "b.plan")
	s.run("verify", "-verifier=key.ira", "-key=ira.pem", "b.plan")
	d.shown(s, "an approval", "approve", "-key=bob.pem", "-comment="+d.text, "b.plan")
	d.says(s, "break-glass", "approvals of a broken glass", "approvals", "b.plan")
	d.says(s, "Reset complete", "apply -break-glass", "apply", "-auto-approve", "-break-glass", "b.plan")
	for _, verb := range [][]string{{"status"}, {"runs"}, {"evidence", "list"}, {"evidence", "verify"}} {
		d.says(s, "wed: ", strings.Join(verb, " ")+" with a debt", verb...)
	}
	d.shown(s, "a review of nothing", "review", "-key=eve.pem", "-comment=c", "no "+d.text)
	d.says(s, "reviewed run", "review", "review", "-key=eve.pem", "-comment="+d.text, d.newest(s, "-breakglass"))
	d.shown(s, "evidence of the court", "evidence", "show")

	// Others judge.
	s.key("new")
	s.write("more.remint.hcl", "approver \"new\" {\n public_key = file(\"new.pub\")\n groups = ["+quotedJSON(t, "new "+d.text)+"]\n}\n")
	d.says(s, "another one", "trust show of a change", "trust", "show")
	change := d.named(".change")
	d.says(s, "Another trust base", "trust propose", "trust", "propose", "-out="+change)
	d.shown(s, "an approval of a change", "approve", "-key=bob.pem", "-comment="+d.text, change)
	d.says(s, "Accepted, in run", "trust accept", "trust", "accept", "-auto-approve", change)
	export(t, d, s)
}

// export looks at what leaves a workspace.
func export(t *testing.T, d *display, s *stage) {
	out := d.named(".out")
	d.says(s, "Exported", "evidence export", "evidence", "export", "-out="+out)
	d.shown(s, "evidence export, JSON", "evidence", "export", "-json", "-out=second "+out)
	d.shown(s, "evidence checkpoint", "evidence", "checkpoint")
	d.says(s, "The evidence is sound", "evidence verify -exported", "evidence", "verify", "-exported="+out, "-key=keys/evidence.pub", "-ledger-key=keys/ledger.pub", "-trust-exported")
	d.shown(s, "a checkpoint of nothing", "evidence", "verify", "-checkpoint=no "+d.text)

	// A record that nobody signed so, each word of it a stranger's.
	runs, err := filepath.Glob(filepath.Join(s.dir, "evidence", "2*", evidence.RunFile))
	must(t, err)
	forgeRecord(t, runs[0], func(predicate map[string]any) {
		for _, name := range []string{"event", "operator", "requester", "reason", "mode", "ticket", "trust"} {
			predicate[name] = d.text
		}
	})
	d.says(s, "This shows what the records say", "a forged record", "evidence", "show")
	d.shown(s, "a forged record, JSON", "evidence", "show", "-json")
	d.shown(s, "a forged record, listed", "evidence", "list")
	d.shown(s, "a forged record, verified", "evidence", "verify")
	d.shown(s, "a forged record, verified, JSON", "evidence", "verify", "-json")
}

// forgeRecord changes the predicate of a file's first record, which fits its statement then.
func forgeRecord(t *testing.T, path string, change func(predicate map[string]any)) {
	t.Helper()
	old, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, repack(t, old, func(statement map[string]any) {
		predicate := statement["predicate"].(map[string]any)
		change(predicate)
		body, err := plan.Canonical(predicate)
		must(t, err)
		record := statement["subject"].([]any)[1].(map[string]any)
		record["name"] = fmt.Sprintf("%s/run/%s", predicate["run"], predicate["event"])
		record["digest"] = map[string]any{"sha256": evidence.LineDigest(body)}
	}), 0o644))
}

// outcomes looks at the results of tests, formatting and bundles.
func outcomes(t *testing.T, d *display) {
	s := newCourt(t, d)
	q := quotedJSON(t, d.text)
	s.run("init", "-bare")
	s.write(d.named(".reminttest.hcl"), "run \"one\" {\n  all = true\n  assert {\n    condition     = length(plan.resets) == 7\n    error_message = "+q+"\n  }\n}\n")
	d.says(s, "1 failed", "test", "test", "-junit=out.xml")
	d.shown(s, "test, JSON", "test", "-json")
	d.shown(s, "a filter", "test", "-filter=no "+d.text)
	d.junit(s.read("out.xml"))
	s.write("bad.reminttest.hcl", "run \"two\" {\n  nothing = "+q+"\n}\n")
	s.run("test", "-junit=out.xml")
	d.junit(s.read("out.xml"))
	must(t, os.Remove(filepath.Join(s.dir, "bad.reminttest.hcl")))

	s.write("rules/house_test.rego", "package remint.plan_test\n\nimport data.remint.plan\n\ntest_it if {\n\tprint("+q+")\n\tcount(plan.deny) == 7 with input as {\"resets\": []}\n}\n")
	d.says(s, "1 failed", "policy test", "policy", "test")
	d.shown(s, "policy test, JSON", "policy", "test", "-json")
	s.key("p")
	d.says(s, "made ", "policy bundle", "policy", "bundle", "-key=p.pem", "-revision=1", "-out="+d.named(".tar.gz"), "rules")
	d.shown(s, "policy bundle of no revision", "policy", "bundle", "-key=p.pem", "-revision="+d.text, "-out=x.tar.gz", "rules")
	d.shown(s, "policy bundle of nothing", "policy", "bundle", "-key=p.pem", "-revision=1", "-out=x.tar.gz", "no "+d.text)
	d.shown(s, "policy new", "policy", "new", d.named(" new"))

	s.write(d.named(".remint.hcl"), "locals {\n   x   =   1\n}\n")
	d.shown(s, "fmt -check", "fmt", "-check")
	d.shown(s, "fmt", "fmt")
	d.shown(s, "fmt of nothing", "fmt", "no "+d.text)
}

// junit looks at what CI shows of tests: names, and text that is not escaped for XML.
func (d *display) junit(doc string) {
	d.t.Helper()
	d.look("JUnit, JSON", strings.TrimSpace(doc)) // for machines, as JSON is
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		must(d.t, err)
		switch token := token.(type) {
		case xml.StartElement:
			for _, a := range token.Attr {
				d.look("JUnit "+token.Name.Local+" "+a.Name.Local, a.Value)
				if strings.Contains(a.Value, "\n") {
					d.t.Errorf("JUnit: %s has two lines: %q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			d.look("JUnit text", string(token))
		}
	}
}

func (s *stage) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	must(s.t, err)
	return string(b)
}

// newest is the last run whose id ends so.
func (d *display) newest(s *stage, end string) string {
	d.t.Helper()
	out, _ := s.run("runs", "-json")
	var list struct{ Runs []struct{ Run string } }
	must(d.t, json.Unmarshal([]byte(out), &list))
	ids := []string{}
	for _, r := range list.Runs {
		if strings.HasSuffix(r.Run, end) {
			ids = append(ids, r.Run)
		}
	}
	if len(ids) == 0 {
		d.t.Fatal("no runs")
	}
	return slices.Max(ids)
}
