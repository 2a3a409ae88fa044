//go:build linux && !race

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

const seed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

const verbsHCL = `
variable "totp" {
  type      = string
  sensitive = true
}
policy "house" {
  path        = "house"
  enforcement = "overridable"
}
verifier "totp" "app" { secrets = var.totp }
verifier "key" "ira" {
  identity   = "ira@example.com"
  public_key = file("keys/device.pub")
  strength   = "aal2"
}
verifier "recovery" "saved" { codes = file("recovery.codes") }
break_glass {
  group         = "incident"
  notify        = ["ciso@example.com"]
  max_targets   = 1
  review_within = "72h"
}
override {
  groups      = ["security"]
  max_expires = "2h"
}
approver "ira" {
  public_key = file("keys/ira.pub")
  groups     = ["incident"]
  identities = ["ira@example.com"]
}
approver "bob" { public_key = file("keys/bob.pub") }
approver "eve" { public_key = file("keys/eve.pub") }
approver "sec" {
  public_key = file("keys/sec.pub")
  groups     = ["security"]
}
`

const verbsRego = `package remint.plan

deny contains {"id": "freeze", "msg": "not this week"} if count(input.resets) > 0
`

// recording is a program that writes down what it was started with, and goes on.
const recording = "#!/bin/sh\n/bin/cat /proc/$$/environ /proc/$$/cmdline >>\"DIR/recorded-NAME\"\n"

// TestSecretsOfEveryVerb asks everything that can be asked, of resets that were
// denied, overridden and done in an incident; git and the plugin of a key service are
// started, and write down with what.
func TestSecretsOfEveryVerb(t *testing.T) {
	total := newLeaks()
	v := newVault(t)
	w := v.worlds(t)[2]
	w.hcl = verbsHCL + w.hcl
	template := canaryTemplate(t, w)
	c := v.newCase(t, w, dress{}, template, "")
	c.populate(t)
	verbs := map[string]bool{}
	do := func(want int, args ...string) {
		t.Helper()
		verbs[args[0]] = true
		if code := c.remint(t, nil, args...); code != want {
			t.Fatalf("remint %q: exit %d, not %d\n%s", args, code, want, c.trail.String())
		}
	}
	do(0, "verify", "-new-codes=ira@example.com", "-out=codes")
	codes := strings.Fields(string(readFile(filepath.Join(c.dir, "codes"))))
	for _, code := range codes {
		c.learn(t, "a recovery code", code, "codes", "one")
		c.learn(t, "a recovery code without its marks", strings.ReplaceAll(code, "-", ""))
	}
	write(t, c.dir, map[string]string{"one": codes[0] + "\n", "recovery.codes": hashes(c.last)})
	c.commit(t)
	do(0, "validate")
	c.overridden(t, do)
	c.broken(t, do)
	for _, args := range [][]string{
		{"status"}, {"runs"}, {"graph"}, {"trust", "show", "-trust=git:main"}, {"providers"}, {"schema", "htpasswd_user"}, {"version"}, {"resume"},
		{"evidence", "list"}, {"evidence", "verify"}, {"evidence", "show"}, {"evidence", "show", "-json"}, {"evidence", "export", "-out=exported"}, {"evidence", "checkpoint"},
	} {
		do(0, args...)
	}
	for _, args := range [][]string{
		{"fmt", "-check"}, {"test"}, {"policy", "test"}, {"init"}, {"resolve", "none", "credential.htpasswd_user.x", "-as=done", "-key=keys/eve.pem"}, {"trust", "accept", "-trust=git:main"},
		{"recover", "-out=" + recovered, "credential.htpasswd_user.x"},
	} {
		verbs[args[0]] = true
		c.remint(t, nil, args...)
	}
	c.remint(t, nil, "help")
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+) +[a-z]`).FindAllSubmatch(c.last, -1) {
		if !verbs[string(m[1])] {
			t.Errorf("nothing asks remint %s", m[1])
		}
	}
	c.learnStored(t)
	c.learnKeys(t)
	c.learnSeen(t)
	places := c.places(t)
	for _, name := range []string{"recorded-consumer", "recorded-git", "recorded-plugin"} {
		if len(places[name]) == 0 {
			t.Errorf("%s: it was not started, or wrote nothing down", name)
		}
	}
	found := total.search(c.known, places)
	total.count(c, found, true)
	if len(found) > 0 {
		t.Errorf("%s\n%s", strings.Join(found, "\n"), c.trail.String())
	}
	v.after(t, total)
	total.report(t, "of every verb")
}

// hashes are the lines of codes for the workspace in what verify -new-codes printed.
func hashes(out []byte) string {
	var keep []byte
	for l := range bytes.Lines(out) {
		if bytes.HasPrefix(l, []byte("ira@example.com")) {
			keep = append(keep, l...)
		}
	}
	return string(keep)
}

// populate gives the workspace people, their keys, a policy, and programs that
// write down what they are started with.
func (c *secretCase) populate(t *testing.T) {
	t.Helper()
	run(t, c.dir, "sh", "-c", `for n in ira bob eve sec device; do openssl genpkey -algorithm ed25519 -out keys/$n.pem && openssl pkey -in keys/$n.pem -pubout -out keys/$n.pub; done; mkdir bin`)
	text := strings.ReplaceAll(recording, "DIR", c.dir)
	git := strings.TrimSpace(run(t, c.dir, "sh", "-c", "command -v git"))
	write(t, c.dir, map[string]string{
		"house/house.rego":          verbsRego,
		"bin/git":                   strings.ReplaceAll(text, "NAME", "git") + "exec " + git + " \"$@\"\n",
		"bin/sigstore-kms-recorder": strings.ReplaceAll(text, "NAME", "plugin") + "exit 1\n",
	})
	run(t, c.dir, "chmod", "700", "bin/git", "bin/sigstore-kms-recorder")
	c.env = append(c.env, "REMINT_VAR_totp=ira@example.com "+seed, "PATH="+filepath.Join(c.dir, "bin")+":"+os.Getenv("PATH"),
		"HOME="+c.dir, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: canary-header-4717")
	c.learn(t, "the seed of codes", seed, environ)
	c.learn(t, "a header that git was to send", "canary-header-4717", environ)
	for _, k := range c.known { // a plugin has to log in: it gets what is not a variable's, as documented
		if k.what == "the CI's token" || k.what == "a header that git was to send" {
			k.homes = append(k.homes, "recorded-plugin", "/proc: environ of sigstore-kms-recorder")
		}
	}
}

// commit makes a repository of the workspace, with what judges it.
func (c *secretCase) commit(t *testing.T) {
	t.Helper()
	run(t, c.dir, "sh", "-c", `HOME="$PWD" && export HOME && git init -q -b main && git add main.remint.hcl house keys/*.pub recovery.codes &&
		git -c user.name=a -c user.email=a@example.com commit -qm one`)
}

// overridden is a reset that a policy denies and an override lets through.
func (c *secretCase) overridden(t *testing.T, do func(int, ...string)) {
	t.Helper()
	do(3, "plan", "-all", "-requester=dave", "-ticket=T-1", "-out=a.plan")
	do(0, "show", "a.plan")
	do(0, "show", "-json", "a.plan")
	do(0, "graph", "a.plan")
	do(3, "approvals", "a.plan")
	do(3, "policy", "eval", "-explain", "a.plan")
	do(0, "approve", "-key=keys/bob.pem", "a.plan")
	do(1, "approve", "-key=recorder://x", "a.plan")
	do(0, "override", "-key=keys/sec.pem", "-rule=freeze", "-reason=outage", "-ticket=T-1", "a.plan")
	do(0, "approvals", "-json", "a.plan")
	do(0, "apply", "-auto-approve", "a.plan")
	c.learnStored(t)
}

// broken is a reset in an incident, and its review.
func (c *secretCase) broken(t *testing.T, do func(int, ...string)) {
	t.Helper()
	do(3, "plan", "-all", "-reason=compromised", "-requester=ira@example.com", "-out=b.plan")
	do(0, "break-glass", "-key=keys/ira.pem", "-reason=leaked", "-ticket=T-2", "b.plan")
	do(0, "approve", "-key=keys/bob.pem", "b.plan")
	code, err := totp.GenerateCode(seed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, map[string]string{"code": code})
	do(0, "verify", "-verifier=totp.app", "-code=code", "b.plan")
	do(0, "verify", "-verifier=recovery.saved", "-code=one", "b.plan")
	do(0, "verify", "-verifier=key.ira", "-key=keys/device.pem", "b.plan")
	do(0, "apply", "-auto-approve", "-break-glass", "b.plan")
	do(0, "runs")
	id := regexp.MustCompile(`[0-9a-z-]+-breakglass`).Find(c.last)
	do(0, "review", "-key=keys/eve.pem", "-comment=fine", string(id))
	do(0, "runs", string(id))
}
