package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// claims are what a token says. all is filled once its signature is checked.
type claims struct {
	Issuer string `json:"iss"`
	all    map[string]any
	expiry time.Time
}

func show(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return addrs.Visible(s)
}

// peek reads a token's head, before anything is known of it: what it is signed
// with, and whom to ask.
func peek(raw string, allowed []string) (*claims, error) {
	notOne := errors.New("this is no ID token: it must be a signed JWT, three parts with dots between them")
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, notOne
	}
	var head struct {
		Algorithm string  `json:"alg"`
		Type      *string `json:"typ"`
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(b, &head) != nil {
		return nil, notOne
	}
	if !slices.Contains(allowed, head.Algorithm) {
		return nil, fmt.Errorf("the token is signed with the algorithm %s, which is not accepted: the issuer must sign with one of %s", show(head.Algorithm), strings.Join(allowed, ", "))
	}
	if head.Type != nil && !plainJWT(*head.Type) {
		return nil, fmt.Errorf("the token is of the type %s, and so no ID token: bring the id_token that the login gave, not an access token, a logout token or another one", show(*head.Type))
	}
	var c claims
	if b, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil || json.Unmarshal(b, &c) != nil {
		return nil, notOne
	}
	return &c, nil
}

// plainJWT reports whether a header's typ is one that an ID token may have: it names a
// media type, whose case does not count and whose application/ may be left out (RFC 7515
// §4.1.9). Tokens of the same issuer for other ends have types of their own: at+jwt,
// logout+jwt, secevent+jwt (RFC 8725 §3.11).
func plainJWT(typ string) bool {
	return strings.EqualFold(typ, "JWT") || strings.EqualFold(typ, "application/jwt")
}

// event finds a token that tells of something that happened, as that somebody logged
// out: it proves nobody's login (OpenID Connect Back-Channel Logout 1.0 §2.4, RFC 8417).
// Older issuers give them no type of their own.
func (c *claims) event() error {
	if _, ok := c.all["events"]; !ok {
		return nil
	}
	return errors.New("the token has the claim events, and so tells of something, as a logout, and is no ID token: bring the id_token that the login gave")
}

func (c *claims) text(name string) string { s, _ := c.all[name].(string); return s }

// list is a claim that is a string or a list of them.
func (c *claims) list(name string) []string {
	switch v := c.all[name].(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// at is a claim that is a time.
func (c *claims) at(name string) (time.Time, bool) {
	n, ok := c.all[name].(float64)
	if !ok || n < 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0).UTC(), true
}

// skew is how far the issuer's clock may be ahead.
const skew = time.Minute

func (c *claims) times(now time.Time, maxAge time.Duration) error {
	stamp := func(t time.Time) string { return t.Format(time.RFC3339) }
	exp, ok := c.at("exp")
	if !ok {
		return errors.New("the token does not say when it expires: the issuer must put exp into it")
	}
	if c.expiry = exp; !now.Before(exp) {
		return errors.New("the token expired at " + stamp(exp) + ": log in again")
	}
	if nbf, ok := c.at("nbf"); ok && now.Add(skew).Before(nbf) {
		return errors.New("the token counts from " + stamp(nbf) + " on, which is not yet: set the clock, or wait")
	}
	if iat, ok := c.at("iat"); !ok || now.Add(skew).Before(iat) {
		return errors.New("the token was issued in the future, or does not say when: set the clock, or log in again")
	}
	if maxAge == 0 {
		return nil
	}
	auth, ok := c.at("auth_time")
	switch {
	case !ok:
		return errors.New("the token does not say when the person logged in, and max_age wants to know: ask the issuer for auth_time (max_age in the request)")
	case now.Sub(auth) > maxAge:
		return fmt.Errorf("the person logged in at %s, longer ago than max_age (%s) allows: log in again", stamp(auth), maxAge)
	}
	return nil
}

// binding looks whom the token is for, and whether it is about this plan.
func (v *verifier) binding(c *claims, asked provider.Asked) (bool, error) {
	audience, nonce := v.attrs.String("audience"), asked.Nonce()
	const other = "the token is bound to another plan, or to another credential's subject: log in again, for this one (`remint verify -challenge PLAN` prints what to bind to)"
	have := c.list("aud")
	bound := false
	mine := ""
	for _, a := range have {
		switch {
		case a == audience+"/"+nonce:
			bound, mine = true, a
		case a == audience && mine == "":
			mine = a
		case strings.HasPrefix(a, audience+"/"+provider.ChallengePrefix):
			return false, errors.New(other)
		}
	}
	if mine == "" {
		return false, errors.New("the token is for the audience " + show(strings.Join(have, ", ")) + ", and must be for " + show(audience) + ": log in with that client")
	}
	if party := c.text("azp"); len(have) > 1 && party != audience && party != mine {
		return false, errors.New("the token is for several audiences, and was not issued to " + show(audience) + ": log in with that client alone")
	}
	switch n := c.text("nonce"); {
	case n == nonce:
		bound = true
	case strings.HasPrefix(n, provider.ChallengePrefix):
		return false, errors.New(other)
	}
	return bound, nil
}

func (v *verifier) identity(c *claims) (string, error) {
	name := v.attrs.String("identity_claim")
	who := c.text(name)
	if who == "" {
		return "", errors.New("the token has no claim " + show(name) + ", which would say who it is: ask the issuer for it, or name another identity_claim")
	}
	if verified, _ := c.all["email_verified"].(bool); name == "email" && !verified {
		return "", errors.New("the issuer has not verified the address " + show(who) + ": identify people by another claim, or have it verified there")
	}
	return v.attrs.String("identity_prefix") + who, nil
}

// required finds a claim that is not as the verifier wants it.
func (v *verifier) required(c *claims) error {
	want := v.attrs.Map("claims")
	names := make([]string, 0, len(want))
	for n := range want {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if !slices.Contains(c.list(n), want[n]) {
			return fmt.Errorf("the token's claim %s is %s, and must be %s: it is of somebody, or some job, that may not ask", show(n), show(strings.Join(c.list(n), ", ")), show(want[n]))
		}
	}
	return nil
}

// facts are what the answer rests on.
func (c *claims) facts() map[string]string {
	out := map[string]string{"iss": c.Issuer, "sub": c.text("sub"), "exp": c.expiry.Format(time.RFC3339)}
	for _, n := range []string{"acr", "azp", "repository", "ref", "actor", "workflow_ref", "project_path"} {
		if s := c.text(n); s != "" {
			out[n] = s
		}
	}
	if amr := c.list("amr"); len(amr) > 0 {
		out["amr"] = strings.Join(amr, " ")
	}
	if t, ok := c.at("auth_time"); ok {
		out["auth_time"] = t.Format(time.RFC3339)
	}
	return out
}

// spend lets a token count for one plan only. It goes by its jti, or where it has
// none by what was signed: a signature can be written in more than one way.
func spend(ctx context.Context, raw string, c *claims, asked provider.Asked) error {
	id := c.text("jti")
	if id == "" {
		id = raw[:strings.LastIndexByte(raw, '.')]
	}
	sum := sha256.Sum256([]byte(c.Issuer + "\n" + id))
	key := "token/" + hex.EncodeToString(sum[:])
	spent, err := asked.Memory.Recall(ctx, key)
	if err == nil && spent == nil {
		err = asked.Memory.Remember(ctx, key, nil, []byte(asked.PlanID))
		if errors.Is(err, provider.ErrConflict) {
			spent, err = asked.Memory.Recall(ctx, key)
		} else if err == nil {
			return nil
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("the state could not say whether the token was used before: %w", err)
	case string(spent) != asked.PlanID:
		return errors.New("the token was used for another plan before, and counts once: log in again")
	}
	return nil
}

func parseKeys(text string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	bad := errors.New("must be a JSON Web Key Set of public keys: { \"keys\": [ … ] }")
	if json.Unmarshal([]byte(text), &set) != nil || len(set.Keys) == 0 {
		return set, bad
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return set, bad
		}
	}
	return set, nil
}

func checkKeys(v any) error {
	s, _ := v.(string)
	_, err := parseKeys(s)
	return err
}

func checkAlgorithms(v any) error {
	list, _ := v.([]string)
	for _, a := range list {
		if !slices.Contains(algorithms(), a) {
			return fmt.Errorf("must be of %s, and %s is not", strings.Join(algorithms(), ", "), show(a))
		}
	}
	if len(list) == 0 {
		return errors.New("must name at least one algorithm")
	}
	return nil
}

func checkStrengths(v any) error {
	m, _ := v.(map[string]string)
	for _, s := range m {
		if x := lifecycle.Strength(s); !x.Valid() {
			return fmt.Errorf("must map to none, aal1, aal2 or aal3, and not to %s", show(s))
		}
	}
	return nil
}

func checkEnv(v any) error {
	s, _ := v.(string)
	if s == "" || strings.ContainsAny(s, "= \x00") || strings.HasPrefix(s, "REMINT_VAR_") {
		return errors.New("must be the name of an environment variable, and none of REMINT_VAR_")
	}
	return nil
}
