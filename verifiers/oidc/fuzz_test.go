package oidc

import (
	"encoding/json"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// FuzzToken: whatever is brought as a token, it counts only as what the issuer signed.
func FuzzToken(f *testing.F) {
	i := newIssuer(f)
	v := opened(f, map[string]any{"jwks": i.jwks()})
	good := i.token(0, map[string]any{"nonce": asked().Nonce()})
	for _, seed := range []string{good, good[:len(good)/2], good + ".", i.token(1, nil), i.typed(0, "at+jwt", nil), i.token(0, map[string]any{"iss": "https://evil.test"}), "eyJhbGciOiJub25lIn0.e30.", "..", "a.b.c", "e30.e30.e30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := v.Verify(t.Context(), asked(), provider.Brought{Token: secret.FromString(raw)})
		switch {
		case err != nil && err.Error() == "":
			t.Error("a refusal without a reason")
		case err == nil && (got.Identity != "s1" || got.Claims["iss"] != "https://login.example.com"):
			t.Errorf("counts as %+v", got)
		}
	})
}

// FuzzKeys: whatever is given as an issuer's keys, each that is taken is public, and
// something can be verified by it.
func FuzzKeys(f *testing.F) {
	i := newIssuer(f)
	f.Add(i.jwks())
	private, err := json.Marshal(map[string]any{"keys": i.keys})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(private), `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`, `{"keys":[{"kty":"RSA","n":"AQ","e":"AQ"}]}`, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":""}]}`, `[]`, `null`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := parseKeys(text)
		if err != nil {
			return
		}
		for _, k := range set.Keys {
			if !k.IsPublic() {
				t.Errorf("a %T was taken for a public key", k.Key)
			}
		}
		if _, err := (given{set}).VerifySignature(t.Context(), "a.b.c"); err == nil {
			t.Error("by these keys anything is signed")
		}
	})
}
