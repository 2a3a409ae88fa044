package config

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/providers/builtin"
)

// theNames are those of the rows below.
func theNames() names {
	return names{secret: secretNames, known: []string{"b", "default", "locals", "name", "sensitive", "variable", "verifier", "x", "y"}}
}

func TestHidden(t *testing.T) {
	for name, tc := range map[string]struct{ src, want string }{
		"a value":                    {"password = \"hunter2\"\nname = \"x\"\n", "password = \"*******\"\nname = \"x\"\n"},
		"in one line":                {"verifier \"totp\" \"x\" { secrets = \"ann ABC\" }\n", "verifier \"totp\" \"x\" { secrets = \"*******\" }\n"},
		"beside a fault":             {"b { secret = \"s3\", oops = 1 }\n", "b { secret = \"**\", **** * * }\n"},
		"after a fault":              {"b { oops = 1, secret = \"s3\" }\n", "b { oops = *, ****** * \"**\" }\n"},
		"a variable":                 {"url = var.url\n", "url = var.url\n"},
		"parts":                      {"url = \"pg://${var.u}:pw@h\"\nx = 1\n", "url = \"*****${var.u}*****\"\nx = 1\n"},
		"a part without its own":     {"url = \"pg:${ss}word\"\nx = 1\n", "url = \"***${**}****\"\nx = 1\n"},
		"a call":                     {"url = join(\"\", [\n \"a\",\n local.b])\nx = \"y\"\n", "url = ****(\"\", [\n \"*\",\n local.b])\nx = \"y\"\n"},
		"a number":                   {"token = 4711\n", "token = ****\n"},
		"a heredoc":                  {"secrets = <<EOT\nann ABC\nEOT\nx = \"y\"\n", "secrets = <<EOT\n*******\nEOT\nx = \"y\"\n"},
		"an object":                  {"x = { token = \"t\", y = \"z\" }\nx = \"y\"\n", "x = { token = \"*\", * * \"*\" }\nx = \"y\"\n"},
		"with a colon":               {"x = { token: \"t\" }\n", "x = { token: \"*\" }\n"},
		"a quoted member":            {"x = { \"token\": \"t\" }\nx = \"y\"\n", "x = { \"token\": \"*\" }\nx = \"y\"\n"},
		"a member in a list":         {"x = [{\n y = 1\n token = \"t\"\n}, { y = 1 }]\nx = \"y\"\n", "x = [{\n y = 1\n token = \"*\"\n}, { y = 1 }]\nx = \"y\"\n"},
		"a conditional":              {"x = y ? var.url : \"z\"\n", "x = y ? var.url : \"z\"\n"},
		"a comment":                  {"token = \"t\" # why\nx = \"y\"\n", "token = \"*\" *****\nx = \"y\"\n"},
		"not closed":                 {"token = \"abc\nx = 1\n", "token = \"***\n*****\n"},
		"another quote":              {"token = 'hunter2'\nx = \"y\"\n", "token = *********\nx = \"y\"\n"},
		"no quote":                   {"url = postgres://admin:pw@h/db\nx = \"y\"\n", "url = ************************\nx = \"y\"\n"},
		"no quote, a word":           {"secret = whsec_abc\nx = \"y\"\n", "secret = *********\nx = \"y\"\n"},
		"no quote, signs":            {"password = a}b#c\"d\nx = \"y\"\n", "password = *}*****\nx = \"y\"\n"},
		"no quote, a call":           {"password = ab(cd\n}\nx = \"y\"\n", "password = **(**\n}\nx = \"y\"\n"},
		"no quote, in one line":      {"b \"postgresql\" { url = pg://a:pw@h/db }\nx = \"y\"\n", "b \"postgresql\" { url = ****************\nx = \"y\"\n"},
		"in the next line":           {"url =\n  pg:abc\nx = \"y\"\n", "url =\n  ******\nx = \"y\"\n"},
		"a quoted name":              {"\"url\" = \"abc\"\nx = \"y\"\n", "\"url\" = \"***\"\nx = \"y\"\n"},
		"a name in brackets":         {"(\"url\") = \"abc\"\nx = \"y\"\n", "(\"url\") = \"***\"\nx = \"y\"\n"},
		"a path":                     {"b.url = \"abc\"\nx = \"y\"\n", "b.url = \"***\"\nx = \"y\"\n"},
		"no sign":                    {"url \"abc\"\nx = \"y\"\n", "url \"***\"\nx = \"y\"\n"},
		"no sign, no quote":          {"password ab/cd\nx = \"y\"\n", "password *****\nx = \"y\"\n"},
		"two equals signs":           {"url == \"abc\"\nx = \"y\"\n", "url ** \"***\"\nx = \"y\"\n"},
		"another sign":               {"url := \"abc\"\nx = \"y\"\n", "url :* \"***\"\nx = \"y\"\n"},
		"a value before it":          {"url \"abc\" = 1\nx = \"y\"\n", "url \"***\" * *\nx = \"y\"\n"},
		"a block":                    {"token {\n x = \"y\"\n}\nx = \"y\"\n", "token {\n * * \"*\"\n}\nx = \"y\"\n"},
		"an unknown name":            {"urll = \"abc\"\nx = \"y\"\n", "urll = \"***\"\nx = \"y\"\n"},
		"an unknown name, no sign":   {"Url \"abc\"\nx = \"y\"\n", "Url \"***\"\nx = \"y\"\n"},
		"an unknown name in a block": {"b \"x\" {\n conn = \"abc\"\n x = \"y\"\n}\n", "b \"x\" {\n conn = \"***\"\n x = \"y\"\n}\n"},
		"an unknown block":           {"bb \"x\" {\n x = \"y\"\n}\n", "bb \"x\" {\n x = \"y\"\n}\n"},
		"a member is never unknown":  {"x = { conn = \"abc\" }\n", "x = { conn = \"abc\" }\n"},
		"a local is never unknown":   {"locals { conn = \"abc\" }\n", "locals { conn = \"abc\" }\n"},
		"a known name, no sign":      {"x \"abc\"\n", "x \"abc\"\n"},
		"a sensitive one":            {"variable \"p\" {\n default = \"pw\"\n sensitive = true\n}\n", "variable \"p\" {\n default = \"**\"\n sensitive = true\n}\n"},
		"perhaps a sensitive one":    {"variable \"p\" {\n default = \"pw\"\n \"sensitive\": ture\n}\n", "variable \"p\" {\n default = \"**\"\n \"sensitive\": ture\n}\n"},
		"an ordinary one":            {"variable \"p\" {\n default = \"x\"\n sensitive = false\n}\n", "variable \"p\" {\n default = \"x\"\n sensitive = false\n}\n"},
		"a private key":              {"x = \"-----BEGIN PRIVATE KEY-----\\nMC4C\\n-----END PRIVATE KEY-----\\n\"\nx = \"y\"\n", "x = \"************************************************************\\n\"\nx = \"y\"\n"},
		"its lines":                  {"x = <<EOT\n-----BEGIN OPENSSH PRIVATE KEY-----\nMC4C\n-----END OPENSSH PRIVATE KEY-----\nEOT\n", "x = <<EOT\n***********************************\n****\n*********************************\nEOT\n"},
		"without its end":            {"x = \"-----BEGIN PRIVATE KEY-----\nMC4C\ny = 1\n", "x = \"***************************\n****\n*****\n"},
		"a public key":               {"x = \"-----BEGIN PUBLIC KEY-----\\nMC4C\"\n", "x = \"-----BEGIN PUBLIC KEY-----\\nMC4C\"\n"},
		"an age key":                 {"x = [\"AGE-SECRET-KEY-1QQQ\", \"age1qqq\"]\n", "x = [\"*******************\", \"age1qqq\"]\n"},
		"longer than a byte":         {"token = \"é\"\n", "token = \"**\"\n"},
		"nothing":                    {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, _ := hclsyntax.LexConfig([]byte(tc.src), "x", hcl.InitialPos)
			src := []byte(tc.src)
			if d := cmp.Diff(tc.want, string(hidden(src, tokens, theNames()))); d != "" {
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
	src := []byte("x = 1\ntoken = \"t\"\n")
	tokens, _ := hclsyntax.LexConfig(src[:6], "x", hcl.InitialPos)
	if got := string(hidden(src, tokens, theNames())); got != "x = 1\n***********\n" {
		t.Errorf("%q", got)
	}
}

// What is no secret is quoted as it is, in the runbooks and the examples.
func TestNothingElseIsHidden(t *testing.T) {
	files, _ := filepath.Glob("../../runbooks/*.remint.hcl")
	more, _ := filepath.Glob("../../examples/*/*.remint*.hcl")
	if files = append(files, more...); len(files) < 5 {
		t.Errorf("there are only %d", len(files))
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tokens, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
		if d := cmp.Diff(string(src), string(hidden(src, tokens, namesIn(builtin.Registry())))); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// Every attribute and block that this package reads is among the language's own names.
func TestOwnNames(t *testing.T) {
	names := slices.Concat(keys(topLevel), blocksIn("remint"), blocksIn("evidence"), blocksIn("A library"), blocksIn("A credential"), blocksIn("A variable"),
		blocksIn("A test file"), blocksIn("A run"), blocksIn("Step x"))
	declared := regexp.MustCompile(`attr\("(\w+)"|\{Name: "(\w+)", Type: provider|Attributes\["(\w+)"\]`)
	files, _ := filepath.Glob("*.go")
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(src), -1) {
			names = append(names, m[1]+m[2]+m[3])
		}
	}
	if len(names) < 100 {
		t.Errorf("only %d names were found", len(names))
	}
	for _, name := range names {
		if !slices.Contains(ownNames, name) && !slices.Contains(secretNames, name) {
			t.Errorf("%q is not in ownNames", name)
		}
	}
}

// FuzzHidden: whatever stands before it, the length and the lines stay, and of a value
// that is given to a password, however it is written, nothing is in what is quoted.
func FuzzHidden(f *testing.F) {
	const value = "hunter2hunter2"
	ways := []string{
		`password = "hunter2hunter2"`, `password = hunter2hunter2`, `password = pg://a:hunter2hunter2@h/d?x=y`, `"password" = "hunter2hunter2"`, `password "hunter2hunter2"`,
		`password hunter2hunter2`, `password: hunter2hunter2`, `password = [1, { a = "hunter2hunter2" }]`, `password = "a${hunter2hunter2}b"`, "password = \nhunter2hunter2",
		`password { a = "hunter2hunter2" }`, `b.password = a}hunter2hunter2`, `password = <<hunter2hunter2 "a"`, `x = "-----BEGIN PRIVATE KEY-----\nhunter2hunter2"`,
	}
	unknown := []string{`pasword = "hunter2hunter2"`, `Password hunter2hunter2`, `"pass" = "hunter2hunter2"`, `pass //hunter2hunter2`}
	for i, seed := range []string{"x = 1", "a {", "\"${", "<<EOT\n", "'", "/*", "}", "x = [", "x = f(", "x = {\n", "locals {\n", "y", "\"", "b \"x\" {", "x = y ? url : {}"} {
		f.Add([]byte(seed), byte(i))
	}
	f.Fuzz(func(t *testing.T, before []byte, way byte) {
		if _, what := textFault(before); what != "" {
			return // refused, and not quoted
		}
		all := append(slices.Clone(ways), unknown...)
		way %= byte(len(all))
		line := all[way]
		src := append(bytes.Clone(before), "\n"+line+"\n"...)
		tokens, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
		got := hidden(src, tokens, theNames())
		if len(got) != len(src) || bytes.Count(got, []byte("\n")) != bytes.Count(src, []byte("\n")) {
			t.Fatalf("%q became %q", src, got)
		}
		if bytes.Contains(before, []byte("hunter2")) || !bytes.Contains(got, []byte(value)) {
			return
		}
		// Within a string, a comment or a heredoc that was left open before, the line is no
		// attribute; and within an open bracket a name is not an unknown one.
		starts, open := false, 0
		for _, tok := range tokens {
			if tok.Range.Start.Byte == len(before)+1 {
				starts = tok.Type == hclsyntax.TokenIdent || tok.Type == hclsyntax.TokenOQuote
				break
			}
			switch tok.Type {
			case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
				open++
			case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
				open = max(open-1, 0)
			}
		}
		if starts && (int(way) < len(ways) || open == 0) {
			t.Fatalf("%q is quoted as %q", src, got)
		}
	})
}
