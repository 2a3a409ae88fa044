package webauthn

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// pageFiles are what the page is made of.
//
//go:embed page
var pageFiles embed.FS

// Page is the page at which people use their keys, whole: it loads nothing, and its
// policy lets nothing run but its own script. Where remint itself serves it, it may
// answer there, and nowhere else.
func Page(served bool) []byte {
	part := func(name string) string {
		b, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			panic(err) // it is in the program
		}
		return string(b)
	}
	style, script := part("page.css"), part("page.js")
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	connect, where := "'none'", "no"
	if served {
		connect, where = "'self'", "yes"
	}
	policy := "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) + "; connect-src " + connect +
		"; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	return []byte(strings.NewReplacer("{{policy}}", policy, "{{style}}", style, "{{script}}", script, "{{served}}", where).Replace(part("page.html")))
}

// PageURL is where the page is.
func (v *verifier) PageURL() string { return v.page }

// members writes the question of a page, whose script takes exactly these.
func members(list ...string) string {
	var b strings.Builder
	for i := 0; i < len(list); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(list[i] + "=" + strings.ReplaceAll(url.QueryEscape(list[i+1]), "+", "%20"))
	}
	return b.String()
}

// Question has the page get an assertion. The challenge is not in it: the page
// makes it from what it shows.
func (v *verifier) Question(asked provider.Asked) (string, error) {
	if len(v.credentials) == 0 {
		return "", errNoKey
	}
	return members("remint1", "confirm", "rp", v.rp, "plan", asked.PlanID, "digest", asked.PlanDigest, "subject", asked.Address,
		"user", userVerification(asked), "keys", v.keysOf(asked.Identity)), nil
}

var errNoKey = errors.New("no key is declared yet: `remint verify -new-key=WHO` registers one")

// userVerification says whether a PIN or finger is needed: where less would not do.
func userVerification(asked provider.Asked) string {
	if asked.Strength.AtLeast(lifecycle.AAL2) {
		return "required"
	}
	return "preferred"
}

// keysOf are the ids of a person's keys, or of everybody's where she has none: who
// asks is known by the key.
func (v *verifier) keysOf(who string) string {
	var hers, all []string
	for _, c := range v.credentials {
		id := base64.RawURLEncoding.EncodeToString(c.id)
		if all = append(all, id); c.Identity == who {
			hers = append(hers, id)
		}
	}
	if len(hers) > 0 {
		all = hers
	}
	return strings.Join(all, ".")
}

// Registration has the page register a key of somebody's, unless it is declared
// as hers already.
func (v *verifier) Registration(name, identity string) (string, error) {
	if identity == "" || len([]rune(identity)) > 320 || strings.ContainsFunc(identity, func(r rune) bool {
		return strings.ContainsRune(`"\{}`, r) || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp)
	}) {
		return "", errors.New("a name is a line of at most 320 characters, without quotes, braces and backslashes")
	}
	keys := ""
	if slices.ContainsFunc(v.credentials, func(c credential) bool { return c.Identity == identity }) {
		keys = v.keysOf(identity)
	}
	return members("remint1", "register", "rp", v.rp, "who", identity, "name", name, "keys", keys), nil
}

// Registered checks what the page gave, and gives it as a member of credentials.
func (v *verifier) Registered(identity string, document []byte) (string, error) {
	list, err := parseCredentials("[" + string(document) + "]")
	switch {
	case err != nil || len(list) != 1:
		return "", errors.New("this is no security key that could be declared")
	case list[0].Identity != identity || list[0].Hardware:
		return "", fmt.Errorf("this is not a key of %s that was registered now", identity)
	case slices.ContainsFunc(v.credentials, func(c credential) bool { return slices.Equal(c.id, list[0].id) }):
		return "", errors.New("this key is declared already")
	}
	line, err := json.Marshal(list[0])
	return string(line), err
}
