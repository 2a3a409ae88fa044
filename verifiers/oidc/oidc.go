// Package oidc verifies people, and the CI's own jobs, by an OpenID Connect ID
// token of an issuer that the workspace names.
package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/fetch"
)

// The CIs whose tokens can be asked for.
const githubActions = "github-actions"

// algorithms are those that a token may be signed with: with a key of the
// issuer's alone, so neither "none" nor an HMAC.
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Verifier declares the verifier `oidc`.
func Verifier() provider.VerifierDefinition {
	return provider.VerifierDefinition{
		Name:  "oidc",
		Takes: provider.TakesToken,
		Description: "An ID token of an OpenID Connect issuer, and no other token of it: no access token (`at+jwt`), no logout token. It is bound to the plan when its `nonce` is the plan's, or its `aud` is AUDIENCE/NONCE " +
			"(`remint verify -challenge PLAN` prints both); otherwise it counts as aal1 at most, and cannot be kept beside the plan.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "issuer", Type: provider.String, Required: true, Check: fetch.CheckURL, Description: "The issuer's URL, exactly as its tokens say it in `iss`."},
			{Name: "audience", Type: provider.String, Required: true, Description: "What `aud` must name: the client ID."},
			{Name: "jwks_url", Type: provider.String, Check: fetch.CheckURL, Description: "Where the issuer's keys are; its discovery document tells, unless this does."},
			{Name: "jwks", Type: provider.String, Check: checkKeys, Description: "The issuer's keys themselves, as in `file(\"idp.jwks.json\")`: nothing is asked over the network."},
			{Name: "ca", Type: provider.String, Description: "PEM certificates of the authorities to trust for the issuer, as in `file(\"idp-ca.pem\")`, instead of the system's."},
			{Name: "algorithms", Type: provider.StringList, Default: []string{"RS256", "ES256", "PS256", "EdDSA"}, Check: checkAlgorithms,
				Description: "How tokens may be signed. `none` and the HS family are never accepted."},
			{Name: "identity_claim", Type: provider.String, Default: "sub", Description: "The claim that says who it is. Where it is `email`, `email_verified` must be true."},
			{Name: "identity_prefix", Type: provider.String, Description: "Put before the claim's value, as `github:`, so that approvers' `identities` can name the person."},
			{Name: "claims", Type: provider.StringMap, Description: "Claims that must be so, as `{ repository = \"acme/infra\" }`. An issuer that serves everybody (GitHub, GitLab) needs them."},
			{Name: "strength", Type: provider.String, Default: string(lifecycle.AAL1), OneOf: []string{string(lifecycle.None), string(lifecycle.AAL1), string(lifecycle.AAL2)},
				Description: "How surely somebody is known whose token says nothing in `acr` and `amr` that the maps know."},
			{Name: "acr", Type: provider.StringMap, Check: checkStrengths, Description: "What a value of `acr` means, as `{ \"urn:mace:incommon:iap:silver\" = \"aal2\" }`."},
			{Name: "amr", Type: provider.StringMap, Check: checkStrengths, Description: "What values of `amr` mean, all of them together, as `{ \"pwd otp\" = \"aal2\", \"hwk\" = \"aal3\" }`."},
			{Name: "max_age", Type: provider.Duration, Min: int64(time.Second), Max: int64(30 * 24 * time.Hour), Description: "How long ago the person may have logged in, by `auth_time`, which the token must then have."},
			{Name: "ambient", Type: provider.String, OneOf: []string{githubActions}, Description: "`github-actions` asks for a token of the job, bound to the plan, where none is given."},
			{Name: "token_env", Type: provider.String, Default: "REMINT_ID_TOKEN", Check: checkEnv, Description: "The environment variable that has the token where none is given, as GitLab's `id_tokens` makes it."},
		}},
		Open: open,
	}
}

type verifier struct {
	attrs  provider.Attrs
	client *http.Client
	// issuer is asked for its keys once, however many tokens name one that it lacks:
	// documents beside a plan, which strangers write, hold many tokens.
	issuer *http.Client
}

func open(_ context.Context, b provider.Block) (provider.Verifier, error) {
	client, err := fetch.Client(b.Attrs.String("ca"))
	if err != nil {
		return nil, errors.New("ca " + err.Error())
	}
	issuer := *client
	issuer.Transport = &once{inner: client.Transport, have: map[string]answer{}}
	return &verifier{attrs: b.Attrs, client: client, issuer: &issuer}, nil
}

// Verify takes the token that is given, or that the CI gives.
func (v *verifier) Verify(ctx context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
	var none provider.Verified
	raw := strings.TrimSpace(brought.Token.RevealString())
	if raw == "" {
		var err error
		if raw, err = v.ambient(ctx, asked); err != nil || raw == "" {
			return none, orNothing(err)
		}
	}
	c, err := v.token(ctx, raw, asked)
	if err != nil {
		return none, err
	}
	bound, err := v.binding(c, asked)
	if err != nil {
		return none, err
	}
	who, err := v.identity(c)
	if err != nil {
		return none, err
	}
	if err := v.required(c); err != nil {
		return none, err
	}
	if err := spend(ctx, raw, c, asked); err != nil {
		return none, err
	}
	return provider.Verified{
		Identity: who, Strength: v.strength(c), Factor: provider.Federated, Bound: bound, Until: c.expiry, Claims: c.facts(),
	}, nil
}

func orNothing(err error) error {
	if err == nil {
		return provider.ErrNothing
	}
	return err
}

// token checks who signed it, for whom, and when.
func (v *verifier) token(ctx context.Context, raw string, asked provider.Asked) (*claims, error) {
	if len(raw) > fetch.Limit {
		return nil, errors.New("the token is too large to be one")
	}
	c, err := peek(raw, v.attrs.Strings("algorithms"))
	if err != nil {
		return nil, err
	}
	if issuer := v.attrs.String("issuer"); c.Issuer != issuer {
		return nil, errors.New("the token is of the issuer " + show(c.Issuer) + ", and must be of " + show(issuer) + ": log in there")
	}
	keys, err := v.keys(ctx)
	if err != nil {
		return nil, err
	}
	check := oidc.NewVerifier(v.attrs.String("issuer"), keys, &oidc.Config{
		SkipClientIDCheck:    true, // binding looks at aud: it may carry the plan
		SkipExpiryCheck:      true, // below, by the engine's clock and without leeway
		SupportedSigningAlgs: v.attrs.Strings("algorithms"),
		Now:                  func() time.Time { return asked.Now },
	})
	token, err := check.Verify(oidc.ClientContext(ctx, v.issuer), raw)
	switch {
	case err != nil && strings.Contains(err.Error(), "fetching keys"):
		return nil, errors.New("the issuer's keys cannot be had: see that " + show(v.attrs.String("issuer")) + " can be reached, or give them with jwks")
	case err != nil:
		return nil, errors.New("the token's signature is of no key of the issuer's: log in again at " + show(v.attrs.String("issuer")) + ", and see that its keys are the ones that the verifier names")
	}
	if err := token.Claims(&c.all); err != nil {
		return nil, errors.New("the token's claims cannot be read")
	}
	if err := c.event(); err != nil {
		return nil, err
	}
	return c, c.times(asked.Now, v.attrs.Duration("max_age"))
}

// keys are the issuer's: given, or fetched.
func (v *verifier) keys(ctx context.Context) (oidc.KeySet, error) {
	if text := v.attrs.String("jwks"); text != "" {
		set, err := parseKeys(text)
		if err != nil {
			return nil, errors.New("jwks " + err.Error())
		}
		return given{set}, nil
	}
	address := v.attrs.String("jwks_url")
	if address == "" {
		var doc struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		issuer := v.attrs.String("issuer")
		if err := fetch.JSON(ctx, v.issuer, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil, &doc); err != nil {
			return nil, errors.New("the issuer " + show(issuer) + " does not tell where its keys are: " + err.Error())
		}
		if doc.Issuer != issuer {
			return nil, errors.New("the issuer calls itself " + show(doc.Issuer) + ", and not " + show(issuer) + ": write it as it does")
		}
		if err := fetch.CheckURL(doc.Keys); err != nil {
			return nil, errors.New("the issuer's keys are at a URL that cannot be used: it " + err.Error())
		}
		address = doc.Keys
	}
	return oidc.NewRemoteKeySet(oidc.ClientContext(ctx, v.issuer), address), nil
}

// strength is the most that acr, amr or neither are worth.
func (v *verifier) strength(c *claims) lifecycle.Strength {
	best := lifecycle.Strength(v.attrs.String("strength"))
	raise := func(s string) {
		if x := lifecycle.Strength(s); x.Valid() && x.AtLeast(best) {
			best = x
		}
	}
	if s, ok := v.attrs.Map("acr")[c.text("acr")]; ok {
		raise(s)
	}
	have := c.list("amr")
	for want, s := range v.attrs.Map("amr") {
		words := strings.Fields(want)
		if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(have, w) }) {
			raise(s)
		}
	}
	return best
}

// given is a fixed key set, which goes by the key's ID where the token names one.
type given struct{ keys jose.JSONWebKeySet }

// VerifySignature checks against the key that the token names, or any.
func (g given) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	var all []jose.SignatureAlgorithm
	for _, a := range algorithms() {
		all = append(all, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(raw, all)
	if err != nil {
		return nil, err
	}
	for _, k := range g.keys.Keys {
		if id := jws.Signatures[0].Header.KeyID; id != "" && k.KeyID != "" && k.KeyID != id {
			continue
		}
		if payload, err := jws.Verify(k); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key fits")
}
