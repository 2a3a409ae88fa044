//go:build linux && !race

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// summed is a plan changed in one place, with a checksum that fits.
func summed(good, old, by string) string {
	const head, tail = `{"checksum":"`, `",`
	rest := "{" + strings.Replace(good[len(head)+71+len(tail):], old, by, 1)
	return fmt.Sprintf("%ssha256:%x%s%s", head, sha256.Sum256([]byte(strings.TrimSuffix(rest, "\n"))), tail, rest[1:])
}

// badPlans are plan files that remint did not write, and places for new ones.
func badPlans() []badRow {
	var rows []badRow
	add := func(name string, exit int, says string, change func(t *testing.T, b *bad)) {
		for _, args := range [][]string{{"show", "evil.plan"}, {"approve", "-key=keys/evidence.pem", "evil.plan"}, {"apply", "-auto-approve", "evil.plan"}} {
			rows = append(rows, badRow{name: args[0] + ": " + name, args: args, exit: exit, says: says, make: change})
		}
	}
	content := func(name string, exit int, says string, change func(good string) string) {
		add(name, exit, says, func(t *testing.T, b *bad) {
			good, err := os.ReadFile(b.path("good.plan"))
			must(t, err)
			b.write(t, "evil.plan", change(string(good)))
		})
	}
	const altered, format = "is damaged or was altered", "not a plan file of this version"
	content("an empty plan", 5, format, func(string) string { return "" })
	content("a plan of NULs", 5, format, func(good string) string { return strings.Repeat("\x00", len(good)) })
	content("a plan with a byte order mark", 5, format, func(good string) string { return "\xef\xbb\xbf" + good })
	content("a plan with a NUL", 5, altered, func(good string) string { return good[:len(good)/2] + "\x00" + good[len(good)/2:] })
	content("a plan that is HCL", 5, format, func(string) string { return badMain })
	content("a plan that is other JSON", 5, format, func(string) string { return `{"name": "x", "version": "1.0"}` })
	content("a plan of the next version", 5, `"2.0"`, func(good string) string {
		return strings.Replace(good, `"format_version":"1.0"`, `"format_version":"2.0"`, 1)
	})
	content("a plan whose version deceives", 5, `\u202e`, func(good string) string {
		return strings.Replace(good, `"format_version":"1.0"`, "\"format_version\":\"\u202e\"", 1)
	})
	content("a plan with a member twice", 5, altered, func(good string) string {
		return strings.Replace(good, `"reason":`, `"reason":"compromised","reason":`, 1)
	})
	content("a plan with a member more", 5, altered, func(good string) string { return strings.Replace(good, `"reason":`, `"x":1,"reason":`, 1) })
	content("a plan with a huge number", 5, altered, func(good string) string {
		return strings.Replace(good, `"generation":1`, `"generation":1`+strings.Repeat("0", 1<<20), 1)
	})
	content("a plan, 1,000,000 deep", 5, altered, func(good string) string { return good[:100] + strings.Repeat(`{"a":[`, 500_000) })
	content("brackets, 1,000,000 deep", 5, format, func(string) string { return strings.Repeat("[", 1_000_000) })
	content("a plan behind another", 5, altered, func(good string) string { return good + good })
	content("a plan with Windows line ends", 5, altered, func(good string) string { return strings.TrimSuffix(good, "\n") + "\r\n" })
	content("a plan with a lone carriage return", 5, altered, func(good string) string { return strings.Replace(good, `"reason":`, "\r\"reason\":", 1) })
	content("a plan made pretty", 5, altered, func(good string) string { return strings.ReplaceAll(good, `":`, `": `) })
	empty := strings.Repeat("{},", 500_000)
	for _, list := range []string{`"resets":[`, `"seen":[`, `"steps":[`, `"decisions":[`} {
		content("a plan that fits its checksum, with 500,000 times {} in "+list, 5, altered, func(good string) string { return summed(good, list, list+empty) })
	}
	add("a plan of 1 GB", 5, "more than 512 MB are not read", func(t *testing.T, b *bad) { sparse(t, b.path("evil.plan"), 1<<30) })
	add("the head of a plan, then 400 MB", 5, altered, func(t *testing.T, b *bad) {
		good, err := os.ReadFile(b.path("good.plan"))
		must(t, err)
		b.write(t, "evil.plan", string(good[:300]))
		must(t, os.Truncate(b.path("evil.plan"), 400<<20))
	})
	add("a pipe", 1, "not a regular file", func(t *testing.T, b *bad) { fifo(t, b.path("evil.plan")) })
	add("a folder", 1, "not a regular file", func(t *testing.T, b *bad) { must(t, os.Mkdir(b.path("evil.plan"), 0o755)) })
	add("a device behind a link", 1, "not a regular file", func(t *testing.T, b *bad) { b.link(t, "/dev/zero", "evil.plan") })
	add("a link that leads nowhere", 1, "no such file", func(t *testing.T, b *bad) { b.link(t, "nowhere", "evil.plan") })
	add("a link to itself", 1, "too many levels", func(t *testing.T, b *bad) { b.link(t, "evil.plan", "evil.plan") })
	add("no plan", 1, "no such file", func(*testing.T, *bad) {})
	rows = append(rows,
		badRow{name: "a plan behind a link", args: []string{"show", "link.plan"}, make: func(t *testing.T, b *bad) { b.link(t, "good.plan", "link.plan") }},
		badRow{name: "a plan whose name is a device", args: []string{"show", "/dev/zero"}, exit: 1, says: "not a regular file"},
		badRow{name: "a plan whose name deceives", args: []string{"show", "\x1b[2J\u202e.plan"}, exit: 1, says: `\u202e`},
		badRow{name: "two plans", args: []string{"apply", "-auto-approve", "good.plan", "good.plan"}, exit: 1, says: "Give one plan file"},
		badRow{name: "a plan and an address", args: []string{"apply", "-auto-approve", "good.plan", "credential.htpasswd_user.ann"}, exit: 1, says: "Give one plan file"},
	)
	return slices.Concat(rows, badPlaces(), badOuts())
}

// badOuts are places that the other flags which name a file must not write to: a mistyped
// name costs no key and no workspace, and what a stranger planted is not followed.
func badOuts() []badRow {
	var rows []badRow
	for flag, args := range map[string][]string{
		"verify -page":         {"verify", "-page=OUT"},
		"verify -new-codes":    {"verify", "-new-codes=ann", "-out=OUT"},
		"policy bundle -out":   {"policy", "bundle", "-key=keys/p.pem", "-revision=1", "-out=OUT", "rules"},
		"policy eval -out":     {"policy", "eval", "-out=OUT", "good.plan"},
		"test -junit":          {"test", "-junit=OUT"},
		"trust propose -out":   {"trust", "propose", "-out=OUT"},
		"evidence export -out": {"evidence", "export", "-out=OUT"},
	} {
		there, link := "is there already and is no", "symbolic link"
		switch flag {
		case "verify -new-codes":
			there, link = "it must be a new file", "it must be a new file"
		case "evidence export -out":
			there, link = "not a directory", "not a directory"
		}
		for name, out := range map[string]string{"the evidence key": "keys/evidence.pem", "the workspace's source": "main.remint.hcl", "a link that leads out": "way", "a link to the key": "key"} {
			says := there
			if out == "way" || out == "key" {
				says = link
			}
			words := slices.Clone(args)
			for i := range words {
				words[i] = strings.ReplaceAll(words[i], "OUT", out)
			}
			rows = append(rows, badRow{name: flag + " names " + name, args: words, exit: 1, says: says, make: func(t *testing.T, b *bad) {
				b.link(t, "../outside/victim", "way")
				b.link(t, "keys/evidence.pem", "key")
				b.write(t, "rules/house.rego", "package remint.plan\n\nwarn contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"\"\n")
				if flag == "policy bundle -out" {
					b.sh(t, "openssl genpkey -algorithm ed25519 -out keys/p.pem")
				}
				if flag == "test -junit" {
					b.write(t, "a.reminttest.hcl", "run \"one\" {\n  all = true\n  assert { condition = length(plan.resets) == 2 }\n}\n")
				}
				if flag == "trust propose -out" {
					b.write(t, "policy.remint.hcl", `policy "house" { path = "rules" }`)
				}
			}})
		}
	}
	return rows
}

// badPlaces are places that a plan must not be saved to.
func badPlaces() []badRow {
	var rows []badRow
	out := func(name, out, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{name: "plan saved to " + name, args: []string{"plan", "-all", "-out=" + out}, exit: 1, says: says, make: change})
	}
	out("a link that leads out", "new.plan", "symbolic link", func(t *testing.T, b *bad) { b.link(t, "../outside/victim", "new.plan") })
	out("a link that leads nowhere", "new.plan", "symbolic link", func(t *testing.T, b *bad) { b.link(t, "../outside/new", "new.plan") })
	out("a file with two names", "new.plan", "hard links", func(t *testing.T, b *bad) { must(t, os.Link(b.path("good.plan"), b.path("new.plan"))) })
	out("a pipe", "new.plan", "no regular file", func(t *testing.T, b *bad) { fifo(t, b.path("new.plan")) })
	out("a folder", "new.plan", "no regular file", func(t *testing.T, b *bad) { must(t, os.Mkdir(b.path("new.plan"), 0o755)) })
	out("no folder", "no/new.plan", "no such file or directory", nil)
	out("a device", "/dev/null", "no regular file", nil)
	out("the workspace's source", "main.remint.hcl", "is there already and is no plan", nil)
	out("the evidence key", "keys/evidence.pem", "is there already and is no plan", nil)
	out("the state", ".remint/state.db", "is there already and is no plan", nil)
	rows = append(rows,
		badRow{
			name: "plan saved over a plan", args: []string{"plan", "-all", "-out=good.plan"},
			may: func(p string) bool { return p == "good.plan" },
		},
		badRow{
			name: "plan saved under umask 000", args: []string{"plan", "-all", "-out=new.plan"}, before: "umask 000",
			may: func(p string) bool { return p == "new.plan" || p == "." }, after: func(t *testing.T, b *bad) { modes(t, b, map[string]os.FileMode{"new.plan": 0o644}) },
		},
		badRow{
			name: "plan saved over what a stranger planted as its temporary file", args: []string{"plan", "-all", "-out=new.plan"},
			make: func(t *testing.T, b *bad) { b.link(t, "../outside/victim", ".new.plan.remint-tmp") },
			may:  func(p string) bool { return p == "new.plan" || p == "." || p == ".new.plan.remint-tmp" },
		},
	)
	return rows
}

// badApprovals lie beside a plan that needs two.
func badApprovals() []badRow {
	var rows []badRow
	add := func(name string, exit int, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{
			name: "apply: " + name, args: []string{"apply", "-auto-approve", "gated.plan"}, exit: exit, says: says,
			may:  func(p string) bool { return exit == 4 && recorded(p) },
			make: func(t *testing.T, b *bad) { b.gate(t); change(t, b) },
		})
	}
	const path = "gated.plan.alice.approval.json"
	content := func(name, says string, change func(good string) string) {
		add(name, 4, says, func(t *testing.T, b *bad) {
			good, err := os.ReadFile(b.path(path))
			must(t, err)
			b.write(t, path, change(string(good)))
		})
	}
	const ignored = "does not count"
	content("an empty approval", ignored, func(string) string { return "" })
	content("an approval of NULs", ignored, func(good string) string { return strings.Repeat("\x00", len(good)) })
	content("an approval with a byte order mark", ignored, func(good string) string { return "\xef\xbb\xbf" + good })
	content("an approval cut in two", ignored, func(good string) string { return good[:len(good)/2] })
	content("an approval with a member twice", ignored, func(good string) string {
		return strings.Replace(good, `"dsseEnvelope":`, `"dsseEnvelope":{},"dsseEnvelope":`, 1)
	})
	content("an approval of the next version", ignored, func(good string) string { return strings.Replace(good, "v0.3", "v9.9", 1) })
	content("an approval, 150,000 deep", ignored, func(string) string { return strings.Repeat(`{"a":`, 150_000) })
	content("brackets for an approval", ignored, func(string) string { return strings.Repeat("[", 1_000_000) })
	content("an approval with a huge number", ignored, func(string) string { return "1" + strings.Repeat("0", 1_000_000) })
	content("an approval with another signature", ignored, func(good string) string {
		at := strings.Index(good, `"sig":"`) + len(`"sig":"`) + 40
		return good[:at] + "AAAA" + good[at+4:]
	})
	content("an approval with a lone carriage return", ignored, func(good string) string {
		return strings.Replace(good, `{"payload`, "{\r\"payload", 1)[:len(good)-1] + "\r"
	})
	content("a plan for an approval", ignored, func(string) string { return `{"format_version":"1.0"}` })
	const unread = "An approval cannot be read"
	add("an approval of 1 GB", 1, unread, func(t *testing.T, b *bad) { sparse(t, b.path(path), 1<<30) })
	add("a pipe for an approval", 1, unread, func(t *testing.T, b *bad) { must(t, os.Remove(b.path(path))); fifo(t, b.path(path)) })
	add("a folder for an approval", 1, unread, func(t *testing.T, b *bad) { must(t, os.Remove(b.path(path))); must(t, os.Mkdir(b.path(path), 0o755)) })
	add("a device for an approval", 1, unread, func(t *testing.T, b *bad) { b.link(t, "/dev/zero", path) })
	add("an approval that leads nowhere", 1, unread, func(t *testing.T, b *bad) { b.link(t, "nowhere", path) })
	// Here alice's own approval lies beside what is bad: she was told when she signed, and
	// is told that her key was used, and nobody is told anything else.
	told := func() {
		r := &rows[len(rows)-1]
		begins := r.may
		r.may = func(p string) bool { return p == "notices.jsonl" || p == "two.jsonl" || begins(p) }
		r.after = func(t *testing.T, b *bad) {
			for name, before := range map[string]int{"notices.jsonl": 3, "two.jsonl": 1} {
				text, err := os.ReadFile(b.path(name))
				must(t, err)
				if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) != before+1 || !strings.Contains(lines[before], `"kind":"key_used"`) {
					t.Errorf("%s tells %s", name, text)
				}
			}
		}
	}
	add("an approval whose name deceives", 4, `\u202e`, func(t *testing.T, b *bad) { b.write(t, "gated.plan.\u202e.approval.json", "{}") })
	told()
	add("999 approvals more", 4, ignored, func(t *testing.T, b *bad) { several(t, 999, 2, b.path("gated.plan.%d.approval.json")) })
	told()
	add("400 approvals of 1 MiB", 1, "together they are larger than 16 MiB", func(t *testing.T, b *bad) { several(t, 400, 1<<20, b.path("gated.plan.%d.approval.json")) })
	add("1,001 approvals", 1, "there are more than 1000 of them", func(t *testing.T, b *bad) { several(t, 1000, 2, b.path("gated.plan.%d.approval.json")) })
	approve := func(name, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{
			name: "approve: " + name, args: []string{"approve", "-key=alice.pem", "gated.plan"}, exit: 1, says: says,
			make: func(t *testing.T, b *bad) { b.gate(t); must(t, os.Remove(b.path(path))); change(t, b) },
		})
	}
	approve("a link where the approval goes", "symbolic link", func(t *testing.T, b *bad) { b.link(t, "../outside/victim", path) })
	approve("a pipe where the approval goes", "no regular file", func(t *testing.T, b *bad) { fifo(t, b.path(path)) })
	approve("a folder where the approval goes", "no regular file", func(t *testing.T, b *bad) { must(t, os.Mkdir(b.path(path), 0o755)) })
	approve("a file with two names where the approval goes", "hard links", func(t *testing.T, b *bad) {
		must(t, os.Link(b.path("../outside/victim"), b.path(path)))
	})
	return rows
}

// gate makes the workspace one where a plan needs approvals, with a plan and one
// approval of it.
func (b *bad) gate(t *testing.T) {
	t.Helper()
	b.write(t, "gate.remint.hcl", "approver \"alice\" { public_key = file(\"alice.pub\") }\nnotifier \"file\" \"two\" { path = \"two.jsonl\" }\npolicy \"house\" { path = \"rules\" }\n")
	b.write(t, "rules/house.rego", "package remint.plan\n\n# METADATA\n# title: Two agree\nrequire contains {\"approvals\": 1}\n")
	b.sh(t, "openssl genpkey -algorithm ed25519 -out alice.pem 2>/dev/null && chmod 600 alice.pem && openssl pkey -in alice.pem -pubout -out alice.pub")
	b.sh(t, `"$0" trust accept -auto-approve && "$0" plan -all -requester=carol -out=gated.plan && "$0" approve -key=alice.pem gated.plan`)
}

// sh runs shell in the workspace, with the program as $0.
func (b *bad) sh(t *testing.T, script string) {
	t.Helper()
	parts, err := badProgram()
	must(t, err)
	cmd := exec.Command("bash", "-c", script, parts[0])
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "CI=", "GITHUB_ACTIONS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func modes(t *testing.T, b *bad, want map[string]os.FileMode) {
	t.Helper()
	for name, mode := range want {
		info, err := os.Lstat(b.path(name))
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), mode)
		}
	}
}

// badPlanBytes flips and cuts bytes of a plan under the built program; that
// no byte at all can be flipped is the plan package's test.
func badPlanBytes(t *testing.T) {
	t.Parallel()
	b, bin := newBad(t)
	good, err := os.ReadFile(b.path("good.plan"))
	must(t, err)
	before := seen(t, b.dir)
	n := 0
	try := func(what string, content []byte) {
		n++
		path := b.path("../evil.plan")
		must(t, os.WriteFile(path, content, 0o644))
		verb := []string{"show", path}
		if n%4 == 0 {
			verb = []string{"apply", "-auto-approve", path}
		}
		if cost := b.run(t, bin, "", verb...); cost.exit != 5 || strings.Count(b.out, "Error: ") != 1 || cost.over() != nil {
			t.Errorf("%s: %s: exit %d, %v\n%.500s", verb[0], what, cost.exit, cost.over(), b.out)
		}
		b.calm(t)
	}
	const samples = 80
	for i := range samples {
		at := i * (len(good) - 1) / (samples - 1)
		flipped := bytes.Clone(good)
		flipped[at] ^= 1 << (i % 8)
		try(fmt.Sprintf("bit %d of byte %d flipped", i%8, at), flipped)
		if i%4 == 0 {
			try(fmt.Sprintf("cut at %d", at), good[:at])
		}
	}
	for _, p := range changes(before, seen(t, b.dir)) {
		if !side(p) {
			t.Errorf("changed: %s", p)
		}
	}
	fmt.Printf("bad input: %d plans with a byte flipped or cut\n", n)
}
