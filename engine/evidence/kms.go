package evidence

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// IsKMS reports whether a key is named as one in a key management service, as in
// awskms://…, and not as a file.
func IsKMS(key string) bool {
	scheme, _, ok := strings.Cut(key, "://")
	return ok && scheme != "" && !strings.ContainsAny(scheme, "/.")
}

// LoadKMSSigner finds a key that stays where it is: NAME://… is asked of the program
// sigstore-kms-NAME, by Sigstore's protocol for such programs. ctx bounds all that
// the signer does.
func LoadKMSSigner(ctx context.Context, key string) (*Signer, error) {
	service, err := kms.Get(ctx, key, crypto.SHA256)
	var none *kms.ProviderNotFoundError
	if errors.As(err, &none) {
		name, _, _ := strings.Cut(key, "://")
		return nil, fmt.Errorf("there is no program sigstore-kms-%s in PATH, which would sign with %s: install Sigstore's plugin for that service", name, key)
	}
	if err != nil {
		return nil, fmt.Errorf("the key management service does not answer for %s: %w", key, err)
	}
	public, err := service.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("the key management service does not give the public half of %s: %w", key, err)
	}
	if !supported(public) {
		return nil, fmt.Errorf("the kind of key that %s is cannot sign here: use ECDSA P-256 or Ed25519", key)
	}
	hint, err := KeyID(public)
	if err != nil {
		return nil, err
	}
	return &Signer{pair: keypair{key: &kmsKey{ctx, public, service}, hint: hint}}, nil
}

// messages signs whole messages; the keys in files sign digests.
type messages interface {
	SignMessage(data []byte) ([]byte, error)
}

// kmsKey is a key that only signs whole messages.
type kmsKey struct {
	ctx     context.Context
	public  crypto.PublicKey
	service signature.Signer
}

// Public is the public half.
func (k *kmsKey) Public() crypto.PublicKey { return k.public }

// Sign refuses: the service makes the digest itself.
func (k *kmsKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("this key signs messages, and not digests")
}

// SignMessage has the service sign.
func (k *kmsKey) SignMessage(data []byte) ([]byte, error) {
	sig, err := k.service.SignMessage(bytes.NewReader(data), options.WithContext(k.ctx))
	if err != nil {
		return nil, fmt.Errorf("the key management service did not sign: %w", err)
	}
	return sig, nil
}
