package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/config"
)

const accountProviders = `
provider "htpasswd" "site" { file = "site.htpasswd" }
provider "htpasswd" "again" { file = "link" }
provider "htpasswd" "other" { file = "other.htpasswd" }
provider "ssh" "alice" {
  authorized_keys = "/home/alice/keys"
  probe_address   = "host:22"
}
provider "ssh" "bob" {
  authorized_keys = "/home/bob/keys"
  probe_address   = "host:22"
}
provider "postgresql" "main" { url = "postgres://a@db/x" }
provider "postgresql" "second" { url = "postgres://b@db/x" }
`

// written gives a credential block.
func written(typ, name, at, attr string) string {
	return "credential \"" + typ + "\" \"" + name + "\" {\n  provider = " + at + "\n  " + attr + "\n  owner = \"o@example.com\"\n}\n"
}

// accountWorkspace has a link to the first provider's file.
func accountWorkspace(t *testing.T, text string) config.Options {
	t.Helper()
	dir := workspace(t, map[string]string{"main.remint.hcl": accountProviders + text, "site.htpasswd": ""})
	if err := os.Symlink("site.htpasswd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Vars = nil
	return o
}

// Two credentials of a workspace are two at the target.
func TestTwiceOneAccount(t *testing.T) {
	const once = "Two credentials for one account"
	ann := written("htpasswd_user", "ann", "htpasswd.site", `user = "ann"`)
	key := written("ssh_authorized_key", "a", "ssh.alice", `comment = "deploy"`)
	app := written("postgresql_role", "app", "postgresql.main", `role = "app"`)
	for name, row := range map[string]struct {
		text, want string
	}{
		"a second block": {ann + written("htpasswd_user", "second", "htpasswd.site", `user = "ann"`),
			`credential.htpasswd_user.second is user "ann" at htpasswd.site, and so is credential.htpasswd_user.ann, at main.remint.hcl:15. A reset of one would kill the secret of the other. Keep one of them`},
		"another block of one file": {written("htpasswd_user", "second", "htpasswd.again", `user = "ann"`) + ann,
			`credential.htpasswd_user.ann is user "ann" at htpasswd.site, and so is credential.htpasswd_user.second, at main.remint.hcl:15, whose provider block writes to the same file.`},
		"instances": {"credential \"htpasswd_user\" \"team\" {\n  for_each = toset([\"a\", \"b\"])\n  provider = htpasswd.site\n  user = \"ann\"\n  owner = each.value\n}\n",
			`credential.htpasswd_user.team["b"] is user "ann" at htpasswd.site, and so is credential.htpasswd_user.team["a"]`},
		"a key of one file":      {key + written("ssh_authorized_key", "b", "ssh.alice", `comment = "deploy"`), `comment "deploy" at ssh.alice`},
		"a role":                 {app + written("postgresql_role", "b", "postgresql.main", `role = "app"`), `role "app" at postgresql.main`},
		"another file":           {ann + written("htpasswd_user", "second", "htpasswd.other", `user = "ann"`), ""},
		"another user":           {ann + written("htpasswd_user", "second", "htpasswd.site", `user = "Ann"`), ""},
		"one comment, two users": {key + written("ssh_authorized_key", "b", "ssh.bob", `comment = "deploy"`), ""},
		"two servers":            {app + written("postgresql_role", "b", "postgresql.second", `role = "app"`), ""},
		"not to be told": {"variable \"u\" { type = string }\n" + written("htpasswd_user", "a", "htpasswd.site", `user = var.u`) +
			written("htpasswd_user", "b", "htpasswd.site", `user = var.u`), ""},
		"missing": {written("htpasswd_user", "a", "htpasswd.site", ``) + written("htpasswd_user", "b", "htpasswd.site", ``), ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := accountWorkspace(t, row.text)
			o.Offline = true
			_, diags := config.Load(o)
			told := 0
			for _, d := range diags {
				if d.Summary != once {
					continue
				}
				told++
				if row.want == "" || !strings.Contains(d.Detail, row.want) {
					t.Errorf("%s", d.Detail)
				}
				if d.Range == nil || d.Snippet == nil || d.Address == "" {
					t.Errorf("no place: %+v", d)
				}
			}
			if want := min(len(row.want), 1); told != want {
				t.Errorf("told %d times, want %d: %v", told, want, diags)
			}
			o.Home, o.Label = o.Dir, "base/"
			_, diags = config.Load(o)
			for _, d := range diags {
				if d.Summary == once {
					t.Errorf("a base is refused: %v", diags)
				}
			}
		})
	}
}

// Which credentials are one can mostly be told without asking the targets.
func TestLike(t *testing.T) {
	w, diags := config.Load(accountWorkspace(t,
		written("htpasswd_user", "ann", "htpasswd.site", `user = "ann"`)+
			written("htpasswd_user", "bob", "htpasswd.site", `user = "bob"`)+
			written("htpasswd_user", "elsewhere", "htpasswd.other", `user = "ann"`)+
			written("ssh_authorized_key", "a", "ssh.alice", `comment = "deploy"`)+
			written("ssh_authorized_key", "b", "ssh.bob", `comment = "deploy"`)+
			written("postgresql_role", "app", "postgresql.main", `role = "app"`)+
			written("postgresql_role", "second", "postgresql.second", `role = "app"`)))
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	by := map[string]*config.Credential{}
	for _, c := range w.Credentials {
		by[c.Addr.Name] = c
	}
	for _, row := range []struct {
		a, b string
		want config.Likeness
	}{
		{"ann", "ann", config.One}, {"ann", "bob", config.Apart}, {"ann", "elsewhere", config.Apart}, {"ann", "app", config.Apart},
		{"a", "b", config.Apart}, {"app", "second", config.Unsure},
	} {
		if got := by[row.a].Like(by[row.b]); got != row.want || by[row.b].Like(by[row.a]) != got {
			t.Errorf("%s and %s: %v, want %v", row.a, row.b, got, row.want)
		}
	}
}
