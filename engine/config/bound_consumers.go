package config

import (
	"encoding/json"
	"slices"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// loadAllowed reads the allow blocks: consumers that a workspace may have although
// no credential of its trust base has them.
func (l *loader) loadAllowed() {
	for _, b := range l.blocks["allow"] {
		def := l.opts.Registry.Consumer(b.Labels[0])
		if def == nil {
			l.fault(b.LabelRanges[0], "There is no such consumer", "No kind of consumer is called %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Consumers()))
			continue
		}
		l.noBlocks(b.Body, "allow")
		f := l.form(b.Body, b.DefRange(), "Consumer "+b.Labels[0], def.Schema, nil, plainScope())
		got, _ := l.fill(f, l.ctx, "")
		l.unknowns(f, got)
		block := &Block{Type: b.Labels[0], Attrs: provider.NewAttrs(got), Range: rangeOf(b)}
		if l.opts.Base != nil && !slices.ContainsFunc(l.opts.Base.Allowed, block.like) {
			l.ignored(block.Range, "An allow block that the trust base does not have", "It allows nothing: only the trust base says which consumers there may be. Have it agreed to there first.")
		}
		l.ws.Allowed = append(l.ws.Allowed, block)
	}
}

// like reports whether two blocks do the same, whatever they are called.
func (b *Block) like(other *Block) bool { return b.Type == other.Type && b.Attrs.Equal(other.Attrs) }

// Commands are the consumers that a workspace under this base may have: those of
// its credentials and those that it allows, each once, in an order of their own.
func (w *Workspace) Commands() []*Block {
	seen := map[*Block]bool{} // instances share what does not vary
	byLine := map[string]*Block{}
	add := func(b *Block) {
		if !seen[b] {
			seen[b] = true
			byLine[b.print()] = b
		}
	}
	for _, b := range w.Allowed {
		add(b)
	}
	for _, c := range w.Credentials {
		for _, b := range c.Consumers {
			add(b)
		}
	}
	out := make([]*Block, 0, len(byLine))
	for _, line := range keys(byLine) {
		out = append(out, byLine[line])
	}
	return out
}

// print is the same for blocks that do the same, secrets apart.
func (b *Block) print() string {
	line, err := json.Marshal([]any{b.Type, b.Attrs.Public()})
	if err != nil {
		panic("a block is not JSON") // a defect of Attrs.Public
	}
	return string(line)
}

// bindConsumers refuses consumers that the base does not know.
func (l *loader) bindConsumers() {
	if l.opts.Base == nil {
		return
	}
	allowed := map[string][]*Block{}
	for _, b := range l.opts.Base.Commands() {
		allowed[b.print()] = append(allowed[b.print()], b)
	}
	fine := map[*Block]bool{}
	for _, c := range l.ws.Credentials {
		for _, b := range c.Consumers {
			if fine[b] || slices.ContainsFunc(allowed[b.print()], b.like) {
				fine[b] = true
				continue
			}
			l.atBlock(b, c, "A command that the trust base does not allow", "Consumer %s of %s is in no credential and no allow block of the trust base, so it is not run.%s", b.Key(), c.Addr, merge)
		}
	}
}

// lowering refuses an environment below production that the provider block, which the
// trust base or the pin vouches for, does not say.
func (l *loader) lowering(c *credentialBlock, a addrs.Credential, said string) {
	at := c.block.Body.Attributes["environment"]
	if at == nil || c.lowered(a) {
		return
	}
	if l.opts.Pinned {
		l.refuse(at.Expr.Range(), diag.ExitDenied, "The environment is bound", "Under a pin (REMINT_TRUST) only a provider block says that something is less than production, as its environment is part of the pinned digest "+
			"and a credential's is not; %s cannot make itself %q. Remove the line, or use a provider block that is %q: have that one agreed to, and pin the digest of it.", a, said, said)
		return
	}
	l.refuse(at.Expr.Range(), diag.ExitDenied, "The environment is bound", "Under a trust base only a provider block there says that something is less than production; %s cannot make itself %q. "+
		"Remove the line, or use a provider block that is %q in the trust base.", a, said, said)
}
