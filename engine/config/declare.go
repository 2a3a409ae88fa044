package config

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

func addrsVisible(s string) string { return addrs.Visible(s) }

// instant reads an attribute that is a time; zero where there is none.
func (l *loader) instant(b *hclsyntax.Block, got map[string]any, name string) time.Time {
	text, _ := got[name].(string)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		l.fault(b.Body.Attributes[name].Expr.Range(), "Not a time", "%s is written like 2026-12-24T00:00:00Z.", name)
	}
	return t
}

// loadApprovers reads the approver blocks.
func (l *loader) loadApprovers() {
	keysSeen := map[string]string{}
	for _, b := range l.blocks["approver"] {
		if !l.once("approver "+quoted(b.Labels[0]), b.DefRange()) {
			continue
		}
		l.noBlocks(b.Body, "An approver")
		got := l.simple(b.Body, b, "An approver", attr("public_key", provider.String, false),
			attr("identity", provider.String, false), attr("issuer", provider.String, false),
			attr("groups", provider.StringList, false), attr("identities", provider.StringList, false),
			attr("not_after", provider.String, false), attr("revoked_at", provider.String, false), attr("notify", provider.String, false))
		a := Approver{Name: b.Labels[0], Range: rangeOf(b)}
		a.PublicKey, _ = got["public_key"].(string)
		a.Groups, _ = got["groups"].([]string)
		a.Identities, _ = got["identities"].([]string)
		a.Notify, _ = got["notify"].(string)
		a.Identity, _ = got["identity"].(string)
		a.Issuer, _ = got["issuer"].(string)
		l.checkApprover(b, a, keysSeen)
		a.NotAfter, a.RevokedAt = l.instant(b, got, "not_after"), l.instant(b, got, "revoked_at")
		if a.PublicKey != "" {
			at := b.Body.Attributes["public_key"].Expr.Range()
			der, problem := publicKey(a.PublicKey)
			switch other := keysSeen[der]; {
			case problem != "":
				l.fault(at, "Not a public key", "%s", problem)
			case other != "":
				l.refuse(at, diag.ExitMissing, "One key for two approvers", "Approver %q has the same key as %q, and could approve twice. Give each person a key of their own.", a.Name, other)
			}
			keysSeen[der] = a.Name
		}
		l.ws.Approvers = append(l.ws.Approvers, a)
	}
	l.bindApprovers()
	slices.SortFunc(l.ws.Approvers, func(a, b Approver) int { return strings.Compare(a.Name, b.Name) })
}

// publicKey gives the DER of a PEM public key, or what is wrong.
func publicKey(text string) (der, problem string) {
	const remedy = " Give the PEM that begins -----BEGIN PUBLIC KEY-----, as in file(\"keys/alice.pub\")."
	block, _ := pem.Decode([]byte(text))
	switch {
	case strings.Contains(text, "PRIVATE KEY"):
		return "", "This is a private key, which must never be in a workspace's files. Take it out, replace it, and use the public key that belongs to it."
	case block == nil:
		return "", "The value is no PEM." + remedy
	case block.Type != "PUBLIC KEY":
		return "", "The PEM is a " + addrs.Visible(block.Type) + "." + remedy
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return "", "The key inside the PEM cannot be read." + remedy
	}
	return string(block.Bytes), ""
}

// loadProviders reads the provider blocks.
func (l *loader) loadProviders() {
	for _, b := range l.blocks["provider"] {
		key := b.Labels[0] + "." + b.Labels[1]
		if !l.once("provider "+quoted(b.Labels[0])+" "+quoted(b.Labels[1]), b.DefRange()) {
			continue
		}
		def := l.opts.Registry.Provider(b.Labels[0])
		if def == nil {
			l.fault(b.LabelRanges[0], "There is no such provider", "No provider is called %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Providers()))
			l.ws.Providers[key] = nil // declared, and faulty
			continue
		}
		l.noBlocks(b.Body, "Provider "+b.Labels[0])
		schema := provider.Schema{Attributes: append(slices.Clone(def.Schema.Attributes), attr("environment", provider.String, false))}
		f := l.form(b.Body, b.DefRange(), "Provider "+b.Labels[0], schema, nil, plainScope())
		got, _ := l.fill(f, l.ctx, "")
		l.unknowns(f, got)
		p := &ProviderBlock{Block: Block{Type: b.Labels[0], Name: b.Labels[1], Range: rangeOf(b)}}
		p.Environment, _ = got["environment"].(string)
		delete(got, "environment")
		l.checkWrites(f, got, key, true)
		p.Attrs, p.ByFile = provider.NewAttrs(got), def.ByFile
		for _, a := range def.Schema.Attributes {
			if path := p.Attrs.Path(a.Name); a.Writes && path.Absolute != "" {
				p.Files = append(p.Files, l.paths.follow(path.Absolute))
			}
		}
		l.ws.Providers[key] = p
	}
	l.bindProviders()
}

// loadNotifiers reads the notifier blocks.
func (l *loader) loadNotifiers() {
	for _, b := range l.blocks["notifier"] {
		if !l.once("notifier "+quoted(b.Labels[0])+" "+quoted(b.Labels[1]), b.DefRange()) {
			continue
		}
		def := l.opts.Registry.Notifier(b.Labels[0])
		if def == nil {
			l.fault(b.LabelRanges[0], "There is no such notifier", "No kind of notifier is called %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Notifiers()))
			continue
		}
		l.noBlocks(b.Body, "Notifier "+b.Labels[0])
		f := l.form(b.Body, b.DefRange(), "Notifier "+b.Labels[0], def.Schema, nil, plainScope())
		got, _ := l.fill(f, l.ctx, "")
		l.unknowns(f, got)
		l.bindSecrets(f, b.Labels[0]+"."+b.Labels[1])
		l.checkWrites(f, got, b.Labels[0]+"."+b.Labels[1], false)
		l.ws.Notifiers = append(l.ws.Notifiers, &Block{Type: b.Labels[0], Name: b.Labels[1], Attrs: provider.NewAttrs(got), Range: rangeOf(b)})
	}
	l.bindNotifiers()
	slices.SortFunc(l.ws.Notifiers, func(a, b *Block) int { return strings.Compare(a.Key(), b.Key()) })
}

// loadVerifiers reads the verifier blocks.
func (l *loader) loadVerifiers() {
	for _, b := range l.blocks["verifier"] {
		if !l.once("verifier "+quoted(b.Labels[0])+" "+quoted(b.Labels[1]), b.DefRange()) {
			continue
		}
		def := l.opts.Registry.Verifier(b.Labels[0])
		if def == nil {
			l.fault(b.LabelRanges[0], "There is no such verifier", "No kind of verifier is called %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Verifiers()))
			continue
		}
		l.noBlocks(b.Body, "Verifier "+b.Labels[0])
		f := l.form(b.Body, b.DefRange(), "Verifier "+b.Labels[0], def.Schema, nil, plainScope())
		got, _ := l.fill(f, l.ctx, "")
		l.unknowns(f, got)
		l.ws.Verifiers = append(l.ws.Verifiers, &Block{Type: b.Labels[0], Name: b.Labels[1], Attrs: provider.NewAttrs(got), Range: rangeOf(b)})
	}
	slices.SortFunc(l.ws.Verifiers, func(a, b *Block) int { return strings.Compare(a.Key(), b.Key()) })
	l.bindVerifiers()
}

// checkWrites refuses paths that nothing may be written to. What a provider
// writes is then kept from stores.
func (l *loader) checkWrites(f *form, got map[string]any, what string, keep bool) {
	for i := range f.slots {
		p, ok := got[f.slots[i].attr.Name].(provider.Path)
		if !ok || !f.slots[i].attr.Writes {
			continue
		}
		if err := l.paths.writable(p); err != nil {
			l.fault(f.slots[i].at, "A path that must not be written to", "%s %s. Choose another path.", f.slots[i].attr.Name, err)
		} else if keep {
			l.targets = append(l.targets, protected{p.Absolute, "what provider " + what + " manages"})
		}
	}
}

type protected struct{ path, what string }

// decodedBlock is a nested store or consumer block.
type decodedBlock struct {
	block  *hclsyntax.Block
	form   *form
	field  string
	shared *Block // when nothing in it varies
	at     diag.Range
}
