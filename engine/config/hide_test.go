package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestHidden(t *testing.T) {
	for name, tc := range map[string]struct{ src, want string }{
		"a value":            {"password = \"hunter2\"\nname = \"x\"\n", "password = \"*******\"\nname = \"x\"\n"},
		"in one line":        {"verifier \"totp\" \"x\" { secrets = \"ann ABC\" }\n", "verifier \"totp\" \"x\" { secrets = \"*******\" }\n"},
		"beside a fault":     {"b { secret = \"s3\", oops = 1 }\n", "b { secret = \"**\", oops = * }\n"},
		"a variable":         {"url = var.url\n", "url = var.url\n"},
		"parts":              {"url = \"pg://${var.u}:pw@h\"\nx = 1\n", "url = \"*****${var.u}*****\"\nx = 1\n"},
		"a call":             {"url = join(\"\", [\n \"a\",\n \"b\"])\nx = \"y\"\n", "url = join(\"\", [\n \"*\",\n \"*\"])\nx = \"y\"\n"},
		"a number":           {"token = 4711\n", "token = ****\n"},
		"a heredoc":          {"secrets = <<EOT\nann ABC\nEOT\nx = \"y\"\n", "secrets = <<EOT\n*******\nEOT\nx = \"y\"\n"},
		"an object":          {"x = { token = \"t\", y = \"z\" }\n", "x = { token = \"*\", y = \"*\" }\n"},
		"with a colon":       {"x = { token: \"t\" }\n", "x = { token: \"*\" }\n"},
		"a comment":          {"token = \"t\" # why\nx = \"y\"\n", "token = \"*\" # why\nx = \"y\"\n"},
		"not closed":         {"token = \"abc\nx = 1\n", "token = \"***\n*****\n"},
		"another quote":      {"token = 'hunter2'\n", "token = '*******'\n"},
		"a sensitive one":    {"variable \"p\" {\n default = \"pw\"\n sensitive = true\n}\n", "variable \"p\" {\n default = \"**\"\n sensitive = true\n}\n"},
		"an ordinary one":    {"variable \"p\" {\n default = \"x\"\n}\n", "variable \"p\" {\n default = \"x\"\n}\n"},
		"longer than a byte": {"token = \"é\"\n", "token = \"**\"\n"},
		"nothing":            {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, _ := hclsyntax.LexConfig([]byte(tc.src), "x", hcl.InitialPos)
			src := []byte(tc.src)
			if d := cmp.Diff(tc.want, string(hidden(src, tokens, secretNames))); d != "" {
				t.Error(d)
			}
			if string(src) != tc.src {
				t.Error("the source itself was changed")
			}
		})
	}
}

// What the lexer did not come to is not quoted.
func TestHiddenBeyondTheTokens(t *testing.T) {
	src := []byte("a = 1\ntoken = \"t\"\n")
	tokens, _ := hclsyntax.LexConfig(src[:6], "x", hcl.InitialPos)
	if got := string(hidden(src, tokens, secretNames)); got != "a = 1\n***********\n" {
		t.Errorf("%q", got)
	}
}

// FuzzHidden: the length and the lines stay, and the value given to a password is
// nowhere in what is quoted.
func FuzzHidden(f *testing.F) {
	for _, seed := range []string{"x = 1", "a {", "\"${", "<<EOT\n", "'", "/*", "}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, before []byte) {
		if _, what := textFault(before); what != "" {
			return // refused, and not quoted
		}
		src := append(bytes.Clone(before), "\npassword = \"hunter2hunter2\"\n"...)
		tokens, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
		got := hidden(src, tokens, secretNames)
		if len(got) != len(src) || bytes.Count(got, []byte("\n")) != bytes.Count(src, []byte("\n")) {
			t.Fatalf("%q became %q", src, got)
		}
		alone := true // within a string, a comment or a heredoc that before left open it is no attribute
		for _, tok := range tokens {
			if strings.Contains(string(tok.Bytes), "password") && tok.Type != hclsyntax.TokenIdent {
				alone = false
			}
		}
		if alone && !bytes.Contains(before, []byte("hunter2")) && !bytes.Contains(before, []byte("password")) && bytes.Contains(got, []byte("hunter2hunter2")) {
			t.Fatalf("%q is quoted as %q", src, got)
		}
	})
}
