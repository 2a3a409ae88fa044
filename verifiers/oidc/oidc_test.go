package oidc

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// memory is a state in a map.
type memory map[string][]byte

// Recall reads the map.
func (m memory) Recall(_ context.Context, key string) ([]byte, error) { return m[key], nil }

// Remember compares and writes.
func (m memory) Remember(_ context.Context, key string, old, next []byte) error {
	if !bytes.Equal(m[key], old) {
		return provider.ErrConflict
	}
	m[key] = next
	return nil
}

// issuer signs tokens.
type issuer struct {
	t    testing.TB
	keys []jose.JSONWebKey
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{t: t}
	for _, id := range []string{"one", "two"} {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		i.keys = append(i.keys, jose.JSONWebKey{Key: k, KeyID: id, Algorithm: "ES256", Use: "sig"})
	}
	return i
}

func (i *issuer) jwks() string {
	var set jose.JSONWebKeySet
	for _, k := range i.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	b, err := json.Marshal(set)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(b)
}

// token signs claims with one of the keys; more replace the usual ones, nil takes one away.
func (i *issuer) token(key int, more map[string]any) string { return i.typed(key, nil, more) }

// typed is token with a header typ, nil for none.
func (i *issuer) typed(key int, typ any, more map[string]any) string {
	claims := map[string]any{
		"iss": "https://login.example.com", "sub": "s1", "aud": "remint", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"auth_time": now.Add(-time.Minute).Unix(), "email": "alice@example.com", "email_verified": true,
	}
	maps.Copy(claims, more)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	var options jose.SignerOptions
	if typ != nil {
		options.WithHeader(jose.HeaderType, typ)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.keys[key]}, &options)
	if err != nil {
		i.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// opened is a verifier with defaults filled in, as the language does it.
func opened(t testing.TB, more map[string]any) provider.Verifier {
	t.Helper()
	attrs := map[string]any{"issuer": "https://login.example.com", "audience": "remint"}
	for _, a := range Verifier().Schema.Attributes {
		if a.Default != nil {
			attrs[a.Name] = a.Default
		}
	}
	maps.Copy(attrs, more)
	v, err := Verifier().Open(t.Context(), provider.Block{Name: "corp", Attrs: provider.NewAttrs(attrs)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func asked() provider.Asked {
	return provider.Asked{PlanID: "p", PlanDigest: "sha256:x", Now: now, Memory: memory{}}
}

func TestWhatATokenIsWorth(t *testing.T) {
	i := newIssuer(t)
	nonce := asked().Nonce()
	for name, tc := range map[string]struct {
		attrs  map[string]any
		claims map[string]any
		who    string
		want   lifecycle.Strength
		bound  bool
	}{
		"a login":                {nil, nil, "s1", lifecycle.AAL1, false},
		"bound by nonce":         {nil, map[string]any{"nonce": nonce}, "s1", lifecycle.AAL1, true},
		"bound by audience":      {nil, map[string]any{"aud": "remint/" + nonce}, "s1", lifecycle.AAL1, true},
		"somebody else's nonce":  {nil, map[string]any{"nonce": "n-0S6_WzA2Mj"}, "s1", lifecycle.AAL1, false},
		"an acr":                 {map[string]any{"acr": map[string]string{"gold": "aal3"}}, map[string]any{"acr": "gold", "nonce": nonce}, "s1", lifecycle.AAL3, true},
		"another acr":            {map[string]any{"acr": map[string]string{"gold": "aal3"}}, map[string]any{"acr": "tin", "nonce": nonce}, "s1", lifecycle.AAL1, true},
		"both of two amr":        {map[string]any{"amr": map[string]string{"pwd otp": "aal2"}}, map[string]any{"amr": []string{"otp", "pwd", "kba"}}, "s1", lifecycle.AAL2, false},
		"one of two amr":         {map[string]any{"amr": map[string]string{"pwd otp": "aal2"}}, map[string]any{"amr": []string{"pwd"}}, "s1", lifecycle.AAL1, false},
		"the best of both":       {map[string]any{"amr": map[string]string{"hwk": "aal3"}, "acr": map[string]string{"a": "aal2"}}, map[string]any{"amr": []string{"hwk"}, "acr": "a"}, "s1", lifecycle.AAL3, false},
		"nothing unless said":    {map[string]any{"strength": "none"}, nil, "s1", lifecycle.None, false},
		"by mail, with a prefix": {map[string]any{"identity_claim": "email", "identity_prefix": "corp:"}, nil, "corp:alice@example.com", lifecycle.AAL1, false},
		"logged in lately":       {map[string]any{"max_age": 5 * time.Minute}, nil, "s1", lifecycle.AAL1, false},
		"issued to us of two":    {nil, map[string]any{"aud": []string{"remint", "x"}, "azp": "remint"}, "s1", lifecycle.AAL1, false},
	} {
		t.Run(name, func(t *testing.T) {
			attrs := map[string]any{"jwks": i.jwks()}
			maps.Copy(attrs, tc.attrs)
			got, err := opened(t, attrs).Verify(t.Context(), asked(), provider.Brought{Token: secret.FromString(i.token(1, tc.claims))})
			if err != nil || got.Identity != tc.who || got.Strength != tc.want || got.Bound != tc.bound || got.Factor != provider.Federated || !got.Until.Equal(now.Add(time.Hour)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTokensThatDoNotHold(t *testing.T) {
	i, stranger := newIssuer(t), newIssuer(t)
	other := asked()
	other.PlanID = "other"
	subject := asked()
	subject.Address = "credential.x.y"
	good := i.token(0, nil)
	logout := map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, "sid": "session"}
	for name, tc := range map[string]struct {
		attrs map[string]any
		token string
		want  string
	}{
		"no token":                {nil, "hello", "no ID token"},
		"two parts":               {nil, "a.b", "no ID token"},
		"huge":                    {nil, strings.Repeat("x", 2<<20), "too large"},
		"a stranger's key":        {nil, stranger.token(0, nil), "signature is of no key"},
		"a changed payload":       {nil, strings.Split(good, ".")[0] + "." + strings.Split(i.token(0, map[string]any{"sub": "root"}), ".")[1] + "." + strings.Split(good, ".")[2], "signature is of no key"},
		"an algorithm too many":   {map[string]any{"algorithms": []string{"RS256"}}, good, "algorithm ES256, which is not accepted"},
		"another issuer":          {nil, i.token(0, map[string]any{"iss": "https://login.example.com/"}), "must be of https://login.example.com"},
		"another audience":        {nil, i.token(0, map[string]any{"aud": "remin"}), "for the audience remin, and must be for remint"},
		"several audiences":       {nil, i.token(0, map[string]any{"aud": []string{"x", "remint"}, "azp": "x"}), "several audiences"},
		"expired":                 {nil, i.token(0, map[string]any{"exp": now.Unix()}), "expired at"},
		"for ever":                {nil, i.token(0, map[string]any{"exp": nil}), "does not say when it expires"},
		"from the future":         {nil, i.token(0, map[string]any{"iat": now.Add(time.Hour).Unix()}), "issued in the future"},
		"not yet":                 {nil, i.token(0, map[string]any{"nbf": now.Add(time.Hour).Unix()}), "which is not yet"},
		"logged in long ago":      {map[string]any{"max_age": 30 * time.Second}, good, "longer ago than max_age (30s)"},
		"no auth_time":            {map[string]any{"max_age": 30 * time.Second}, i.token(0, map[string]any{"auth_time": nil}), "does not say when the person logged in"},
		"another plan's nonce":    {nil, i.token(0, map[string]any{"nonce": other.Nonce()}), "bound to another plan"},
		"another plan's aud":      {nil, i.token(0, map[string]any{"aud": "remint/" + other.Nonce()}), "bound to another plan"},
		"a subject's nonce":       {nil, i.token(0, map[string]any{"nonce": subject.Nonce()}), "another credential's subject"},
		"nobody":                  {map[string]any{"identity_claim": "upn"}, good, "no claim upn"},
		"an unverified address":   {map[string]any{"identity_claim": "email"}, i.token(0, map[string]any{"email_verified": "true"}), "has not verified the address"},
		"another repository":      {map[string]any{"claims": map[string]string{"repository": "acme/infra"}}, i.token(0, map[string]any{"repository": "acme/infra2"}), "repository is acme/infra2, and must be acme/infra"},
		"an access token":         {nil, i.typed(0, "at+jwt", nil), "of the type at+jwt, and so no ID token: bring the id_token that the login gave"},
		"one by its whole name":   {nil, i.typed(0, "application/at+jwt", nil), "of the type application/at+jwt, and so no ID token"},
		"a logout token":          {nil, i.typed(0, "logout+jwt", logout), "of the type logout+jwt, and so no ID token: bring the id_token that the login gave"},
		"a logout token, untyped": {nil, i.token(0, logout), "has the claim events, and so tells of something, as a logout, and is no ID token: bring the id_token"},
		"one that says JWT":       {nil, i.typed(0, "JWT", logout), "has the claim events"},
		"a type of nothing":       {nil, i.typed(0, "", nil), "and so no ID token"},
		"a type that is no text":  {nil, i.typed(0, 7, nil), "no ID token"},
		"a claim that is absent":  {map[string]any{"claims": map[string]string{"repository": "acme/infra"}}, good, "must be acme/infra"},
	} {
		t.Run(name, func(t *testing.T) {
			attrs := map[string]any{"jwks": i.jwks()}
			maps.Copy(attrs, tc.attrs)
			q := asked()
			_, err := opened(t, attrs).Verify(t.Context(), q, provider.Brought{Token: secret.FromString(tc.token)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if len(tc.token) > 100 && err != nil && strings.Contains(err.Error(), tc.token[len(tc.token)-40:]) {
				t.Error("the error quotes the token")
			}
			if len(q.Memory.(memory)) > 0 {
				t.Error("a token that does not hold was spent")
			}
		})
	}
}

func TestTypesThatAnIDTokenMayHave(t *testing.T) {
	i := newIssuer(t)
	for _, typ := range []any{nil, "JWT", "jwt", "application/jwt", "Application/JWT"} {
		got, err := opened(t, map[string]any{"jwks": i.jwks()}).Verify(t.Context(), asked(), provider.Brought{Token: secret.FromString(i.typed(0, typ, nil))})
		if err != nil || got.Identity != "s1" {
			t.Errorf("typ %v: got %+v, %v", typ, got, err)
		}
	}
}

func TestATokenCountsForOnePlan(t *testing.T) {
	i := newIssuer(t)
	v := opened(t, map[string]any{"jwks": i.jwks()})
	for name, claims := range map[string]map[string]any{"by jti": {"jti": "j1"}, "without one": {"jti": nil}} {
		q := asked()
		token := provider.Brought{Token: secret.FromString(i.token(0, claims))}
		for range 2 {
			if _, err := v.Verify(t.Context(), q, token); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		q.PlanID = "other"
		if _, err := v.Verify(t.Context(), q, token); err == nil || !strings.Contains(err.Error(), "used for another plan") {
			t.Errorf("%s: for another plan: %v", name, err)
		}
	}
}

func TestWhereKeysAre(t *testing.T) {
	i := newIssuer(t)
	for name, tc := range map[string]struct {
		discovery string
		status    int
		keys      string
		want      string
	}{
		"they are":           {`{"issuer":"URL","jwks_uri":"URL/keys"}`, 200, i.jwks(), ""},
		"another issuer":     {`{"issuer":"https://evil.test","jwks_uri":"URL/keys"}`, 200, i.jwks(), "calls itself https://evil.test"},
		"elsewhere, open":    {`{"issuer":"URL","jwks_uri":"http://login.example.com/keys"}`, 200, i.jwks(), "must begin with https"},
		"a redirect":         {``, 302, i.jwks(), "a redirect, which is not followed"},
		"nothing":            {`{`, 200, i.jwks(), "not the JSON"},
		"keys that are none": {`{"issuer":"URL","jwks_uri":"URL/keys"}`, 200, `<html>`, "keys cannot be had"},
		"endless keys":       {`{"issuer":"URL","jwks_uri":"URL/keys"}`, 200, strings.Repeat(" ", 3<<20) + i.jwks(), "keys cannot be had"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			s := httptest.NewServer(mux)
			defer s.Close()
			mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
				if tc.status == 302 {
					w.Header().Set("Location", "/keys")
				}
				w.WriteHeader(tc.status)
				_, _ = fmt.Fprint(w, strings.ReplaceAll(tc.discovery, "URL", s.URL))
			})
			mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, tc.keys) })
			v := opened(t, map[string]any{"issuer": s.URL})
			_, err := v.Verify(t.Context(), asked(), provider.Brought{Token: secret.FromString(i.token(0, map[string]any{"iss": s.URL}))})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// However many forged tokens are shown to it, a verifier asks the issuer once.
func TestKeysAreFetchedOnce(t *testing.T) {
	i := newIssuer(t)
	for name, up := range map[string]bool{"an issuer": true, "one that fails": false} {
		t.Run(name, func(t *testing.T) {
			var discovered, fetched atomic.Int64
			mux := http.NewServeMux()
			s := httptest.NewServer(mux)
			defer s.Close()
			mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
				discovered.Add(1)
				_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL, s.URL+"/keys")
			})
			mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
				if fetched.Add(1); !up {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_, _ = fmt.Fprint(w, i.jwks())
			})
			v := opened(t, map[string]any{"issuer": s.URL})
			good := i.token(0, map[string]any{"iss": s.URL})
			head, _, _ := strings.Cut(good, ".")
			forged := head + "." + strings.Split(newIssuer(t).token(0, map[string]any{"iss": s.URL}), ".")[1] + ".AAAA"
			for range 20 {
				if _, err := v.Verify(t.Context(), asked(), provider.Brought{Token: secret.FromString(forged)}); err == nil {
					t.Fatal("a forged token was taken")
				}
			}
			if _, err := v.Verify(t.Context(), asked(), provider.Brought{Token: secret.FromString(good)}); (err == nil) != up {
				t.Errorf("a good token: %v", err)
			}
			if d, f := discovered.Load(), fetched.Load(); d != 1 || f != 1 {
				t.Errorf("the issuer was asked %d times, and for keys %d times", d, f)
			}
		})
	}
}

func TestAttributesThatCannotBe(t *testing.T) {
	for name, bad := range map[string]any{
		"algorithms": []string{"HS256"}, "jwks": `{"keys":[{"kty":"oct","k":"AAAA"}]}`, "acr": map[string]string{"x": "aal4"}, "token_env": "REMINT_VAR_x", "issuer": "http://login.example.com",
	} {
		a, _ := Verifier().Schema.Find(name)
		if a.Check(bad) == nil {
			t.Errorf("%s = %v was taken", name, bad)
		}
	}
}
