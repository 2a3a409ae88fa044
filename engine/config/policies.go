package config

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/provider"
)

// Signing says what a policy's bundle must be signed with: the key is pinned here,
// and nothing in a bundle names another.
type Signing struct {
	// PublicKey is a PEM.
	PublicKey string
	// Algorithm is a JOSE name, "" for the key's usual one; Scope is "" for none.
	Algorithm, Scope string
}

// KeyID is the id of the key, as evidence names keys; "" if it cannot be read.
func (s Signing) KeyID() string {
	der, problem := publicKey(s.PublicKey)
	if problem != "" {
		return ""
	}
	sum := sha256.Sum256([]byte(der))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// same reports whether two policies want the same of a bundle; nil is a folder.
func (s *Signing) same(other *Signing) bool {
	if s == nil || other == nil {
		return s == other
	}
	return *s == *other
}

// loadPolicies reads the policy blocks; nothing may be written to their folders.
func (l *loader) loadPolicies() {
	for _, b := range l.blocks["policy"] {
		if !l.once("policy "+quoted(b.Labels[0]), b.DefRange()) {
			continue
		}
		l.noBlocks(b.Body, "A policy")
		got := l.simple(b.Body, b, "A policy", attr("path", provider.PathType, false), attr("bundle", provider.PathType, false),
			attr("public_key", provider.String, false),
			provider.Attribute{Name: "algorithm", Type: provider.String, OneOf: l.opts.Algorithms}, attr("scope", provider.String, false),
			provider.Attribute{
				Name: "enforcement", Type: provider.String, Default: string(Mandatory),
				OneOf: []string{string(Mandatory), string(Overridable), string(Advisory)},
			})
		p := Policy{Name: b.Labels[0], Enforcement: Mandatory, Range: rangeOf(b)}
		if e, ok := got["enforcement"].(string); ok {
			p.Enforcement = Enforcement(e)
		}
		if l.signing(b, got, &p); p.Signing != nil {
			p.Path, _ = got["bundle"].(provider.Path)
		} else {
			p.Path, _ = got["path"].(provider.Path)
		}
		if l.opts.isBase() { // its judges are read where it is read
			var err error
			if p.Path, err = newPaths(l.dir).resolve(p.Path.Written); err != nil {
				l.fault(b.DefRange(), "A policy folder outside of the trust base", "path %s.", err)
			}
		}
		if p.Path.Absolute != "" {
			l.paths.protect(p.Path.Absolute, "the policies of "+quoted(p.Name))
		}
		l.ws.Policies = append(l.ws.Policies, p)
	}
	l.bindPolicies()
}

// signing reads what a bundle must be signed with, and finds attributes that do not
// go together.
func (l *loader) signing(b *hclsyntax.Block, got map[string]any, p *Policy) {
	given := b.Body.Attributes
	bundle, path := given["bundle"], given["path"]
	switch {
	case bundle != nil && path != nil:
		l.fault(path.NameRange, "A folder and a bundle", "`path` names a folder of Rego, `bundle` a signed bundle. Say one of them; give the other a policy block of its own.")
	case bundle == nil && path == nil:
		l.fault(b.DefRange(), "Attribute missing", "A policy needs `path`, a folder of Rego, or `bundle`, a signed bundle, with the `public_key` that it is signed with.")
	}
	if bundle == nil {
		for _, name := range []string{"public_key", "algorithm", "scope"} {
			if a := given[name]; a != nil {
				l.fault(a.NameRange, "Nothing to verify", "%s is of a signed bundle, and this policy is a folder. Say `bundle`, or remove this.", name)
			}
		}
		return
	}
	s := &Signing{}
	p.Signing = s
	s.PublicKey, _ = got["public_key"].(string)
	s.Algorithm, _ = got["algorithm"].(string)
	s.Scope, _ = got["scope"].(string)
	switch key := given["public_key"]; {
	case key == nil:
		l.fault(b.DefRange(), "A bundle without a key", "Say with which key the bundle of policy %s is signed: public_key = file(\"keys/policies.pub\").", quoted(p.Name))
	case s.PublicKey != "":
		if _, problem := publicKey(s.PublicKey); problem != "" {
			l.fault(key.Expr.Range(), "Not a public key", "%s", problem)
		}
	}
}
