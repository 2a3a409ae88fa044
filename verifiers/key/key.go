// Package key verifies people by a key of their own: a statement about one plan,
// signed with it.
package key

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Verifier declares the verifier `key`.
func Verifier() provider.VerifierDefinition {
	return provider.VerifierDefinition{
		Name:  "key",
		Takes: provider.TakesStatement,
		Description: "A person signs a statement about this plan with a key of her own: `remint verify -key=FILE PLAN`. " +
			"The statement proves nothing about any other plan.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "identity", Type: provider.String, Required: true, Description: "Whose key it is, as approvers' `identities` and credentials' `subject` name people."},
			{Name: "public_key", Type: provider.String, Required: true, Check: checkPublic,
				Description: "The key as PEM (ECDSA P-256 or Ed25519), as in `file(\"keys/alice.pub\")`. A key that approves may be the same."},
			{Name: "strength", Type: provider.String, Default: string(lifecycle.AAL1), OneOf: []string{string(lifecycle.AAL1), string(lifecycle.AAL2)},
				Description: "`aal1` for a key in a file. `aal2` only for one that a device keeps and uses after a PIN or a finger: this program cannot tell."},
			{Name: "valid_for", Type: provider.Duration, Default: time.Hour, Min: int64(time.Second), Max: int64(30 * 24 * time.Hour),
				Description: "How long a statement counts after it was signed."},
		}},
		Open: func(_ context.Context, b provider.Block) (provider.Verifier, error) {
			public, err := parsePublic(b.Attrs.String("public_key"))
			if err != nil {
				return nil, errors.New("public_key " + err.Error())
			}
			v := &verifier{
				identity: b.Attrs.String("identity"), public: public, strength: lifecycle.Strength(b.Attrs.String("strength")),
				validFor: b.Attrs.Duration("valid_for"), factor: provider.SingleFactor,
			}
			if v.strength == lifecycle.AAL2 {
				v.factor = provider.MultiFactor
			}
			return v, nil
		},
	}
}

type verifier struct {
	identity string
	public   crypto.PublicKey
	strength lifecycle.Strength
	factor   provider.Factor
	validFor time.Duration
}

// statementType keeps other signed documents from being taken for this one.
const statementType = "remint-verification+jws"

// statement is what is signed.
type statement struct {
	Nonce    string    `json:"nonce"`
	SignedAt time.Time `json:"signed_at"`
}

// skew is how far a clock may be ahead.
const skew = time.Minute

// Verify checks the signature, what it is about, and its age.
func (v *verifier) Verify(_ context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
	var none provider.Verified
	if len(brought.Document) == 0 {
		return none, provider.ErrNothing
	}
	jws, err := jose.ParseSignedCompact(strings.TrimSpace(string(brought.Document)), []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	if err != nil || len(jws.Signatures) != 1 || jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != statementType {
		return none, errors.New("this is no statement as `remint verify -key=FILE` signs it: sign again")
	}
	payload, err := jws.Verify(v.public)
	if err != nil {
		return none, errors.New("the statement is signed with another key than that of " + v.identity + ", or was changed: sign it with the key whose public half the verifier names")
	}
	var s statement
	if json.Unmarshal(payload, &s) != nil {
		return none, errors.New("the statement is damaged: sign again")
	}
	switch {
	case s.Nonce != asked.Nonce():
		return none, errors.New("the statement is about another plan, or another credential's subject: sign again, for this plan")
	case s.SignedAt.After(asked.Now.Add(skew)):
		return none, errors.New("the statement is dated in the future: set the clock, and sign again")
	}
	return provider.Verified{
		Identity: v.identity, Strength: v.strength, Factor: v.factor, Bound: true, Until: s.SignedAt.Add(v.validFor),
		Claims: map[string]string{"key": fingerprint(v.public), "signed_at": s.SignedAt.UTC().Format(time.RFC3339)},
	}, nil
}

// Prove signs a statement with a PKCS#8 PEM key.
func (v *verifier) Prove(asked provider.Asked, privateKey secret.Value) (provider.Brought, error) {
	var none provider.Brought
	block, _ := pem.Decode(privateKey.Reveal())
	if block == nil || block.Type != "PRIVATE KEY" {
		return none, errors.New("the key cannot be used: it must be an unencrypted PKCS#8 PEM file that begins with -----BEGIN PRIVATE KEY-----")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return none, errors.New("the private key is damaged")
	}
	with := jose.SigningKey{Key: key}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		with.Algorithm = jose.EdDSA
	case *ecdsa.PrivateKey:
		if with.Algorithm = jose.ES256; k.Curve != elliptic.P256() {
			return none, errors.New("this kind of key is not supported: use ECDSA P-256 or Ed25519")
		}
	default:
		return none, errors.New("this kind of key is not supported: use ECDSA P-256 or Ed25519")
	}
	signer, err := jose.NewSigner(with, (&jose.SignerOptions{}).WithType(statementType))
	if err != nil {
		return none, errors.New("the key refused to sign")
	}
	payload, err := json.Marshal(statement{asked.Nonce(), asked.Now.UTC().Truncate(time.Second)})
	if err != nil {
		return none, err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return none, errors.New("the key refused to sign")
	}
	text, err := signed.CompactSerialize()
	return provider.Brought{Document: []byte(text)}, err
}

func checkPublic(v any) error {
	s, _ := v.(string)
	_, err := parsePublic(s)
	return err
}

func parsePublic(text string) (crypto.PublicKey, error) {
	remedy := errors.New("must be the PEM of an ECDSA P-256 or Ed25519 public key that begins with -----BEGIN PUBLIC KEY-----")
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, remedy
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, remedy
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, remedy
}

func fingerprint(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}
