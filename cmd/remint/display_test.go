//go:build linux && !race

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/remint-dev/remint/engine/addrs"
)

// hostile are texts that a stranger may have chosen. raw must never reach a
// person as it is; in drawings that end in a page, page must not either.
var hostile = []struct{ name, text, raw, page string }{
	{"a sequence that clears the screen", "x\x1b[2Jy", "\x1b", ""},
	{"OSC 8, a link", "\x1b]8;;http:evil\x1b\\click", "\x1b", ""},
	{"OSC 52, the clipboard", "\x1b]52;c;eA==\x07", "\x07", ""},
	{"C1", "x\u009b31my", "\u009b", ""},
	{"DEL", "x\x7fy", "\x7f", ""},
	{"a carriage return", "safe\rEVIL", "\r", ""},
	{"a line of its own", "x\n::error::y\nError: z", "\nError: z", ""},
	{"right-to-left override", "x\u202egnp.exe", "\u202e", ""},
	{"isolates", "x\u2067y\u2069", "\u2067", ""},
	{"zero width", "zero\u200bwidth", "\u200b", ""},
	{"a byte order mark", "x\ufeffy", "\ufeff", ""},
	{"a filler", "x\u3164y", "\u3164", ""},
	{"a line separator", "x\u2028y", "\u2028", ""},
	{"tags", "x\U000e0041y", "\U000e0041", ""},
	{"a Cyrillic letter", "p\u0430yments", "p\u0430yments", "p\u0430yments"},
	{"a Malayalam letter, and one of the IPA", "\u0d20pp/pl\u0251tform", "\u0d20pp", "pl\u0251tform"},
	{"a blank that is a character", "x\u2800y", "\u2800", ""},
	{"fullwidth letters", "\uff41dmin", "\uff41dmin", "\uff41dmin"},
	{"struck out", "n\u0336o\u0336", "\u0336", ""},
	{"a command of CI", "::set-env name=PATH::y", "\n::set-env", ""},
	{"a command over two lines", "::stop-commands \n::tok", "\n::tok", ""},
	{"a command in a line", "x ##[stop-commands]y", "##[", ""},
	{"a fence", "```\nEVIL", "\n```", "```"},
	{"HTML", "<script>alert(1)</script>", "", "<script>"},
	{"a mention", "x @here y", "", "@here"},
	{"backticks", "`rm x`", "", "`rm"},
}

// stage is a workspace in which strangers named everything. env is added to the program's.
type stage struct {
	dir, bin string
	t        *testing.T
	env      []string
}

func (s *stage) run(args ...string) (stdout, both string) {
	s.t.Helper()
	cmd := exec.Command(s.bin, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS=true", "GITHUB_ACTOR=\u202ementor")
	cmd.Env = append(cmd.Env, s.env...)
	var out, all strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &all
	_ = cmd.Run() // its exit code is other tests' matter
	return out.String(), out.String() + all.String()
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(filepath.Join(s.dir, name)), 0o755))
	must(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644))
}

// quotedJSON is a string that HCL, Rego and JSON all read alike.
func quotedJSON(t *testing.T, s string) string {
	b, err := json.Marshal(s)
	must(t, err)
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", "\ufeff", `\ufeff`).Replace(string(b)) // Rego takes no raw byte order mark
}

// newStage names everything text: keys, owner, labels, descriptions, rules and
// their messages, ticket, requester, operator, comments.
func newStage(t *testing.T, text string) *stage {
	t.Helper()
	bin, err := os.Executable()
	must(t, err)
	s := &stage{dir: t.TempDir(), bin: bin, t: t}
	q := quotedJSON(t, text)
	s.write("main.remint.hcl", `
provider "htpasswd" "site" {
  file        = "site.htpasswd"
  environment = "test"
}
credential "htpasswd_user" "team" {
  for_each = toset([`+q+`])
  provider = htpasswd.site
  user     = "bob"
  owner    = each.key
  labels   = { tier = each.key }
  runbook  = "evil"
  store "file" "f" { path = "f.txt" }
}
policy "house" { path = "rules" }
approver "alice" { public_key = file("alice.pub") }
runbook "evil" {
  resets      = "htpasswd_user"
  description = `+q+`
  verify "requester" { description = `+q+` }
  approve "owners" {}
  issue "password" { length = 40 }
  install "file" { secret = issue.password }
  confirm "accepted" { secret = issue.password }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.password
  }
  revoke "old" {}
  terminate "sessions" {}
  prove "refused" {}
  notify "owner" { to = credential.owner }
}
`)
	s.write("rules/house.rego", "package remint.plan\n\n# METADATA\n# title: House\nwarn contains {\"id\": "+q+", \"msg\": "+q+", \"address\": r.address, \"controls\": ["+q+"]} if some r in input.resets\n\n"+
		"# METADATA\n# title: No\ndeny contains {\"id\": "+q+", \"msg\": "+q+"} if input.reason == \"expiring\"\n")
	s.key("alice")
	return s
}

// key makes a key pair, NAME.pem and NAME.pub.
func (s *stage) key(name string) {
	s.t.Helper()
	sh := exec.Command("bash", "-c", `openssl genpkey -algorithm ed25519 -out "$0.pem" 2>/dev/null && chmod 600 "$0.pem" && openssl pkey -in "$0.pem" -pubout -out "$0.pub"`, name)
	sh.Dir = s.dir
	if out, err := sh.CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
}

// obeyed is what CI takes for a command, and what ends the quoted output in a
// review, at the beginning of a line.
var obeyed = regexp.MustCompile("(?m)^\\s*(::[A-Za-z]|```|~~~)|##\\[")

// honest holds what was printed against what a person may be shown.
func honest(t *testing.T, surface, out, raw string) {
	t.Helper()
	for _, line := range strings.Split(out, "\n") {
		for _, r := range line {
			if !addrs.Printable(r) {
				t.Errorf("%s: a raw %U in %q", surface, r, line)
				return
			}
		}
	}
	if raw != "" && strings.Contains(out, raw) {
		at := strings.Index(out, raw)
		t.Errorf("%s: %q is shown as it is: %.100q", surface, raw, out[max(0, at-20):])
	}
	if at := obeyed.FindStringIndex(out); at != nil {
		t.Errorf("%s: a command: %.100q", surface, out[at[0]:])
	}
}

// display is one hostile text, and what was looked at.
type display struct {
	t         *testing.T
	text, raw string
	surfaces  *atomic.Int64
	// said is whether the text was seen anywhere, escaped.
	said bool
}

// shown runs the program and looks at all that it says.
func (d *display) shown(s *stage, name string, args ...string) string {
	d.t.Helper()
	_, out := s.run(args...)
	d.look(name, out)
	if out == "" {
		d.t.Errorf("%s says nothing", name)
	}
	return out
}

// look holds a surface against what a person may be shown.
func (d *display) look(name, out string) {
	d.t.Helper()
	raw := d.raw
	if strings.Contains(name, "JSON") && !strings.ContainsFunc(raw, func(r rune) bool { return !addrs.Printable(r) }) && raw != "##[" {
		raw = "" // for machines: letters and words are as they were written
	}
	honest(d.t, name, out, raw)
	d.said = d.said || strings.Contains(out, addrs.Visible(d.text))
	d.surfaces.Add(1)
}

// named is a file's name that a stranger may have chosen.
func (d *display) named(end string) string {
	if strings.Contains(d.text, "/") {
		return "a" + end
	}
	return d.text + end
}

// TestDisplay: whatever a stranger has named, no surface shows it so that it
// deceives a person, a terminal or a log.
func TestDisplay(t *testing.T) {
	var surfaces atomic.Int64
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, h.text)
			_, both := s.run("init", "-bare")
			honest(t, "init", both, h.raw)
			d := &display{t: t, text: h.text, raw: h.raw, surfaces: &surfaces}
			about := []string{"-all", "-ticket=" + h.text, "-requester=" + h.text}
			file := d.named(".plan") // files are named by strangers, too
			shown := func(name string, args ...string) { d.shown(s, name, args...) }
			shown("plan", append([]string{"plan", "-out=" + file}, about...)...)
			shown("plan, JSON", append([]string{"plan", "-json"}, about...)...)
			bytes, err := os.ReadFile(filepath.Join(s.dir, file))
			must(t, err)
			honest(t, "the plan file", strings.TrimSpace(string(bytes)), "")
			shown("a denied plan", append([]string{"plan", "-reason=expiring"}, about...)...)
			shown("a denied plan, JSON", append([]string{"plan", "-json", "-reason=expiring"}, about...)...)
			shown("a denied apply", append([]string{"apply", "-auto-approve", "-reason=expiring"}, about...)...)
			shown("a denied apply, JSON", append([]string{"apply", "-json", "-auto-approve", "-reason=expiring"}, about...)...)
			shown("show", "show", file)
			shown("show, JSON", "show", "-json", file)
			shown("policy eval", "policy", "eval", file)
			shown("policy eval, JSON", "policy", "eval", "-json", file)
			shown("graph dot", "graph", file)
			shown("graph JSON", "graph", "-json", file)
			mermaid, _ := s.run("graph", "-format=mermaid", file)
			honest(t, "graph mermaid", mermaid, h.raw)
			if h.page != "" && strings.Contains(mermaid, h.page) {
				t.Errorf("graph mermaid has %q as it is", h.page)
			}
			shown("a rejection", "approve", "-key=alice.pem", "-reject", "-comment="+h.text, file)
			shown("a rejected apply", "apply", "-auto-approve", file)
			shown("an approval, JSON", "approve", "-json", "-key=alice.pem", "-comment="+h.text, file)
			shown("apply", "apply", "-auto-approve", file)
			shown("apply again", "apply", "-auto-approve", file)
			shown("apply, JSON", append([]string{"apply", "-json", "-auto-approve"}, about...)...)
			must(t, os.Chmod(filepath.Join(s.dir, "site.htpasswd"), 0o600))
			s.write("f.txt", "x")
			must(t, os.Link(filepath.Join(s.dir, "f.txt"), filepath.Join(s.dir, "g.txt")))
			shown("a failing apply", append([]string{"apply", "-auto-approve"}, about...)...)
			must(t, os.Remove(filepath.Join(s.dir, "g.txt")))
			for _, verb := range [][]string{{"status"}, {"runs"}, {"resume"}, {"evidence", "list"}, {"evidence", "show"}, {"evidence", "verify"}, {"validate"}} {
				shown(strings.Join(verb, " "), verb...)
				if verb[0] != "resume" {
					shown(strings.Join(verb, " ")+", JSON", append(verb, "-json")...)
				}
			}
			runs, _ := s.run("runs", "-json")
			var list struct{ Runs []struct{ Run string } }
			must(t, json.Unmarshal([]byte(runs), &list))
			if len(list.Runs) == 0 {
				t.Fatal("no runs")
			}
			for _, r := range list.Runs {
				shown("runs "+r.Run, "runs", r.Run)
			}
			shown("an address", "plan", "credential.htpasswd_user."+h.text)
			shown("a file", "show", "no "+h.text)
			shown("a verb", h.text)
			shown("a selection", "plan", "-where="+h.text)
			shown("a variable", "plan", "-var="+h.text+"=1")
			shown("a directory", "-chdir=no "+h.text, "plan")
			notices, err := os.ReadFile(filepath.Join(s.dir, "notices.jsonl"))
			must(t, err)
			honest(t, "notices", string(notices), "")
			s.write("evil.remint.hcl", "locals { x = "+quotedJSON(t, h.text)+" + nothing }\ncredential \"x\" "+quotedJSON(t, h.text)+" {}\n")
			shown("diagnostics", "validate")
			shown("diagnostics, JSON", "validate", "-json")
			s.write("evil.remint.hcl", "# "+h.text+"\nlocals { x = "+h.text+" }\n")
			shown("diagnostics of what is no HCL", "validate")
			if !d.said && h.text != "" {
				t.Error("the text is shown nowhere")
			}
			people(t, d)
			outcomes(t, d)
		})
	}
	t.Cleanup(func() {
		fmt.Printf("display: %d hostile texts, %d surfaces looked at\n", len(hostile), surfaces.Load())
	})
}
