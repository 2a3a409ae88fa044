package x509

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"

	"github.com/remint-dev/remint/engine/provider"
)

func keyIssue() provider.Issue {
	return provider.Issue{
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "algorithm", Type: provider.String, Default: "ecdsa-p256",
				OneOf:       []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072", "rsa-4096"},
				Description: "The kind of key. Every certificate gets a new one."},
		}},
		Bits: func(args provider.Attrs) float64 {
			if args.String("algorithm") == "ecdsa-p384" {
				return 192
			}
			return 128
		},
	}
}

func newKey(algorithm string) (crypto.Signer, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "ecdsa-p256", "":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	default:
		return nil, provider.Errorf(provider.Permanent, "%q is not a kind of key that remint makes", algorithm)
	}
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "the system gives no random numbers")
	}
	return key, nil
}
