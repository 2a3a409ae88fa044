package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remint-dev/remint/internal/oidctest"
	"github.com/remint-dev/remint/internal/softkey"
)

// verifyCmds are the scripts' commands about who asks.
func verifyCmds() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"oidc": oidc, "idtoken": idtoken, "ci": ci, "forge": forge, "totp": totpCode, "tickets": tickets, "securitykey": securityKey, "touch": touch, "sigstore": sigstore}
}

// totpCode FILE SECRET [STEPS]: the code that an app shows now, or so many steps later.
func totpCode(ts *testscript.TestScript, _ bool, args []string) {
	at := time.Now()
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		at = at.Add(time.Duration(n) * 30 * time.Second)
	}
	code, err := totp.GenerateCode(args[1], at)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(code+"\n"), 0o600))
}

// tickets: a ticket system of the files below tickets, with $REMINT_VAR_tickets its URL; a
// file that says "moved" is a redirect.
func tickets(ts *testscript.TestScript, _ bool, _ []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(ts.MkAbs("tickets/" + filepath.Base(r.URL.Path) + ".json"))
		switch {
		case r.Header.Get("Authorization") != "Bearer sesame":
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			w.WriteHeader(http.StatusNotFound)
		case strings.HasPrefix(string(b), "moved"):
			http.Redirect(w, r, "/SEC-1", http.StatusFound)
		default:
			_, _ = w.Write(b)
		}
	}))
	ts.Defer(s.Close)
	ts.Setenv("REMINT_VAR_tickets", s.URL)
}

// securityKey FILE IDENTITY: a security key, declared in a file.
func securityKey(ts *testscript.TestScript, _ bool, args []string) {
	k, err := softkey.New("login.example.com", "https://login.example.com")
	ts.Check(err)
	d, err := k.Declaration(args[1], true)
	ts.Check(err)
	b, err := json.Marshal([]any{d})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
	issuers.Store(ts.Getenv("WORK")+"/key", k)
}

// touch FILE [origin=ORIGIN] [rp=DOMAIN] [back=N]: touches the key, for the challenge
// that the last command printed; its counter goes back first.
func touch(ts *testscript.TestScript, _ bool, args []string) {
	x, _ := issuers.Load(ts.Getenv("WORK") + "/key")
	k := *x.(*softkey.Key)
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "origin":
			k.Origin = value
		case "rp":
			k.RP = value
		case "back":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			k.Counter -= uint32(n)
		}
	}
	b, err := k.Answer(challenge(ts, "webauthn.desk", "challenge"))
	ts.Check(err)
	x.(*softkey.Key).Counter = k.Counter
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// issuers are the OpenID Connect providers, CIs and security keys of scripts, by work folder.
var issuers sync.Map

// oidc: starts a real provider, with $OIDC its issuer.
func oidc(ts *testscript.TestScript, _ bool, _ []string) {
	s, err := oidctest.Start()
	ts.Check(err)
	ts.Defer(func() { _ = s.Stop() })
	issuers.Store(ts.Getenv("WORK"), s)
	ts.Setenv("OIDC", s.Issuer)
	ts.Setenv("REMINT_VAR_issuer", s.Issuer)
}

// idtoken FILE CLIENT USER [bound] [acr=ACR]: logs in at the real provider; bound
// takes the nonce that the last command printed.
func idtoken(ts *testscript.TestScript, _ bool, args []string) {
	s, _ := issuers.Load(ts.Getenv("WORK"))
	l := oidctest.Login{Client: args[1], User: args[2]}
	for _, a := range args[3:] {
		if a == "bound" {
			l.Nonce = challenge(ts, "oidc.corp", "nonce")
		}
		if acr, ok := strings.CutPrefix(a, "acr="); ok {
			l.ACR = acr
		}
	}
	token, err := s.(*oidctest.Server).Token(l)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token), 0o600))
}

// challenge is a member of what `verify -challenge` printed for a verifier.
func challenge(ts *testscript.TestScript, verifier, name string) string {
	var doc struct {
		Verifiers map[string]map[string]any `json:"verifiers"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &doc))
	s, _ := doc.Verifiers[verifier][name].(string)
	if s == "" {
		ts.Fatalf("there is no %s for %s in %s", name, verifier, ts.ReadFile("stdout"))
	}
	return s
}

// fakeCI is a CI that gives its jobs tokens.
type fakeCI struct {
	*httptest.Server
	key jose.JSONWebKey
}

// ci: a CI's token endpoint, set in the environment as GitHub Actions does it,
// with $CI_ISSUER, whose keys are served too, and for $CI_JWKS as a file.
func ci(ts *testscript.TestScript, _ bool, _ []string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	f := &fakeCI{key: jose.JSONWebKey{Key: private, KeyID: "ci", Algorithm: "ES256", Use: "sig"}}
	mux := http.NewServeMux()
	f.Server = httptest.NewServer(mux)
	ts.Defer(f.Close)
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{f.key.Public()}}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": f.URL, "jwks_uri": f.URL + "/jwks"})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(keys) })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-job" || r.URL.Query().Get("api-version") != "2.0" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		token, err := f.sign(f.claims(r.URL.Query().Get("audience")))
		if err == nil {
			_ = json.NewEncoder(w).Encode(map[string]string{"value": token})
		}
	})
	b, err := json.Marshal(keys)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("ci.jwks.json"), b, 0o600))
	issuers.Store(ts.Getenv("WORK")+"/ci", f)
	ts.Setenv("REMINT_VAR_issuer", f.URL)
}

func (f *fakeCI) claims(audience string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"iss": f.URL, "sub": "repo:acme/infra:ref:refs/heads/main", "aud": audience, "jti": rand.Text(),
		"iat": now, "nbf": now, "exp": now + 600, "actor": "alice", "repository": "acme/infra", "ref": "refs/heads/main",
	}
}

func (f *fakeCI) sign(claims map[string]any) (string, error) {
	return signWith(jose.ES256, f.key.Key, "ci", claims)
}

func signWith(alg jose.SignatureAlgorithm, key any, id string, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		return "", err
	}
	signed, err := s.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// forge FILE [bound] [NAME=JSON…] [as=other|none|hmac]: a token of the fake CI with
// other claims, or signed otherwise. bound takes the audience that the last command printed.
func forge(ts *testscript.TestScript, _ bool, args []string) {
	x, _ := issuers.Load(ts.Getenv("WORK") + "/ci")
	f := x.(*fakeCI)
	claims := f.claims("remint")
	how := ""
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch {
		case a == "bound":
			claims["aud"] = challenge(ts, "oidc.corp", "audience")
		case name == "as":
			how = value
		case value == "":
			delete(claims, name)
		default:
			var v any
			ts.Check(json.Unmarshal([]byte(value), &v))
			if n, ok := v.(float64); ok { // seconds from now
				v = time.Now().Unix() + int64(n)
			}
			claims[name] = v
		}
	}
	var token string
	var err error
	switch how {
	case "":
		token, err = f.sign(claims)
	case "other":
		var k *ecdsa.PrivateKey
		if k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
			token, err = signWith(jose.ES256, k, "ci", claims)
		}
	case "hmac":
		token, err = signWith(jose.HS256, []byte(strings.Repeat("k", 32)), "ci", claims)
	case "none":
		var b []byte
		b, err = json.Marshal(maps.Clone(claims))
		token = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + "."
	}
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}
