package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// The design's example, word for word.
func TestExample(t *testing.T) {
	w, diags := config.Load(options("testdata/example"))
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	var addresses []string
	by := map[string]*config.Credential{}
	for _, c := range w.Credentials {
		addresses = append(addresses, c.Addr.String())
		by[c.Addr.String()] = c
	}
	want := []string{
		`credential.htpasswd_user.team["ann"]`, `credential.htpasswd_user.team["bob"]`, "credential.postgresql_role.billing",
		"credential.ssh_authorized_key.ci", "credential.x509_certificate.api",
	}
	if diff := cmp.Diff(want, addresses); diff != "" {
		t.Error(diff)
	}
	billing := by["credential.postgresql_role.billing"]
	if billing.Environment != "staging" || billing.MaxAge != 720*time.Hour || billing.Labels["tier"] != "1" || billing.Stores[0].Field != "value" {
		t.Errorf("billing: %+v", billing)
	}
	if got := billing.Provider.Attrs.Secret("url").RevealString(); got != "postgres://admin:hunter2@db/x" {
		t.Errorf("url: %q", got)
	}
	if got := by[`credential.htpasswd_user.team["ann"]`]; got.Environment != "test" || got.Owner != "ann@example.com" || got.Attrs.String("user") != "ann" {
		t.Errorf("ann: %+v", got)
	}
	if got := by["credential.x509_certificate.api"]; got.Environment != "production" || got.Attrs.Duration("lifetime") != 2160*time.Hour || len(got.Stores) != 2 {
		t.Errorf("api: %+v", got)
	}
	if a := w.Approvers[0]; a.Name != "alice" || !strings.HasPrefix(a.PublicKey, "-----BEGIN PUBLIC KEY") || len(a.Identities) != 2 {
		t.Errorf("approver: %+v", a)
	}
	if diags := w.Validate(); len(diags) > 0 {
		t.Error(diags)
	}
	model, err := json.Marshal(config.Canonical(billing))
	if err != nil || strings.Contains(string(model), "hunter2") {
		t.Errorf("the canonical model: %s, %v", model, err)
	}
}

func TestExpand(t *testing.T) {
	w, diags := config.Load(options("testdata/example"))
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	var billing *config.Credential
	for _, c := range w.Credentials {
		if c.Addr.Name == "billing" {
			billing = c
		}
	}
	for reason, want := range map[lifecycle.Reason]string{
		lifecycle.Scheduled:   `verify.requester approve.owners issue.password install.role confirm.login distribute.stores["file.dotenv"] reload.services["command.reload"] revoke.old terminate.sessions prove.refused notify.owner`,
		lifecycle.Compromised: `verify.requester approve.owners revoke.old terminate.sessions prove.refused issue.password install.role confirm.login distribute.stores["file.dotenv"] reload.services["command.reload"] terminate.sessions#2 prove.refused#2 notify.owner`,
		lifecycle.Offboarding: `verify.requester approve.owners revoke.old terminate.sessions prove.refused distribute.stores["file.dotenv"] notify.owner`,
	} {
		steps, diags := billing.Runbook.Expand(billing, config.Reset{Reason: reason, Mode: reason.Mode()})
		if err := diags.Err(); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range steps {
			names = append(names, s.Addr.String())
			switch s.Phase {
			case lifecycle.Issue:
				if s.Args.Int("length") != 40 || s.Args.String("charset") != "base64url" {
					t.Errorf("issue: %+v", s.Args.Public())
				}
			case lifecycle.Install, lifecycle.Confirm:
				if s.Secret == nil || s.Secret.String() != "issue.password" {
					t.Errorf("%s takes %v", s.Addr, s.Secret)
				}
			case lifecycle.Distribute:
				if s.Store == nil || s.Store.Key() != "file.dotenv" {
					t.Errorf("%s goes to %v", s.Addr, s.Store)
				}
			case lifecycle.Notify:
				if s.To != "payments@example.com" {
					t.Errorf("notify tells %q", s.To)
				}
			}
		}
		if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
			t.Errorf("%s:\n%s", reason, diff)
		}
	}
}

func TestSelect(t *testing.T) {
	w, diags := config.Load(options("testdata/example"))
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]int{
		`type == "htpasswd_user"`: 2, `labels.tier == "1"`: 1, `environment == "production"`: 2, `provider == "postgresql.main"`: 1,
		`key == "ann" || name == "ci"`: 2, `max_age != ""`: 1,
	} {
		match, diags := w.Select(expr)
		if err := diags.Err(); err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		n := 0
		for _, c := range w.Credentials {
			if match(c) {
				n++
			}
		}
		if n != want {
			t.Errorf("%s chose %d, want %d", expr, n, want)
		}
	}
	for _, expr := range []string{`"x"`, `owners == "x"`, `file("/etc/passwd") == ""`, `((`, strings.Repeat("(", 100000)} {
		if _, diags := w.Select(expr); !diags.HasErrors() {
			t.Errorf("%.40s was accepted", expr)
		}
	}
}

func TestDigestIgnoresLayout(t *testing.T) {
	book := func(text string) string {
		dir := workspace(t, map[string]string{"main.remint.hcl": `variable "n" { default = 30 }` + "\n" + text})
		o := options(dir)
		o.Vars = nil
		w, diags := config.Load(o)
		if err := diags.Err(); err != nil {
			t.Fatal(err)
		}
		return w.Runbooks["htpasswd_user"].Digest
	}
	a := book("runbook \"htpasswd_user\" {\n  resets = \"htpasswd_user\"\n  issue \"p\" {\n    length = var.n\n  }\n}\n")
	b := book("# why\nrunbook   \"htpasswd_user\" { // here\n resets=\"htpasswd_user\"\n\n issue \"p\" {\n length=var.n /* n */\n }\n}\n")
	c := book("runbook \"htpasswd_user\" {\n  resets = \"htpasswd_user\"\n  issue \"p\" {\n    length = 31\n  }\n}\n")
	if a != b {
		t.Error("comments and layout change the digest")
	}
	if a == c {
		t.Error("another length has the same digest")
	}
}

func TestFormat(t *testing.T) {
	got, diags := config.Format([]byte("variable \"x\" {\ntype=string\n  sensitive    = true\n}"), "x.remint.hcl", nil)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	want := "variable \"x\" {\n  type      = string\n  sensitive = true\n}\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if _, diags := config.Format([]byte("variable {"), "x.remint.hcl", nil); !diags.HasErrors() {
		t.Error("an unclosed block was formatted")
	}
}
