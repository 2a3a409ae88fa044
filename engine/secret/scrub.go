package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// minScrubbed is the length below which a piece of a secret is too common a text
// to be looked for.
const minScrubbed = 6

// Scrubber takes secrets out of texts that should not have quoted them. The zero
// value knows none. It is not safe for concurrent use.
type Scrubber struct{ forms []string }

// Add makes m known: each field whole and line by line, as it is and in the
// encodings in which drivers quote what they were given.
func (s *Scrubber) Add(m Material) {
	for _, v := range m.fields {
		whole := v.RevealString()
		for _, piece := range append([]string{whole, strings.TrimSpace(whole)}, strings.Split(whole, "\n")...) {
			if piece = strings.TrimSuffix(piece, "\r"); len(piece) < minScrubbed {
				continue
			}
			for _, form := range forms(piece) {
				if !slices.Contains(s.forms, form) {
					s.forms = append(s.forms, form)
				}
			}
		}
	}
}

// Scrub gives text without what it says of the known secrets. It is the last line
// of defence, for the errors of other people's code.
func (s *Scrubber) Scrub(text string) string {
	for _, form := range s.forms {
		text = strings.ReplaceAll(text, form, Redacted)
	}
	return text
}

// forms are the ways in which s may be quoted.
func forms(s string) []string {
	b := []byte(s)
	return []string{
		s, quoted(s, true), quoted(s, false), url.QueryEscape(s), url.PathEscape(s), url.UserPassword("", s).String()[1:],
		hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
	}
}

// quoted is s as it stands between the quotes of a JSON string.
func quoted(s string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(strings.TrimSpace(b.String()), `"`)[1:]
}
