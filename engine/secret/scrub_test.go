package secret

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	const password = `pa"ss/wo+rd &1`
	pem := "-----BEGIN KEY-----\nc2VjcmV0LWxpbmUtb25l\nc2VjcmV0LWxpbmUtdHdv\n-----END KEY-----\n"
	var s, short Scrubber
	s.Add(Single(FromString(password)))
	s.Add(NewMaterial(map[string]Value{"private_key": FromString(pem)}))
	short.Add(Single(FromString("id")))
	for name, said := range map[string]string{
		"raw": password, "quoted": `pa\"ss/wo+rd &1`, "query": url.QueryEscape(password), "path": url.PathEscape(password),
		"url": (&url.URL{Scheme: "x", User: url.UserPassword("u", password), Host: "h"}).String(), "hex": hex.EncodeToString([]byte(password)),
		"base64": base64.StdEncoding.EncodeToString([]byte(password)), "whole key": pem, "a line of a key": "c2VjcmV0LWxpbmUtdHdv",
	} {
		got := s.Scrub("the driver said " + said + " and gave up")
		if !strings.Contains(got, Redacted) || !strings.HasSuffix(got, " and gave up") {
			t.Errorf("%s: %q", name, got)
		}
		for _, bad := range []string{"wo+rd", "c2VjcmV0", "wo%2Brd", hex.EncodeToString([]byte("wo+rd"))} {
			if strings.Contains(got, bad) {
				t.Errorf("%s: %q is left in %q", name, bad, got)
			}
		}
	}
	if got := s.Scrub("nothing to hide"); got != "nothing to hide" {
		t.Errorf("%q", got)
	}
	if got := short.Scrub("an id"); got != "an id" {
		t.Errorf("what is too short to mean anything was replaced: %q", got)
	}
}
