package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
)

const boundBase = `
variable "admin" {
  type      = string
  sensitive = true
  default   = "postgres://admin:hunter2@db/x"
}
provider "postgresql" "main" {
  url         = var.admin
  environment = "staging"
}
provider "htpasswd" "site" { file = "site" }
notifier "webhook" "soc" { url = "https://soc" }
allow "command" { command = ["/bin/echo"] }
remint {
  state "postgresql" { url = var.admin }
  decision_log { path = "decisions.jsonl" }
  approvals { max_expires = "8h" }
  decisions "directory" { path = "/srv/decided" }
  evidence {
    directory = "evidence"
  }
}
policy "house" { path = "rules" }
credential "htpasswd_user" "ann" {
  provider = htpasswd.site
  user     = "ann"
  owner    = "ann@example.com"
  consumer "command" "c" { command = ["/bin/true"] }
}
`

// bind loads a workspace against a base of two directories.
func bind(t *testing.T, base, text string, offline bool) (*config.Workspace, diag.Diagnostics) {
	t.Helper()
	example, err := os.ReadFile("testdata/example/keys/alice.pub")
	if err != nil {
		t.Fatal(err)
	}
	person := "\napprover \"alice\" {\n  public_key = file(\"keys/alice.pub\")\n  groups = [\"a\", \"b\"]\n}\n"
	keys := map[string]string{"keys/alice.pub": string(example)}
	with := func(text string) string {
		dir := workspace(t, map[string]string{"main.remint.hcl": text, "keys/alice.pub": keys["keys/alice.pub"]})
		if err := os.MkdirAll(filepath.Join(dir, "rules"), 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	o := options(with(base + person))
	home := with(strings.Replace(text, "PERSON", person, 1))
	o.Vars = nil
	o.Home, o.Label, o.Offline = home, "base/", offline
	b, diags := config.Load(o)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	n := options(home)
	n.Vars = nil
	n.Base, n.Offline = b, offline
	return config.Load(n)
}

// What a workspace may not say of what its trust base says, and where it is told.
func TestBoundRefuses(t *testing.T) {
	change := func(old, repl string) string {
		out := strings.Replace(boundBase+"PERSON", old, repl, 1)
		if out == boundBase+"PERSON" {
			t.Fatalf("%q is not in the base", old)
		}
		return out
	}
	for name, row := range map[string]struct {
		text string
		want string
		exit diag.Exit
	}{
		"provider's url":     {change("url         = var.admin", `url = "postgres://evil"`), "Provider postgresql.main is not what the trust base says at base/main.remint.hcl:7", 1},
		"provider's path":    {change(`file = "site"`, `file = "other"`), "Provider htpasswd.site is not what", 1},
		"provider lowered":   {change(`"staging"`, `"test"`), "Provider postgresql.main is staging in the trust base", 3},
		"production lowered": {change(`{ file = "site" }`, "{\n  file = \"site\"\n  environment = \"staging\"\n}"), "Provider htpasswd.site is production in the trust base", 3},
		"provider added":     {boundBase + `provider "htpasswd" "mine" { file = "mine" }`, "Provider htpasswd.mine is not in the trust base", 1},
		"credential lowered": {change(`user     = "ann"`, "user = \"ann\"\n  environment = \"test\""), "Under a trust base only a provider block there", 3},
		"enforcement":        {change(`{ path = "rules" }`, "{\n  path = \"rules\"\n  enforcement = \"advisory\"\n}"), `Policy "house" is not what the trust base says`, 3},
		"policy's path":      {change(`{ path = "rules" }`, `{ path = "other" }`), `Policy "house" is not what the trust base says`, 3},
		"approver's groups":  {boundBase + "approver \"alice\" {\n  public_key = file(\"keys/alice.pub\")\n  groups = [\"c\"]\n}\n", `Approver "alice" is not what the trust base says`, 4},
		"notifier":           {change("https://soc", "https://evil"), "Notifier webhook.soc is not what the trust base says", 1},
		"command":            {change("/bin/true", "/bin/sh"), "Consumer command.c of credential.htpasswd_user.ann is in no credential", 1},
		"evidence":           {change(`directory = "evidence"`, `directory = "elsewhere"`), "The block evidence is not what the trust base says", 1},
		"signer":             {change(`directory = "evidence"`, "signer \"key\" { path = \"keys/other.pem\" }"), "The block evidence is not what the trust base says", 1},
		"state elsewhere":    {change("{ url = var.admin }", `{ url = "postgres://evil" }`), "The block state is not what the trust base says", 1},
		"state's schema":     {change("{ url = var.admin }", "{\n  url = var.admin\n  schema = \"mine\"\n}"), "The block state is not what the trust base says", 1},
		"state in a file":    {change(`"postgresql" { url = var.admin }`, `"sqlite" {}`), "The block state is not what the trust base says", 1},
		"decision log":       {change("decisions.jsonl", "elsewhere.jsonl"), "The block decision_log is not what the trust base says", 1},
		"a longer cap":       {change(`max_expires = "8h"`, `max_expires = "9h"`), "Approvals count for 8h0m0s at most", 4},
		"other decisions":    {change("/srv/decided", "decided"), "The block decisions is not what the trust base says", 4},
		"decisions in state": {change(`"directory" { path = "/srv/decided" }`, `"state" {}`), "The block decisions is not what the trust base says", 4},
		"seal":               {change("remint {", "remint {\n  seal { recipients = [\"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\"] }"), "whoever is named here could read them", 1},
		"a secret shown":     {change("sensitive = true", "sensitive = false") + "\ncredential \"htpasswd_user\" \"b\" {\n  provider = htpasswd.site\n  user = \"b\"\n  owner = var.admin\n}\n", "owner would show it", 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := bind(t, boundBase, row.text, false)
			if got := diags.Err(); got == nil || !strings.Contains(got.Error(), row.want) || diags.Exit() != row.exit {
				t.Errorf("exit %d, %v", diags.Exit(), got)
			}
			for _, d := range diags {
				if d.Range == nil || d.Range.Filename != "main.remint.hcl" || d.Snippet == nil {
					t.Errorf("no place: %+v", d)
				}
			}
		})
	}
}

// What a workspace may say, and what it has then.
func TestBoundAllows(t *testing.T) {
	raised := func(s string) string { return strings.Replace(s, `environment = "staging"`, "", 1) }
	for name, row := range map[string]struct {
		text    string
		offline bool
		warns   string
	}{
		"the same":              {text: boundBase + "PERSON"},
		"nothing of it":         {text: "credential \"htpasswd_user\" \"ann\" {\n  provider = htpasswd.site\n  user = \"ann\"\n}\n"},
		"groups in other order": {text: boundBase + "approver \"alice\" {\n  public_key = file(\"keys/alice.pub\")\n  groups = [\"b\", \"a\"]\n}\n"},
		"raised":                {text: raised(boundBase)},
		"a schema by default":   {text: strings.Replace(boundBase, "{ url = var.admin }", "{\n    url = var.admin\n    schema = \"remint\"\n  }", 1)},
		"paths with a dot":      {text: strings.Replace(boundBase, `directory = "evidence"`, `directory = "./evidence"`, 1)},
		"a shorter cap":         {text: strings.Replace(boundBase, `"8h"`, `"480m"`, 1)},
		"more policies":         {text: boundBase + "policy \"more\" {\n  path = \"rules\"\n  enforcement = \"advisory\"\n}\n"},
		"more notifiers":        {text: boundBase + `notifier "webhook" "mine" { url = "https://mine" }`},
		"an allowed command":    {text: strings.Replace(boundBase, "/bin/true", "/bin/echo", 1)},
		"more is allowed":       {text: boundBase + `allow "command" { command = ["/bin/sh"] }`, warns: "It allows nothing"},
		"an override block":     {text: boundBase + "override {\n  groups = [\"a\"]\n}\n", warns: "It lets nobody override anything"},
		"a break_glass block": {text: boundBase + "break_glass {\n  group = \"a\"\n  notify = [\"x@example.com\"]\n  max_targets = 1\n  review_within = \"1h\"\n}\n",
			warns: "It opens nothing"},
		"offline, a provider": {text: boundBase + "provider \"htpasswd\" \"mine\" {\n  file = \"mine\"\n  environment = \"test\"\n}\n", offline: true, warns: "Provider htpasswd.mine counts as production"},
	} {
		t.Run(name, func(t *testing.T) {
			w, diags := bind(t, boundBase, row.text, row.offline)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			if text := ""; row.warns != "" {
				for _, d := range diags {
					text += d.Detail
				}
				if !strings.Contains(text, row.warns) {
					t.Errorf("warnings: %q", text)
				}
			} else if len(diags) > 0 {
				t.Errorf("warnings: %v", diags)
			}
			if len(w.Approvers) != 1 || w.Approvers[0].Name != "alice" {
				t.Errorf("approvers: %+v", w.Approvers)
			}
			if s := w.Settings; s.SharedState == nil || s.SharedState.URL.RevealString() != "postgres://admin:hunter2@db/x" || s.DecisionLog.Absolute != filepath.Join(w.Dir, "decisions.jsonl") {
				t.Errorf("state and log: %+v", s)
			}
			if a := w.Settings.Approvals; a.MaxExpires != 8*time.Hour || a.Decisions == nil || a.Decisions.Directory.Absolute != "/srv/decided" {
				t.Errorf("approvals: %+v", a)
			}
			p := w.Policies[0]
			if !p.Bound || p.Name != "house" || strings.HasPrefix(p.Path.Absolute, w.Dir) {
				t.Errorf("policy: %+v", p)
			}
			soc := w.Notifiers[len(w.Notifiers)-1]
			if !soc.Bound || soc.Key() != "webhook.soc" {
				t.Errorf("notifier: %+v", soc)
			}
			site := w.Providers["htpasswd.site"]
			if got := site.Attrs.Path("file").Absolute; got != filepath.Join(w.Dir, "site") {
				t.Errorf("the provider's file: %s", got)
			}
			if w.Credentials[0].Provider != site {
				t.Error("the credential has another provider block than the workspace")
			}
			if mine := w.Providers["htpasswd.mine"]; mine != nil && mine.Environment != "" {
				t.Errorf("an unknown provider is %q", mine.Environment)
			}
		})
	}
	w, _ := bind(t, boundBase, raised(boundBase), false)
	if diff := cmp.Diff("", w.Providers["postgresql.main"].Environment); diff != "" {
		t.Error(diff)
	}
}

// State and evidence are where the base says, and in the default place where it says
// nothing, whether it is of this workspace or judges several.
func TestBoundState(t *testing.T) {
	const judges = "provider \"htpasswd\" \"site\" { file = \"site\" }\n"
	const own = judges + "credential \"htpasswd_user\" \"ann\" {\n  provider = htpasswd.site\n  user = \"ann\"\n}\n"
	remint := func(text string) string { return "remint {\n  " + text + "\n}\n" }
	const vars = "variable \"where\" { type = string }\n"
	elsewhere, shared, proof := remint(`state "sqlite" { path = "other.db" }`), remint(`state "postgresql" { url = "postgres://h/x" }`), remint(`evidence { directory = "other" }`)
	for name, row := range map[string]struct {
		base, text, want string
		offline          bool
	}{
		"elsewhere":           {own, own + elsewhere, `does not say where the state is, so it is in ".remint/state.db"`, false},
		"under judges alone":  {judges, own + elsewhere, `have the same block state declared in the trust base`, false},
		"shared":              {judges, own + shared, "where the state is", false},
		"evidence":            {own, own + proof, `where the evidence is, so it is in "evidence"`, false},
		"the same":            {own, own + remint(`state "sqlite" {}`), "", false},
		"as it is by default": {judges, own + remint("state \"sqlite\" { path = \"./.remint/state.db\" }\n  evidence { directory = \"evidence/\" }"), "", false},
		"another key's path":  {judges, own + remint("evidence {\n    signer \"key\" { path = \"keys/other.pem\" }\n  }"), "", false},
		"as the base says":    {judges + elsewhere, own + elsewhere, "", false},
		"the base says it":    {judges + proof, own, "", false},
		"back to the default": {judges + elsewhere, own + remint(`state "sqlite" {}`), "The block state is not what the trust base says", false},
		"a log of decisions":  {own, own + remint(`decision_log { path = "log" }`), "logs no decisions", false},
		"of anybody":          {judges, own + remint(`decision_log { path = "log" }`), "logs no decisions", false},
		"not known, offline":  {judges + vars + remint(`state "sqlite" { path = var.where }`), own + elsewhere, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := bind(t, row.base, row.text, row.offline)
			if err := diags.Err(); (err == nil) != (row.want == "") || err != nil && (!strings.Contains(err.Error(), row.want) || diags.Exit() != 1) {
				t.Errorf("exit %d, %v", diags.Exit(), err)
			}
		})
	}
}

// Nothing is written into the base, and no secret goes to a notifier that it lacks.
func TestBoundKeepsOut(t *testing.T) {
	secret := boundBase + "notifier \"mail\" \"mine\" { password = var.admin }\n"
	_, diags := bind(t, boundBase, secret, false)
	if err := diags.Err(); err == nil || !strings.Contains(err.Error(), "it could send it anywhere") {
		t.Error(err)
	}
	_, diags = bind(t, boundBase, strings.Replace(boundBase, `  consumer`, "  store \"file\" \"f\" { path = \"site\" }\n  consumer", 1), false)
	if err := diags.Err(); err == nil || !strings.Contains(err.Error(), "what provider htpasswd.site manages") {
		t.Error(err)
	}
	_, diags = bind(t, boundBase, "credential \"htpasswd_user\" \"ann\" {\n  provider = htpasswd.site\n  user = \"ann\"\n  store \"file\" \"f\" { path = \"site\" }\n}\n", false)
	if err := diags.Err(); err == nil || !strings.Contains(err.Error(), "what provider htpasswd.site manages") {
		t.Error(err)
	}
}

// A file of variables that the workspace changed says nothing to the base that has
// its own.
func TestBoundVariables(t *testing.T) {
	const text = "variable \"env\" { type = string }\nprovider \"htpasswd\" \"site\" {\n  file = \"site\"\n  environment = var.env\n}\n" +
		"credential \"htpasswd_user\" \"ann\" {\n  provider = htpasswd.site\n  user = \"ann\"\n}\n"
	for name, row := range map[string]struct {
		own  bool
		want string
	}{
		"its own":         {true, "Provider htpasswd.site is production in the trust base"},
		"the workspace's": {false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"main.remint.hcl": text, "x.remintvars": "env = \"test\"\n"}
			home := workspace(t, files)
			if files["x.remintvars"] = "env = \"production\"\n"; !row.own {
				delete(files, "x.remintvars")
			}
			o := options(workspace(t, files))
			o.Vars, o.VarFiles, o.Home, o.Label = nil, []string{"x.remintvars"}, home, "base/"
			base, diags := config.Load(o)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			n := options(home)
			n.Vars, n.VarFiles, n.Base = nil, o.VarFiles, base
			_, diags = config.Load(n)
			if err := diags.Err(); (err != nil) != (row.want != "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Error(err)
			}
		})
	}
}
