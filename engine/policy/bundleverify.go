package policy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"

	"github.com/remint-dev/remint/engine/diag"
)

// Files of a bundle that are not policy.
const (
	signaturesFile = ".signatures.json"
	dataFile       = "data.json"
)

// pinned is what OPA knows the one key as. A key id in the bundle counts for nothing.
const pinned = "pinned"

// SigningAlgorithms are the JOSE names that a signature may have. Those of shared
// secrets are not among them: who verifies could sign.
func SigningAlgorithms() []string {
	return []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
}

// fits gives the algorithms that a public key can be used with, the usual one first.
func fits(key any) ([]string, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if name := map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Curve.Params().BitSize]; name != "" {
			return []string{name}, nil
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}, nil
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
		}
		return nil, errors.New("an RSA key of fewer than 2048 bits verifies nothing")
	}
	return nil, errors.New("public_key must be an ECDSA key (P-256, P-384, P-521), an Ed25519 key, or an RSA key")
}

// verification is what OPA is to verify with.
func (s Signing) verification() (*bundle.VerificationConfig, error) {
	block, _ := pem.Decode([]byte(s.PublicKey))
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("public_key is no PEM of a PUBLIC KEY")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("public_key cannot be read")
	}
	may, err := fits(key)
	if err != nil {
		return nil, err
	}
	algorithm := may[0]
	if s.Algorithm != "" {
		if algorithm = s.Algorithm; !slices.Contains(may, algorithm) {
			return nil, fmt.Errorf("the algorithm %s does not fit public_key, which is for %s", algorithm, may[0])
		}
	}
	keys := map[string]*bundle.KeyConfig{pinned: {Key: s.PublicKey, Algorithm: algorithm, Scope: s.Scope}}
	return bundle.NewVerificationConfig(keys, pinned, s.Scope, nil), nil
}

// read verifies files and gives their revision.
func (b Bundle) read(files []file) (string, diag.Diagnostics) {
	config, err := b.Signing.verification()
	under := ""
	if err == nil {
		under, err = signedAll(config, files)
	}
	if err == nil { // OPA would parse it as what it says it is, and complain of that
		err = otherRego(files)
	}
	if err != nil {
		return "", b.refused(err)
	}
	// OPA reads it as it would for itself: signature, then files, then all the rest.
	read, err := bundle.NewCustomReader(&loader{files: files, under: under}).
		WithBundleVerificationConfig(config).WithSizeLimitBytes(maxBundleFile).WithLazyLoadingMode(false).WithRegoVersion(ast.RegoV1).Read()
	var parse ast.Errors
	switch {
	case errors.As(err, &parse):
		return "", b.unparsed(parse, under, files)
	case err != nil:
		return "", b.refused(err)
	}
	if err := plainRego(&read); err != nil {
		return "", b.refused(err)
	}
	return read.Manifest.Revision, nil
}

// signedAll finds, in words for people, what OPA would find: a signature that does
// not hold, and files that it does not speak of. under is what stands before each
// name: `opa sign --bundle DIR` signs names that begin with DIR.
func signedAll(config *bundle.VerificationConfig, files []file) (under string, err error) {
	has := map[string]bool{}
	var signatures bundle.SignaturesConfig
	for _, f := range files {
		if has[f.name] = true; f.name == signaturesFile {
			if err := json.Unmarshal(f.text, &signatures); err != nil {
				return "", fmt.Errorf("%s is damaged; sign it again", signaturesFile)
			}
		}
	}
	if !has[signaturesFile] || len(signatures.Signatures) == 0 {
		return "", fmt.Errorf("it is not signed; sign it with `remint policy bundle`, or with `opa build --bundle --signing-key`")
	}
	signed, err := bundle.VerifyBundleSignature(signatures, config)
	if err != nil {
		return "", fmt.Errorf("it is not signed as the policy block wants it, by public_key with %s (%w); take a bundle that is",
			config.PublicKeys[pinned].Algorithm, err)
	}
	if _, ok := signed[bundle.ManifestExt]; !ok {
		for name := range signed {
			if dir, base := path.Split(name); base == bundle.ManifestExt {
				under = dir // of several, all but one are files that are missing
			}
		}
	}
	for _, f := range files {
		if _, ok := signed[under+f.name]; !ok && f.name != signaturesFile {
			return "", fmt.Errorf("the file %s is not among those that were signed; take it out, or sign again", f.name)
		}
	}
	for name, f := range signed {
		switch own, is := strings.CutPrefix(name, under); {
		case !is || !has[own]:
			return "", fmt.Errorf("the file %.200q was signed and is missing; take the bundle as it was built", name)
		case f.Algorithm == string(bundle.MD5) || f.Algorithm == string(bundle.SHA1):
			return "", fmt.Errorf("the file %s was signed by its %s, which can be forged; sign again with SHA-256", own, f.Algorithm)
		}
	}
	return under, nil
}

// otherRego looks for a manifest that says so.
func otherRego(files []file) error {
	for _, f := range files {
		var m bundle.Manifest
		if strings.HasSuffix(f.name, bundle.ManifestExt) && json.Unmarshal(f.text, &m) == nil {
			if err := onlyV1(&m); err != nil {
				return err
			}
		}
	}
	return nil
}

func onlyV1(m *bundle.Manifest) error {
	v1 := ast.RegoV1.Int()
	if v := m.RegoVersion; v != nil && *v != v1 {
		return errors.New("its manifest says that it is of another version of Rego; build it for v1")
	}
	for name, v := range m.FileRegoVersions {
		if v != v1 {
			return fmt.Errorf("its manifest says that %.200q is of another version of Rego; build it for v1", name)
		}
	}
	return nil
}

// plainRego refuses what would be judged by otherwise than people read it.
func plainRego(b *bundle.Bundle) error {
	if err := onlyV1(&b.Manifest); err != nil {
		return err
	}
	switch {
	case !hollow(b.Data):
		return errors.New(dataFile + ": " + notData)
	case len(b.WasmModules) > 0 || len(b.PlanModules) > 0 || len(b.Manifest.WasmResolvers) > 0:
		return errors.New("compiled policies are not asked; build the bundle with `opa build -t rego`")
	}
	return nil
}

// hollow reports whether there is nothing in v but objects.
func hollow(v any) bool {
	m, ok := v.(map[string]any)
	for _, inner := range m {
		ok = ok && hollow(inner)
	}
	return ok
}

// unparsed shows where signed Rego does not parse.
func (b Bundle) unparsed(list ast.Errors, under string, files []file) diag.Diagnostics {
	all := texts{}
	for _, f := range files {
		all[b.shown(f.name)] = f.text
	}
	for _, e := range list { // a file of OPA's reader is named as it was signed
		e.Details = nil // whole lines, however long; the snippet is cut
		if e.Location != nil {
			e.Location.File = b.shown(strings.TrimPrefix(strings.TrimPrefix(e.Location.File, "/"), under))
		}
	}
	return all.fromOPA(b.Name, "Policy does not parse", list)
}

// loader hands files to OPA's reader from memory.
type loader struct {
	files []file
	// under stands before each name in the signature.
	under string
	next  int
}

// NextFile gives one after the other.
func (l *loader) NextFile() (*bundle.Descriptor, error) {
	if l.next == len(l.files) {
		return nil, io.EOF
	}
	f := l.files[l.next]
	l.next++
	return bundle.NewDescriptor(f.name, "/"+l.under+f.name, bytes.NewBuffer(bytes.Clone(f.text))), nil
}

// WithFilter changes nothing: there is nothing to choose from.
func (l *loader) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader { return l }

// WithPathFormat changes nothing: paths are as OPA's tarballs have them.
func (l *loader) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader { return l }

// WithSizeLimitBytes changes nothing: sizes are known.
func (l *loader) WithSizeLimitBytes(int64) bundle.DirectoryLoader { return l }

// WithFollowSymlinks changes nothing: there are none.
func (l *loader) WithFollowSymlinks(bool) bundle.DirectoryLoader { return l }
