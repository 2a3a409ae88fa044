// Package webauthn verifies people by a security key or passkey: an assertion
// over a challenge that follows from the plan.
package webauthn

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Verifier declares the verifier `webauthn`.
func Verifier() provider.VerifierDefinition {
	return provider.VerifierDefinition{
		Name:  "webauthn",
		Takes: provider.TakesAssertion,
		Page:  Page,
		Description: "An assertion of a security key or passkey over this plan: `remint verify -browser PLAN` links to a page at the origin (`-page=FILE` writes it) that gets it; " +
			"`remint verify -webauthn=FILE PLAN` takes it. With a PIN or finger (user verification) it is worth aal2, without aal1; " +
			"aal3 where the key is declared as hardware and cannot be copied. A counter that goes back is refused. A page of your own takes the options that `-challenge` prints.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "rp_id", Type: provider.String, Required: true, Check: checkHost, Description: "The relying party: a domain, as `login.example.com`. With `localhost`, remint serves the page itself."},
			{Name: "origins", Type: provider.StringList, Required: true, Check: checkOrigins, Description: "Where assertions may be made, as `https://login.example.com`."},
			{Name: "credentials", Type: provider.String, Required: true, Check: checkCredentials,
				Description: "JSON, as in `file(\"webauthn.json\")`: a list of `{\"identity\": WHO, \"id\": …, \"public_key\": …, \"hardware\": false}`, as `remint verify -new-key=WHO` gives it (id and public_key in base64url). `[]` while there is none."},
			{Name: "page", Type: provider.String, Check: checkPage, Description: "Where the page is, at one of the origins; `/remint.html` at the first unless told. Not for `localhost`."},
			{Name: "valid_for", Type: provider.Duration, Default: time.Hour, Min: int64(time.Second), Max: int64(30 * 24 * time.Hour), Description: "How long an assertion counts after its challenge was made."},
		}},
		Open: func(_ context.Context, b provider.Block) (provider.Verifier, error) {
			list, err := parseCredentials(b.Attrs.String("credentials"))
			if err != nil {
				return nil, errors.New("credentials " + err.Error())
			}
			v := &verifier{
				rp: b.Attrs.String("rp_id"), origins: b.Attrs.Strings("origins"), page: b.Attrs.String("page"), credentials: list, validFor: b.Attrs.Duration("valid_for"),
			}
			if v.page == "" {
				v.page = v.origins[0] + "/remint.html"
			}
			if !slices.ContainsFunc(v.origins, func(o string) bool { return strings.HasPrefix(v.page, o+"/") }) {
				return nil, errors.New("page must be at one of the origins, or what is made there is refused")
			}
			return v, nil
		},
	}
}

type verifier struct {
	rp, page    string
	origins     []string
	credentials []credential
	validFor    time.Duration
}

// skew is how far the clock that printed a challenge may be ahead.
const skew = time.Minute

// challenge is what is signed: what follows from the plan, and when it was asked
// for. Assertions carry no time of their own.
func challenge(asked provider.Asked, at time.Time) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(asked.Challenge(), uint64(at.Unix())))
}

// askedAt is the time in a challenge for this question; false if it is for another.
func askedAt(asked provider.Asked, text string) (time.Time, bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(b) != sha256.Size+8 || !bytes.Equal(b[:sha256.Size], asked.Challenge()) {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[sha256.Size:])&(1<<62-1)), 0).UTC(), true
}

// Challenge gives the options for navigator.credentials.get, as
// PublicKeyCredential.parseRequestOptionsFromJSON takes them.
func (v *verifier) Challenge(asked provider.Asked) map[string]any {
	allow := []map[string]any{}
	for _, c := range v.credentials {
		allow = append(allow, map[string]any{"type": "public-key", "id": c.ID})
	}
	return map[string]any{
		"challenge": challenge(asked, asked.Now), "rpId": v.rp, "allowCredentials": allow, "userVerification": userVerification(asked), "timeout": 300000,
	}
}

// Verify checks an assertion: whose, over what, made where, signed, in order.
func (v *verifier) Verify(ctx context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
	var none provider.Verified
	if len(brought.Document) == 0 {
		return none, provider.ErrNothing
	}
	a, err := protocol.ParseCredentialRequestResponseBytes(brought.Document)
	if err != nil {
		return none, errors.New("this is no assertion: it must be the JSON that toJSON() gives for what navigator.credentials.get returned")
	}
	c, at, err := v.about(a, asked)
	if err != nil {
		return none, err
	}
	raw := a.Raw.AssertionResponse
	hash := sha256.Sum256(raw.ClientDataJSON)
	if !signed(c.key, slices.Concat(raw.AuthenticatorData, hash[:]), raw.Signature) {
		return none, errors.New("the assertion is not signed by the key that is declared for " + addrs.Visible(c.Identity) + ", or was changed: ask the key again")
	}
	data := a.Response.AuthenticatorData
	if err := count(ctx, asked.Memory, c, moment{at.Unix(), data.Counter, digest(raw.AuthenticatorData, hash[:])}); err != nil {
		return none, err
	}
	out := provider.Verified{
		Identity: c.Identity, Strength: lifecycle.AAL1, Factor: provider.SingleFactor, Bound: true, Until: at.Add(v.validFor),
		Claims: map[string]string{"credential": c.ID, "origin": a.Response.CollectedClientData.Origin, "user_verified": yes(data.Flags.UserVerified()),
			"copyable": yes(data.Flags.HasBackupEligible()), "asked_at": at.Format(time.RFC3339)},
	}
	if data.Flags.UserVerified() {
		out.Strength, out.Factor = lifecycle.AAL2, provider.MultiFactor
		if c.Hardware && !data.Flags.HasBackupEligible() {
			out.Strength = lifecycle.AAL3
		}
	}
	return out, nil
}

// about checks everything that the assertion says, apart from who signed it.
func (v *verifier) about(a *protocol.ParsedCredentialAssertionData, asked provider.Asked) (*credential, time.Time, error) {
	said := a.Response.CollectedClientData
	fail := func(text string) (*credential, time.Time, error) { return nil, time.Time{}, errors.New(text) }
	i := slices.IndexFunc(v.credentials, func(c credential) bool { return bytes.Equal(c.id, a.RawID) })
	if len(v.credentials) == 0 {
		return nil, time.Time{}, errNoKey
	}
	if i < 0 {
		return fail("the assertion is of a key that is not declared: use a declared one, or have this one added to credentials")
	}
	if said.Type != protocol.AssertCeremony {
		return fail("this was not made by navigator.credentials.get: ask the key again, with the options of `remint verify -challenge PLAN`")
	}
	at, ours := askedAt(asked, said.Challenge)
	switch {
	case !ours:
		return fail("the assertion is over another challenge, as of another plan or another credential's subject: ask the key again, with the options of `remint verify -challenge PLAN`")
	case at.After(asked.Now.Add(skew)):
		return fail("the assertion's challenge is dated in the future: set the clock, and ask the key again")
	case !slices.Contains(v.origins, said.Origin) || said.CrossOrigin:
		return fail("the assertion was made at " + addrs.Visible(said.Origin) + ", or inside another page: somebody may be fishing; make it at " + strings.Join(v.origins, " or "))
	}
	want := sha256.Sum256([]byte(v.rp))
	data := a.Response.AuthenticatorData
	switch {
	case !bytes.Equal(data.RPIDHash, want[:]):
		return fail("the assertion is for another relying party than " + v.rp + ": make it with the options of `remint verify -challenge PLAN`")
	case !data.Flags.UserPresent():
		return fail("nobody touched the key: ask it again")
	}
	return &v.credentials[i], at, nil
}

// signed checks a signature in the algorithm that goes with the key.
func signed(key crypto.PublicKey, data, signature []byte) bool {
	sum := sha256.Sum256(data)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum[:], signature)
	case ed25519.PublicKey:
		return ed25519.Verify(k, data, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
