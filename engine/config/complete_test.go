package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// conditional is a workspace with a credential that has two stores and a consumer,
// and a runbook of its type with these lines in the steps.
func conditional(typ string, steps map[string]string) string {
	block, about := `provider "htpasswd" "site" { file = "site.htpasswd" }`, "  provider = htpasswd.site\n  user = \"u\"\n"
	if typ == "ssh_authorized_key" {
		block, about = `provider "ssh" "host" { authorized_keys = "keys.txt" }`, "  provider = ssh.host\n  comment = \"u\"\n"
	}
	field := map[string]string{"ssh_authorized_key": "private_key", "htpasswd_user": "value"}[typ]
	var b strings.Builder
	b.WriteString("variable \"tier\" { type = string }\n" + block + "\ncredential \"" + typ + "\" \"a\" {\n" + about + "  owner = \"o@example.com\"\n  labels = { tier = var.tier }\n")
	for _, name := range []string{"one", "two"} {
		b.WriteString("  store \"file\" \"" + name + "\" {\n    path = \"" + name + "\"\n    field = \"" + field + "\"\n  }\n")
	}
	b.WriteString("  consumer \"command\" \"c\" { command = [\"/bin/true\"] }\n}\nrunbook \"" + typ + "\" {\n  resets = \"" + typ + "\"\n")
	for _, st := range [][3]string{
		{"verify", "r", ""}, {"approve", "o", ""}, {"issue", "s", ""}, {"install", "t", "secret = issue.s"}, {"confirm", "l", "secret = issue.s"},
		{"distribute", "d", "secret = issue.s\n    for_each = credential.stores"}, {"reload", "c", "for_each = credential.consumers"},
		{"revoke", "o", ""}, {"terminate", "t", ""}, {"prove", "d", ""}, {"notify", "n", "to = credential.owner"},
	} {
		if steps[st[0]] != "none" {
			b.WriteString("  " + st[0] + " \"" + st[1] + "\" {\n    " + st[2] + "\n    " + steps[st[0]] + "\n  }\n")
		}
	}
	return b.String() + "}\n"
}

// What `when` takes away is found before anything is begun, where it is known; the
// rest is for the plan.
func TestWhatWhenLeavesOut(t *testing.T) {
	const key, password = "ssh_authorized_key", "htpasswd_user"
	issue := func(when string) map[string]string { return map[string]string{"issue": "when = " + when} }
	for name, row := range map[string]struct {
		typ    string
		steps  map[string]string
		reason lifecycle.Reason
		ticket string
		// plan and validate are what they must say; "" is nothing.
		plan, validate string
	}{
		"nothing":                     {password, nil, lifecycle.Compromised, "", "", ""},
		"no new secret in contain":    {password, issue(`reset.mode != "contain"`), lifecycle.Compromised, "", "reason compromised (mode contain) `when` leaves out issue.s, and a reset of htpasswd_user needs the phase issue", "leaves out issue.s"},
		"the same, in another mode":   {password, issue(`reset.mode != "contain"`), lifecycle.Scheduled, "", "", "leaves out issue.s"},
		"none for one reason":         {password, issue(`reset.reason != "expiring"`), lifecycle.Expiring, "", "reason expiring (mode cutover)", "reason expiring (mode cutover)"},
		"none, where none is made":    {password, issue(`reset.mode != "retire"`), lifecycle.Offboarding, "", "", ""},
		"not installed":               {password, map[string]string{"install": "when = false"}, lifecycle.Scheduled, "", "needs the phase install", "needs the phase install"},
		"not confirmed":               {key, map[string]string{"confirm": "when = false"}, lifecycle.Scheduled, "", "needs the phase confirm", "needs the phase confirm"},
		"nobody told":                 {password, map[string]string{"notify": "when = false"}, lifecycle.Offboarding, "", "needs the phase notify", "needs the phase notify"},
		"no store":                    {password, map[string]string{"distribute": "when = false"}, lifecycle.Compromised, "", "needs the phase distribute", "needs the phase distribute"},
		"known with the ticket":       {password, issue(`reset.ticket != ""`), lifecycle.Scheduled, "", "leaves out issue.s", ""},
		"and there":                   {password, issue(`reset.ticket != ""`), lifecycle.Scheduled, "T-1", "", ""},
		"known with the variable":     {password, issue(`credential.labels.tier == "1"`), lifecycle.Scheduled, "", "leaves out issue.s", ""},
		"a password, one store":       {password, map[string]string{"distribute": `when = each.value.name != "one"`}, lifecycle.Scheduled, "", "", ""},
		"a key, one store":            {key, map[string]string{"distribute": `when = each.value.name != "one"`}, lifecycle.Scheduled, "", "leaves out distribute.d for file.one", "leaves out distribute.d for file.one"},
		"a key, one store, contained": {key, map[string]string{"distribute": `when = reset.mode == "cutover" || each.value.name != "one"`}, lifecycle.Compromised, "", "", ""},
		"a key, the consumer":         {key, map[string]string{"reload": "when = false"}, lifecycle.Forgotten, "", "leaves out reload.c for command.c, and the old secret is revoked", "leaves out reload.c for command.c"},
		"a key, no reload":            {key, map[string]string{"reload": "none"}, lifecycle.Forgotten, "", "no step that tells command.c", "no step that tells command.c"},
		"a password, no reload":       {password, map[string]string{"reload": "none"}, lifecycle.Forgotten, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := workspace(t, map[string]string{"main.remint.hcl": conditional(row.typ, row.steps)})
			o := options(dir)
			o.Vars = map[string]string{"tier": "2"}
			w, diags := config.Load(o)
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			c, reset := w.Credentials[0], config.Reset{Reason: row.reason, Mode: row.reason.Mode(), Ticket: row.ticket}
			steps, diags := c.Runbook.Expand(c, reset)
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			said(t, "plan", row.plan, c.Runbook.Complete(c, reset, steps))
			o.Vars, o.Offline = nil, true
			if w, diags = config.Load(o); diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			said(t, "validate", row.validate, w.Validate())
		})
	}
}

// said requires one fault with these words and a place, or none.
func said(t *testing.T, who, want string, diags diag.Diagnostics) {
	t.Helper()
	n := 0
	if want != "" {
		n = 1
	}
	if diff := cmp.Diff(n, len(diags)); diff != "" {
		t.Fatalf("%s said %v (-want +got):\n%s", who, diags.Err(), diff)
	}
	if n == 1 && (!strings.Contains(diags[0].Detail, want) || diags[0].Range == nil || diags[0].Snippet == nil) {
		t.Errorf("%s said %+v, want %q at a place", who, diags[0], want)
	}
}

// What a step takes depends on its phase, as docs/language.md lists it.
func TestWhatStepsTake(t *testing.T) {
	lines := map[string]string{
		"when": "when = true", "on_failure": `on_failure = "continue"`, "for_each": "for_each = credential.stores", "target": `target = "x"`,
		"to": "to = credential.owner", "via": `via = ["log.here"]`, "description": `description = "x"`, "timeout": `timeout = "1m"`,
		"controls": `controls = ["x"]`, "depends_on": "depends_on = [verify.r]",
	}
	all := []string{"controls", "depends_on", "description", "timeout"}
	for phase, more := range map[string][]string{
		"approve": nil, "revoke": nil, "terminate": nil, "prove": nil, "issue": {"when"}, "install": {"when"}, "confirm": {"when"},
		"distribute": {"for_each", "when"}, "reload": {"on_failure", "when"}, "notify": {"on_failure", "to", "via", "when"},
	} {
		var took []string
		for name, line := range lines {
			text := conditional("htpasswd_user", map[string]string{phase: line})
			if phase == "distribute" && name == "for_each" || phase == "notify" && name == "to" { // they stand there already
				text = conditional("htpasswd_user", nil)
			}
			o := options(workspace(t, map[string]string{"main.remint.hcl": text}))
			o.Vars = map[string]string{"tier": "2"}
			if _, diags := config.Load(o); !diags.HasErrors() {
				took = append(took, name)
			}
		}
		slices.Sort(took)
		want := slices.Sorted(slices.Values(append(more, all...)))
		if diff := cmp.Diff(want, took); diff != "" {
			t.Errorf("%s takes (-want +got):\n%s", phase, diff)
		}
	}
}
