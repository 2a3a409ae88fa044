package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// minScrubbed is the length below which a piece of a secret is too common a text
// to be looked for.
const minScrubbed = 6

// Scrub replaces what text says of the given secrets: as they are, line by line,
// and in the encodings in which drivers quote what they were given. It is the
// last line of defence, for the errors of code that should not have quoted them.
func Scrub(text string, known ...Material) string {
	if text == "" {
		return text
	}
	var pairs []string
	for _, m := range known {
		for _, v := range m.fields {
			whole := v.RevealString()
			for _, piece := range append(strings.Split(whole, "\n"), whole, strings.TrimSpace(whole)) {
				if piece = strings.TrimSuffix(piece, "\r"); len(piece) < minScrubbed {
					continue
				}
				for _, form := range forms(piece) {
					if strings.Contains(text, form) {
						pairs = append(pairs, form, Redacted)
					}
				}
			}
		}
	}
	for i := 0; i < len(pairs); i += 2 { // one after the other: forms may overlap
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
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
