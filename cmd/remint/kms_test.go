package main

import (
	"context"
	"crypto"
	"errors"
	"os"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// testKeys is a key management service: a folder of keys, behind Sigstore's own
// handler of its protocol.
type testKeys struct{ signature.SignerVerifier }

func (testKeys) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("keys are made elsewhere")
}

func (testKeys) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("no key leaves this service")
}

func (testKeys) SupportedAlgorithms() []string { return []string{"any"} }

func (testKeys) DefaultAlgorithm() string { return "any" }

// kmsProgram is the plugin sigstore-kms-testkeys: testkeys://FILE is the key in FILE.
func kmsProgram() {
	args, err := handler.GetPluginArgs(os.Args)
	if err == nil {
		err = serveKey(args.InitOptions.KeyResourceID, func(k testKeys) error {
			_, err := handler.Dispatch(os.Stdout, os.Stdin, args, k)
			return err
		})
	}
	if err != nil {
		_ = handler.WriteErrorResponse(os.Stdout, err)
	}
}

func serveKey(id string, do func(testKeys) error) error {
	pem, err := os.ReadFile(strings.TrimPrefix(id, "testkeys://"))
	if err != nil {
		return errors.New("the service knows no such key")
	}
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(pem, nil)
	if err != nil {
		return err
	}
	sv, err := signature.LoadSignerVerifier(key, crypto.SHA256)
	if err != nil {
		return err
	}
	return do(testKeys{sv})
}
