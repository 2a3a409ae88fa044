package policy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/remint-dev/remint/engine/diag"
)

// keyID is what OPA's tools call a key that nobody named.
const keyID = "default"

// BuildBundle makes a signed bundle of a folder of policies, as `opa build --bundle`
// does: its Rego, with the tests. key is a PEM of a PKCS#8 private key. A folder that
// would be refused when it is asked is refused here.
func (o Options) BuildBundle(ctx context.Context, src Source, revision string, key []byte) ([]byte, diag.Diagnostics) {
	fail := func(err error) ([]byte, diag.Diagnostics) {
		return nil, diag.Errored(0, "The bundle cannot be built", "%s: %s.", src.Path, err)
	}
	if err := CheckRevision(revision); err != nil {
		return fail(err)
	}
	algorithm, err := algorithmOf(key)
	if err != nil {
		return fail(err)
	}
	set, diags := o.Compile(ctx, []Source{src})
	set.Close()
	if diags.HasErrors() {
		return nil, diags
	}
	relative := src
	relative.Path = ""
	f, faults := load(relative)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	b := bundle.Bundle{Manifest: bundle.Manifest{Revision: revision}, Data: map[string]any{}}
	b.Manifest.SetRegoVersion(ast.RegoV1)
	for _, list := range [][]file{f.modules, f.tests} {
		for _, one := range list {
			b.Modules = append(b.Modules, bundle.ModuleFile{URL: "/" + one.name, Path: "/" + one.name, Raw: one.text})
		}
	}
	if err := b.GenerateSignature(bundle.NewSigningConfig(string(key), algorithm, ""), keyID, true); err != nil {
		return fail(errors.New("the key cannot sign"))
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).DisableFormat(true).Write(b); err != nil {
		return fail(err)
	}
	return out.Bytes(), diags
}

// algorithmOf is the usual algorithm of a private key.
func algorithmOf(key []byte) (string, error) {
	block, _ := pem.Decode(key)
	if block == nil || block.Type != "PRIVATE KEY" {
		return "", errors.New("the key is no PEM of a PRIVATE KEY (PKCS#8)")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return "", errors.New("the key cannot be read")
	}
	may, err := fits(signer.Public())
	if err != nil {
		return "", err
	}
	return may[0], nil
}
