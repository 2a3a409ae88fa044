package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
)

// A denial shows its rule and what it is about: side by side where that fits, and
// otherwise one under the other.
func TestSides(t *testing.T) {
	d := diag.Diagnostic{
		Severity: diag.Error, Summary: "Denied by policy house/no", Detail: "not so", Address: "credential.t.a",
		Range:   &diag.Range{Filename: "main.remint.hcl", Start: diag.Pos{Line: 3}},
		Snippet: &diag.Snippet{Context: `credential "t" "a"`, Code: "credential \"t\" \"a\" {\n\tsecret = \"****\"\n}", StartLine: 3},
		Rule: &diag.Rule{Remedy: "Do otherwise.", Range: &diag.Range{Filename: "policies/house.rego", Start: diag.Pos{Line: 7}},
			Snippet: &diag.Snippet{Code: "deny contains x if {\n\t" + strings.Repeat("y", 200) + "\n}", StartLine: 7}},
	}
	for width, want := range map[int]string{
		120: `│ Error: Denied by policy house/no
│
│   about credential.t.a:
│
│   policies/house.rego line 7:                             │ main.remint.hcl line 3, in credential "t" "a":
│       7: deny contains x if {                             │     3: credential "t" "a" {
│       8:   yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy… │     4:   secret = "****"
│       9: }                                                │     5: }
│
│ not so
│ What to do: Do otherwise.

`,
		80: `│ Error: Denied by policy house/no
│
│   about credential.t.a:
│
│   policies/house.rego line 7:
│       7: deny contains x if {
│       8:   ` + strings.Repeat("y", 200) + `
│       9: }
│
│   main.remint.hcl line 3, in credential "t" "a":
│       3: credential "t" "a" {
│       4:   secret = "****"
│       5: }
│
│ not so
│ What to do: Do otherwise.

`,
	} {
		var out bytes.Buffer
		writeDiagnostic(&out, style{width: width}, d)
		if out.String() != want {
			t.Errorf("at %d columns:\n%s", width, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if width == 120 && len([]rune(strings.TrimSuffix(line, "\n"))) > width {
				t.Errorf("longer than %d columns: %s", width, line)
			}
		}
	}
}

// The runbook stands below what the rule is about: its text, or where it is.
func TestSidesOfRunbook(t *testing.T) {
	d := diag.Diagnostic{
		Severity: diag.Error, Summary: "Denied by policy house/no", Address: "credential.t.a",
		Range:   &diag.Range{Filename: "main.remint.hcl", Start: diag.Pos{Line: 3}},
		Snippet: &diag.Snippet{Code: "credential {\n}", StartLine: 3},
		Rule:    &diag.Rule{Range: &diag.Range{Filename: "house.rego", Start: diag.Pos{Line: 7}}, Snippet: &diag.Snippet{Code: "deny", StartLine: 7}},
		Runbook: &diag.Excerpt{Range: &diag.Range{Filename: "book\x1b.remint.hcl", Start: diag.Pos{Line: 9}}},
	}
	show := func(width int) string {
		var out bytes.Buffer
		writeDiagnostic(&out, style{width: width}, d)
		return out.String()
	}
	for _, width := range []int{80, 120} {
		if got := show(width); !strings.Contains(got, `its runbook: book\u001b.remint.hcl line 9`) {
			t.Errorf("at %d columns:\n%s", width, got)
		}
	}
	d.Runbook.Snippet = &diag.Snippet{Context: `notify "owner"`, Code: "notify \"owner\" {\n}", StartLine: 9}
	for _, width := range []int{80, 120} {
		got := show(width)
		if !strings.Contains(got, `line 9, in notify "owner":`) || !strings.Contains(got, `    9: notify "owner" {`) || strings.Contains(got, "its runbook") {
			t.Errorf("at %d columns:\n%s", width, got)
		}
	}
}
