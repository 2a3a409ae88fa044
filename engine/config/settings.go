package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/provider"
)

// loadSettings reads the remint block, and protects what it names.
func (l *loader) loadSettings() {
	s := &l.ws.Settings
	s.StatePath, _ = l.paths.resolve(".remint/state.db")
	s.EvidenceDir, _ = l.paths.resolve("evidence")
	s.SignerKey, _ = l.paths.resolve("keys/evidence.pem")
	for _, b := range l.blocks["remint"] {
		if !l.once("The remint block", b.TypeRange) {
			continue
		}
		got := l.simple(b.Body, b, "remint", attr("required_version", provider.String, false))
		if v, ok := got["required_version"].(string); ok {
			s.RequiredVersion = v
			l.checkVersion(v, b.Body.Attributes["required_version"].Expr)
		}
		l.noBlocks(b.Body, "remint", "state", "evidence", "seal")
		for _, inner := range b.Body.Blocks {
			if inner.Type != "state" && inner.Type != "evidence" && inner.Type != "seal" {
				continue
			}
			if !l.once("The block remint."+inner.Type, inner.TypeRange) {
				continue
			}
			l.ws.declared[inner.Type] = inner.DefRange()
			l.setting(inner, s)
		}
	}
	l.bindSettings()
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		l.paths.protect(s.StatePath.Absolute+suffix, "the state")
	}
	l.paths.protect(s.EvidenceDir.Absolute, "the evidence")
	key := s.SignerKey.Absolute
	l.paths.protect(key, "the evidence key")
	l.paths.protect(key[:len(key)-len(filepath.Ext(key))]+".pub", "the evidence key")
	if dir := filepath.Dir(key); dir != l.home && filepath.Dir(key) != "/" {
		l.paths.protect(dir, "the folder of the evidence key")
	}
	l.paths.protect(filepath.Join(l.home, "keys"), "the folder of keys")
	for _, p := range s.SealIdentities {
		l.paths.protect(p.Absolute, "a seal's identity")
	}
}

func (l *loader) setting(b *hclsyntax.Block, s *Settings) {
	switch b.Type {
	case "state":
		if !l.labelled(b, `state "sqlite"`) {
			return
		}
		if b.Labels[0] != "sqlite" {
			l.fault(b.LabelRanges[0], "A state that does not exist", "There is no state %s. The state is kept in \"sqlite\", a file.", quoted(b.Labels[0]))
			return
		}
		l.noBlocks(b.Body, "state")
		if p, ok := l.simple(b.Body, b, "state", attr("path", provider.PathType, false))["path"].(provider.Path); ok {
			s.StatePath = p
		}
	case "evidence":
		if p, ok := l.simple(b.Body, b, "evidence", attr("directory", provider.PathType, false))["directory"].(provider.Path); ok {
			s.EvidenceDir = p
		}
		l.noBlocks(b.Body, "evidence", "signer")
		for _, k := range b.Body.Blocks {
			if k.Type != "signer" || !l.labelled(k, `signer "key"`) || !l.once("The block evidence.signer", k.TypeRange) {
				continue
			}
			if k.Labels[0] != "key" {
				l.fault(k.LabelRanges[0], "A signer that does not exist", "There is no signer %s. Evidence is signed with a \"key\" in a file.", quoted(k.Labels[0]))
				continue
			}
			l.noBlocks(k.Body, "signer")
			if p, ok := l.simple(k.Body, k, "signer", attr("path", provider.PathType, true))["path"].(provider.Path); ok {
				s.SignerKey = p
			}
		}
	case "seal":
		l.noBlocks(b.Body, "seal")
		got := l.simple(b.Body, b, "seal", attr("recipients", provider.StringList, true), attr("identities", provider.StringList, false))
		s.SealRecipients, _ = got["recipients"].([]string)
		names, _ := got["identities"].([]string)
		for _, n := range names {
			p, err := l.paths.resolve(n)
			if err != nil {
				l.fault(b.Body.Attributes["identities"].Expr.Range(), "A value does not fit", "identities %s.", err)
				continue
			}
			s.SealIdentities = append(s.SealIdentities, p)
		}
	}
}

func attr(name string, t provider.AttrType, required bool) provider.Attribute {
	return provider.Attribute{Name: name, Type: t, Required: required}
}

// simple evaluates a block of the engine's own attributes.
func (l *loader) simple(body *hclsyntax.Body, b *hclsyntax.Block, what string, attrs ...provider.Attribute) map[string]any {
	f := l.form(body, b.DefRange(), what, provider.Schema{Attributes: attrs}, nil, plainScope())
	got, _ := l.fill(f, l.ctx, "")
	return got
}
