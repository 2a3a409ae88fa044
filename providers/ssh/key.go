package ssh

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

func keyIssue() provider.Issue {
	return provider.Issue{
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "algorithm", Type: provider.String, Default: "ed25519",
				OneOf:       []string{"ed25519", "ecdsa-p256", "rsa-3072", "rsa-4096"},
				Description: "The kind of key."},
		}},
		Generate: func(args provider.Attrs) (secret.Material, error) { return generate(args.String("algorithm")) },
		Bits:     func(provider.Attrs) float64 { return 128 },
	}
}

func generate(algorithm string) (secret.Material, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return secret.Material{}, provider.Errorf(provider.Permanent, "%q is not a kind of key that remint makes", algorithm)
	}
	if err != nil {
		return secret.Material{}, provider.Errorf(provider.Permanent, "the system gives no random numbers")
	}
	return material(key)
}

// material writes the key as its two fields. The private key's own comment is
// left empty: which line it belongs to is the file's business.
func material(key crypto.Signer) (secret.Material, error) {
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return secret.Material{}, provider.Errorf(provider.Permanent, "the new key could not be written in OpenSSH's format")
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return secret.Material{}, provider.Errorf(provider.Permanent, "the new public key could not be written in OpenSSH's format")
	}
	return secret.NewMaterial(map[string]secret.Value{
		"private_key": secret.New(pem.EncodeToMemory(block)),
		"public_key":  secret.New(ssh.MarshalAuthorizedKey(public)),
	}), nil
}

// signer reads the private key. Errors never quote it.
func signer(m secret.Material) (ssh.Signer, error) {
	v := m.Field("private_key")
	if v.IsZero() {
		return nil, provider.Errorf(provider.Permanent, "there is no private_key")
	}
	key, err := ssh.ParsePrivateKey(v.Reveal())
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, provider.Errorf(provider.Permanent, "the private_key is locked with a passphrase: store it without one, the store itself must protect it")
	case err != nil:
		return nil, provider.Errorf(provider.Permanent, "the private_key is not a private key that OpenSSH would read")
	}
	return key, nil
}

// publicKey derives the public half from the private one, or reads it where
// that is all there is.
func publicKey(m secret.Material) (ssh.PublicKey, error) {
	if m.Field("private_key").IsZero() && !m.Field("public_key").IsZero() {
		key, _, _, _, err := ssh.ParseAuthorizedKey(m.Field("public_key").Reveal())
		if err != nil {
			return nil, provider.Errorf(provider.Permanent, "the public_key is not in the format of authorized_keys")
		}
		return key, nil
	}
	s, err := signer(m)
	if err != nil {
		return nil, err
	}
	return s.PublicKey(), nil
}
