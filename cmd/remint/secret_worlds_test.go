//go:build linux && !race

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/remint-dev/remint/internal/pgtest"
)

// canaryPassword needs escaping everywhere; bcrypt and dotenv take it.
const canaryPassword = `canary/+&4711=%>old`

// canaryToken stands in the webhook's URL, where none should: the URL is public. It is
// in the digest of what judges, and so in what trust shows and in what a run keeps of it;
// errors, events, notices and evidence have its host alone.
const canaryToken = "canary-token-4713"

// canaryJob is somebody else's: a token that a CI leaves in the environment.
const canaryJob = "canary-job-4714"

// environ is where the secrets of variables show, whatever is done.
const environ = "/proc: environ of " + program

// vault is what the cases share: servers that log all that they are told, and
// those that get the notices.
type vault struct {
	target, state *pgtest.Server
	told          *receivers
}

func newVault(t *testing.T) *vault {
	t.Helper()
	settings := map[string]string{"authentication_timeout": "1s", "log_statement": "all", "log_min_duration_statement": "0", "max_connections": "300"}
	return &vault{pgtest.New(t, pgtest.Options{Settings: settings}), pgtest.New(t, pgtest.Options{Settings: settings}), newReceivers(t)}
}

// after searches what the servers kept.
func (v *vault) after(t *testing.T, l *leaks) {
	t.Helper()
	l.after(t, v.told.places(t))
	for of, s := range map[string]*pgtest.Server{"the target's server": v.target, "the state's server": v.state} {
		l.after(t, serverFiles(t, of, s))
	}
}

// worlds have a consumer each, which writes down what it was started with.
func (v *vault) worlds(t *testing.T) []world {
	t.Helper()
	worlds := []world{postgresqlWorld(t, v.target), x509World(), htpasswdWorld(), sshWorld()}
	worlds[0].hcl = strings.Replace(worlds[0].hcl, `"`+v.target.SuperURL()+`"`, "var.admin_url", 1)
	for i := range worlds {
		worlds[i].hcl = regexp.MustCompile(`(?m)^  owner .*$`).ReplaceAllString(worlds[i].hcl, "$0\n"+recorder)
	}
	return worlds
}

const recorder = `  consumer "command" "recorder" {
    command   = ["/bin/sh", "-c", "/bin/cat /proc/$$$$/environ /proc/$$$$/cmdline >>recorded-consumer"]
    directory = "."
  }`

// dress is what of a world varies: where its state is, and whether those that
// get the notices fail, and quote what they got.
type dress struct{ shared, loud bool }

// dressed gives w the notifiers, logs and variables of a case.
func (v *vault) dressed(w world, d dress) world {
	var text strings.Builder
	for _, name := range []string{"hmac", "mail_password", "admin_url", "state_url"} {
		fmt.Fprintf(&text, "variable %q {\n  type = string\n  sensitive = true\n}\n", name)
	}
	text.WriteString("remint {\n  decision_log { path = \"decisions.jsonl\" }\n")
	if d.shared {
		text.WriteString("  state \"postgresql\" {\n    url    = var.state_url\n    schema = \"ROLE\"\n  }\n")
	}
	text.WriteString("}\n")
	if !strings.Contains(w.hcl, "policy \"") {
		text.WriteString("policy \"house\" { path = \"house\" }\n")
	}
	answer, user := "/ok", "good"
	if d.loud {
		answer, user = "/loud", "bad"
		fmt.Fprintf(&text, "notifier \"webhook\" \"down\" {\n  url = \"http://127.0.0.1:1/?token=%s\"\n  secret = var.hmac\n  attempts = 1\n}\n", canaryToken)
	}
	fmt.Fprintf(&text, `notifier "webhook" "w" {
  url      = %q
  secret   = var.hmac
  attempts = 1
}
notifier "smtp" "mail" {
  address  = %q
  from     = "remint@example.com"
  username = %q
  password = var.mail_password
  tls      = "none"
}
notifier "file" "told" { path = "notices.jsonl" }
`, v.told.hook+answer+"?token="+canaryToken, v.told.mail, user)
	w.hcl = text.String() + w.hcl
	return w
}

// canaryTemplate is prepared with the old password a canary.
func canaryTemplate(t *testing.T, w world) string {
	t.Helper()
	if w.name == "htpasswd_user" || w.name == "postgresql_role" {
		setup := w.setup
		w.setup = func(t *testing.T, dir string) {
			setup(t, dir)
			text := canaryPassword
			if w.name == "htpasswd_user" {
				run(t, dir, "htpasswd", "-bB", "site", "u", canaryPassword)
			} else {
				text = w.prefix + "'" + text + "'\n"
			}
			write(t, dir, map[string]string{"store": text, "old/secret": text})
		}
	}
	dir := prepared(t, w)
	run(t, dir, "mkdir", "house")
	write(t, dir, map[string]string{"house/house.rego": "package remint.plan\n\ndeny contains {\"id\": \"many\", \"msg\": \"too many\"} if count(input.resets) > 9\n"})
	run(t, dir, "openssl", "genpkey", "-algorithm", "ed25519", "-out", "keys/alice.pem")
	return dir
}

func (v *vault) newCase(t *testing.T, w world, d dress, template, reason string) *secretCase {
	t.Helper()
	if each := w.each; each != nil {
		w.each = func(t *testing.T, dir string) {
			each(t, dir)
			// What the test itself says in the clear is not for the log that is searched.
			run(t, dir, "psql", "-qX", "-c", "SET log_statement = 'none'", "-c", "SET log_min_duration_statement = -1",
				"-c", "ALTER ROLE "+roleOf(dir)+" PASSWORD '"+canaryPassword+"'", v.target.SuperURL())
		}
	}
	c := &secretCase{crash: newCase(t, v.dressed(w, d), template, reason), said: map[string][]byte{}, proc: newProc(), seen: filepath.Join(t.TempDir(), "seen")}
	if d.shared {
		c.state = v.state.SuperURL()
	}
	c.env = []string{
		"REMINT_VAR_hmac=canary-hmac-4712", "REMINT_VAR_mail_password=canary-mail-4715", "CI_JOB_TOKEN=" + canaryJob,
		"REMINT_VAR_admin_url=" + v.target.SuperURL(), "REMINT_VAR_state_url=" + v.state.SuperURL(),
	}
	c.learn(t, "the key of signatures", "canary-hmac-4712", environ)
	c.learn(t, "the mail server's password", "canary-mail-4715", environ)
	c.learn(t, "the CI's token", canaryJob, environ)
	c.learn(t, "the token of the webhook's URL", canaryToken, "main.remint.hcl", trustShown, "the state's table run_body", "the log of the state's server")
	c.learn(t, "the password of the target's administrator", v.target.SuperPassword, environ)
	c.learn(t, "the password of the state's owner", v.state.SuperPassword, environ)
	c.learnStored(t)
	c.learnKeys(t)
	return c
}

// failure is a way in which a run goes wrong, and where.
type failure struct {
	name string
	env  func(ops []string) []string
}

// at breaks the first operation whose name begins so, in a way.
func at(way, prefix string) func([]string) []string {
	return func(ops []string) []string {
		for _, op := range ops {
			if strings.HasPrefix(op, prefix) {
				return []string{"REMINT_TEST_BREAK=" + way + " " + op, "REMINT_TEST_HOOK=kill -QUIT $PPID; sleep 5"}
			}
		}
		return nil
	}
}

func failures() (list []failure) {
	for _, p := range []string{"provider.Probe", "provider.Set", "provider.Mint", "provider.Revoke", "store.Put", "store.Empty", "journal.Append[seal", "notifier.Send"} {
		list = append(list, failure{"SIGQUIT at " + p, at(hooked, p)}, failure{"panic at " + p, at(panics, p)},
			failure{"failure of " + p, at(permanent, p)}, failure{"lost reply of " + p, at(lostReply, p)})
	}
	return list
}
