package addrs

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestCredentialRoundTrip(t *testing.T) {
	for _, c := range []Credential{
		{Type: "t", Name: "n"},
		{Type: "htpasswd_user", Name: "team", Key: "", HasKey: true},
		{Type: "t", Name: "n", Key: `a"b\c]["x`, HasKey: true},
		{Type: "t", Name: "n", Key: "${x} %{y} $${z}", HasKey: true},
		{Type: "t", Name: "n", Key: "line\nfeed\ttab\x00\x1b[31m\u202e\u200b", HasKey: true},
		{Type: "t", Name: "n", Key: "ünïcødé 😀", HasKey: true},
	} {
		got, err := ParseCredential(c.String())
		if err != nil {
			t.Errorf("%s: %v", c, err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%s: %s", c, diff)
		}
		if strings.ContainsAny(c.String(), "\x00\x1b\n\u202e\u200b") {
			t.Errorf("%q carries a character that deceives", c.String())
		}
	}
}

func TestParseCredentialRefuses(t *testing.T) {
	for _, s := range []string{
		"", "credential", "credential.", "credential.t", "credential.t.", "credential.t.n.x", "credential.t.n[", "credential.t.n[]",
		`credential.t.n["a`, `credential.t.n["a"]x`, `credential.t.n["a"b"]`, "plan.t.n", "credential.t.n\n", "credential.1t.n", "credential.t.nаme",
	} {
		if c, err := ParseCredential(s); err == nil {
			t.Errorf("%q was read as %v", s, c)
		}
	}
}

// A shell eats quotes: a bare key means the same.
func TestBareKey(t *testing.T) {
	c, err := ParseCredential("credential.t.n[ann]")
	if err != nil || c != (Credential{Type: "t", Name: "n", Key: "ann", HasKey: true}) {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestStepRoundTrip(t *testing.T) {
	for _, s := range []Step{
		{Phase: "prove", Name: "refused"},
		{Phase: "prove", Name: "refused", Nth: 2},
		{Phase: "distribute", Name: "stores", Key: "file.dotenv", HasKey: true},
		{Phase: "distribute", Name: "stores", Key: `a#2"]`, HasKey: true, Nth: 2},
	} {
		got, err := ParseStep(s.String())
		if err != nil || got != s {
			t.Errorf("%s became %v, %v", s, got, err)
		}
	}
}

// Two addresses never share a file, and no name leads out of a folder.
func TestFileNames(t *testing.T) {
	keys := []string{"", "a", "A", "../../x", "..", ".", "a/b", "a%2fb", "a\x00b", strings.Repeat("x", 500), strings.Repeat("x", 501), "a_", "ä"}
	seen := map[string]string{}
	for _, k := range keys {
		name := Credential{Type: "t", Name: "n", Key: k, HasKey: true}.FileName()
		if strings.ContainsAny(name, "/\\\x00") || len(name) > 200 || strings.Contains(name, "/..") {
			t.Errorf("key %q gives the unsafe name %q", k, name)
		}
		if other, taken := seen[strings.ToLower(name)]; taken {
			t.Errorf("keys %q and %q share the file %q", k, other, name)
		}
		seen[strings.ToLower(name)] = k
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain äöü 😀":      "plain äöü 😀",
		"\x1b[2J":          `\u001b[2J`,
		"a\u202eb":         `a\u202eb`,
		"zero\u200bwidth":  `zero\u200bwidth`,
		"c1\u009b":         `c1\u009b`,
		"bad\xff":          `bad\xff`,
		"nb\u00a0sp":       `nb\u00a0sp`,
		"line\nbreak":      `line\u000abreak`,
		"tag\U000e0041":    `tag\U000e0041`,
		"variation\ufe0fx": `variation\ufe0fx`,
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) is %q, want %q", in, got, want)
		}
	}
}

func FuzzParseCredential(f *testing.F) {
	f.Add(`credential.t.n["k"]`)
	f.Add(`credential.t.n[k]`)
	f.Add(`credential.t.n["\u0000$${"]`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCredential(s)
		if err != nil {
			return
		}
		again, err := ParseCredential(c.String())
		if err != nil || again != c {
			t.Errorf("%q became %v, then %v (%v)", s, c, again, err)
		}
	})
}

func FuzzParseStep(f *testing.F) {
	for _, seed := range []string{"prove.refused#2", `distribute.x["file.a"]`, `distribute.x["#3"]#2`, "a.b#1", "a.b#02", `a.b["]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseStep(s)
		if err != nil {
			return
		}
		again, err := ParseStep(c.String())
		if err != nil || again != c {
			t.Errorf("%q became %v, then %v (%v)", s, c, again, err)
		}
	})
}

// Whatever a stranger names, what is shown has only characters that can be seen,
// on one line, and nothing that continuous integration obeys or that ends a quotation.
func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b]8;;http://x\x07y", "\u202e", "\u200b\u2060\ufeff", "\x9b\u009b", "a\U000e0041", "\xff", "\r\n\t", "\u2028", "\u3164\u115f",
		"::stop-commands \n::tok", "::a ::b::c", "::ffff ::1", "x ##[group]y", "##vso[x]", "````", "~~~~~", "ഠpp", "pl\u0251tform", "p\u0430y", "\u2800", "\U0001d159", "東京db", "Məmmədov"} {
		f.Add(seed)
	}
	obeyed := regexp.MustCompile("(?:^| )::[A-Za-z].*::|##(?:\\[|vso\\[|teamcity\\[)|```|~~~")
	f.Fuzz(func(t *testing.T, s string) {
		if out := Visible(s); obeyed.MatchString(out) {
			t.Errorf("%q is shown as %q, which is obeyed", s, out)
		}
		for _, word := range strings.FieldsFunc(Visible(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.M, r) }) {
			latin, others := false, false
			for _, r := range word {
				latin = latin || unicode.Is(unicode.Latin, r)
				others = others || unicode.IsLetter(r) && r >= 0x80 && !unicode.In(r, unicode.Latin, unicode.Common)
			}
			if latin && others {
				t.Errorf("%q is shown with the word %q, of several scripts", s, word)
			}
		}
		for _, out := range []string{Visible(s), Quote(s)} {
			for _, r := range out {
				if !Printable(r) {
					t.Errorf("%q is shown as %q", s, out)
				}
			}
		}
		if got, err := unquote(Quote(s)); utf8.ValidString(s) && (err != nil || got != s) {
			t.Errorf("%q is quoted as %s, and read as %q (%v)", s, Quote(s), got, err)
		}
	})
}
