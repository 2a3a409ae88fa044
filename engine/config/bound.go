package config

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Under a trust base what judges comes from there. The workspace may repeat it,
// which makes the main branch of a repository a base for its own branches, and may
// be stricter. Here it is held against the base: what differs is a fault that
// names both places, what the base lacks counts for nothing or is refused.

// merge is the advice for whatever has to be in the base first.
const merge = " Put it back, or have the change agreed to in the trust base first."

// refuse is a fault with an exit code of its own.
func (l *loader) refuse(r hcl.Range, exit diag.Exit, summary, detail string, args ...any) {
	before := len(l.diags)
	l.fault(r, summary, detail, args...)
	if len(l.diags) > before {
		l.diags[before].Exit = exit
	}
}

// ignored warns of what the base lacks, and of what follows.
func (l *loader) ignored(r diag.Range, summary, detail string, args ...any) {
	before := len(l.diags)
	l.fault(hclRange(r), summary, detail, args...)
	if len(l.diags) > before {
		l.diags[before].Severity = diag.Warning
	}
}

// differs refuses what is not what the base says of the same name.
func (l *loader) differs(what string, here, there diag.Range, exit diag.Exit) {
	l.refuse(hclRange(here), exit, "Not what the trust base says", "%s is not what the trust base says at %s:%d.%s", what, there.Filename, there.Start.Line, merge)
}

// bindSettings takes over who signs evidence, for whom secrets are sealed, and
// where the base says that state and evidence lie.
func (l *loader) bindSettings() {
	base := l.opts.Base
	if base == nil {
		return
	}
	s, b := &l.ws.Settings, &base.Settings
	for _, part := range []struct {
		name string
		same bool
		take func()
	}{
		{"state", s.StatePath.Written == b.StatePath.Written, func() { s.StatePath = b.StatePath }},
		{"evidence", s.EvidenceDir.Written == b.EvidenceDir.Written && s.SignerKey.Written == b.SignerKey.Written,
			func() { s.EvidenceDir, s.SignerKey = b.EvidenceDir, b.SignerKey }},
		{"seal", slices.Equal(s.SealRecipients, b.SealRecipients), func() { s.SealRecipients, s.SealIdentities = b.SealRecipients, b.SealIdentities }},
	} {
		here, said := l.ws.declared[part.name]
		there, bound := base.declared[part.name]
		switch {
		case said && bound && !part.same:
			l.differs("The block "+part.name, diag.RangeOf(here), diag.RangeOf(there), diag.ExitError)
		case said && !bound && part.name == "seal":
			l.refuse(here, diag.ExitError, "Not in the trust base", "The trust base seals secrets for nobody else, and whoever is named here could read them.%s", merge)
		case bound && !said:
			part.take()
		}
	}
}

// bindPolicies puts the base's policies first; more may be judged beside them.
func (l *loader) bindPolicies() {
	if l.opts.Base == nil {
		return
	}
	var out []Policy
	for _, there := range l.opts.Base.Policies {
		there.Bound = true
		if i := slices.IndexFunc(l.ws.Policies, func(p Policy) bool { return p.Name == there.Name }); i >= 0 {
			here := l.ws.Policies[i]
			if here.Enforcement != there.Enforcement || here.Path.Written != there.Path.Written {
				l.differs("Policy "+quoted(here.Name), here.Range, there.Range, diag.ExitDenied)
			}
			l.ws.Policies = slices.Delete(l.ws.Policies, i, i+1)
			there.Copy, there.Range = here.Path, here.Range
		}
		out = append(out, there)
	}
	l.ws.Policies = append(out, l.ws.Policies...)
}

// bindLibrary takes the base's groups and parameters. A workspace may add groups,
// and set parameters of those that it adds.
func (l *loader) bindLibrary() {
	if l.opts.Base == nil {
		return
	}
	here, there := l.ws.Library, l.opts.Base.Library
	values, theirs := there.Parameters.Public(), there.Parameters.Public()
	for name, v := range here.Parameters.Public() {
		group := l.opts.ParameterGroups[name]
		added := slices.Contains(l.opts.Groups, group) && !slices.Contains(there.Groups, group)
		if !added && !reflect.DeepEqual(v, theirs[name]) {
			l.refuse(hclRange(here.Range), diag.ExitDenied, "Not what the trust base says", "The library's parameter %s is not what the trust base says.%s", name, merge)
			continue
		}
		values[name] = v
	}
	l.ws.Library.Parameters = provider.NewAttrs(values)
	l.ws.Library.Groups = slices.Clone(there.Groups)
	for _, g := range here.Groups {
		if !slices.Contains(there.Groups, g) && here.Range != (diag.Range{}) {
			l.ws.Library.Groups = append(l.ws.Library.Groups, g)
		}
	}
}

// bindApprovers makes the base's approvers the only ones.
func (l *loader) bindApprovers() {
	if l.opts.Base == nil {
		return
	}
	for _, here := range l.ws.Approvers {
		i := slices.IndexFunc(l.opts.Base.Approvers, func(a Approver) bool { return a.Name == here.Name })
		if i < 0 {
			l.ignored(here.Range, "An approver that the trust base does not have", "Approver %s does not count: the trust base has no such approver. "+
				"Have her agreed to there first.", quoted(here.Name))
			continue
		}
		if there := l.opts.Base.Approvers[i]; !there.same(here) {
			l.differs("Approver "+quoted(here.Name), here.Range, there.Range, diag.ExitMissing)
		}
	}
	l.ws.Approvers = l.opts.Base.Approvers
}

// same reports whether two blocks are about one person with one key.
func (a Approver) same(b Approver) bool {
	sorted := func(s []string) []string { return slices.Compact(slices.Sorted(slices.Values(s))) }
	return a.PublicKey == b.PublicKey && slices.Equal(sorted(a.Groups), sorted(b.Groups)) && slices.Equal(sorted(a.Identities), sorted(b.Identities))
}

// bindVerifiers makes the base's verifiers the only ones.
func (l *loader) bindVerifiers() {
	if l.opts.Base == nil {
		return
	}
	for _, here := range l.ws.Verifiers {
		i := slices.IndexFunc(l.opts.Base.Verifiers, func(b *Block) bool { return b.Key() == here.Key() })
		if i < 0 {
			l.ignored(here.Range, "A verifier that the trust base does not have", "Verifier %s does not count: the trust base has no such verifier. "+
				"Have it agreed to there first.", here.Key())
			continue
		}
		if there := l.opts.Base.Verifiers[i]; !here.Attrs.Equal(there.Attrs) {
			l.differs("Verifier "+here.Key(), here.Range, there.Range, diag.ExitMissing)
		}
	}
	l.ws.Verifiers = l.opts.Base.Verifiers
}

// bindProviders takes the base's blocks, of which the workspace may only raise the
// environment. A block that the base lacks is production, and nothing is sent to it.
func (l *loader) bindProviders() {
	base := l.opts.Base
	if base == nil {
		return
	}
	for _, key := range keys(l.ws.Providers) {
		here, there := l.ws.Providers[key], base.Providers[key]
		if here == nil { // faulty
			continue
		}
		raised := lifecycle.IsProduction(here.Environment)
		switch {
		case there == nil && l.opts.Offline:
			here.Environment = ""
			l.ignored(here.Range, "A provider that the trust base does not have", "Provider %s counts as production, and nothing is applied to it: the trust base has no such block. "+
				"Have it agreed to there first.", key)
			continue
		case there == nil:
			l.refuse(hclRange(here.Range), diag.ExitError, "A provider that the trust base does not have", "Provider %s is not in the trust base, so nothing is sent to it.%s", key, merge)
			continue
		case !here.Attrs.Equal(there.Attrs):
			l.differs("Provider "+key, here.Range, there.Range, diag.ExitError)
		case !raised && here.Environment != there.Environment:
			l.refuse(hclRange(here.Range), diag.ExitError, "The environment is bound", "Provider %s is %s in the trust base, at %s:%d; a workspace may raise that to production, and not make it %q.%s",
				key, cmp.Or(there.Environment, lifecycle.Production), there.Range.Filename, there.Range.Start.Line, here.Environment, merge)
		}
		taken := *there
		taken.Range = here.Range
		if raised {
			taken.Environment = here.Environment
		}
		l.ws.Providers[key] = &taken
	}
	for _, key := range keys(base.Providers) {
		if _, repeated := l.ws.Providers[key]; repeated || base.Providers[key] == nil {
			continue
		}
		l.ws.Providers[key] = base.Providers[key]
		l.managed(base.Providers[key])
	}
}

// managed keeps stores away from what a provider of the base writes to.
func (l *loader) managed(p *ProviderBlock) {
	for _, a := range l.opts.Registry.Provider(p.Type).Schema.Attributes {
		if path := p.Attrs.Path(a.Name); a.Writes && path.Absolute != "" {
			l.targets = append(l.targets, protected{path.Absolute, "what provider " + p.Key() + " manages"})
		}
	}
}

// bindSecrets keeps secrets from a notifier that only the workspace has: it could
// send them anywhere.
func (l *loader) bindSecrets(f *form, key string) {
	if l.opts.Base == nil || slices.ContainsFunc(l.opts.Base.Notifiers, func(b *Block) bool { return b.Key() == key }) {
		return
	}
	for i := range f.slots {
		if sl := &f.slots[i]; sl.expr != nil && sensitiveExpr(sl.expr, l.ctx) {
			l.fault(sl.at, "A secret for a notifier that the trust base does not have", "Notifier %s is not in the trust base, and so is given no sensitive value: it could send it anywhere.%s", key, merge)
		}
	}
}

// bindNotifiers adds the base's notifiers, which no step leaves out.
func (l *loader) bindNotifiers() {
	if l.opts.Base != nil {
		l.ws.Notifiers = l.bindBlocks("Notifier", l.ws.Notifiers, l.opts.Base.Notifiers)
	}
}

// bindBlocks gives the base's blocks and those that only the workspace has.
func (l *loader) bindBlocks(kind string, ours, base []*Block) []*Block {
	var out []*Block
	have := map[string]*Block{}
	for _, there := range base {
		bound := *there
		bound.Bound = true
		have[there.Key()] = there
		out = append(out, &bound)
	}
	for _, here := range ours {
		there := have[here.Key()]
		if there == nil {
			out = append(out, here)
		} else if !here.Attrs.Equal(there.Attrs) {
			l.differs(kind+" "+here.Key(), here.Range, there.Range, diag.ExitError)
		}
	}
	return out
}

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
// its credentials and those that it allows, each once.
func (w *Workspace) Commands() []*Block {
	var out []*Block
	seen := map[*Block]bool{}
	said := map[string]bool{}
	add := func(b *Block) {
		line := b.print()
		if !said[line] {
			out = append(out, b)
		}
		seen[b], said[line] = true, true
	}
	for _, b := range w.Allowed {
		add(b)
	}
	for _, c := range w.Credentials {
		for _, b := range c.Consumers {
			if !seen[b] { // instances share what does not vary
				add(b)
			}
		}
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

// lowering refuses an environment below production that the base's provider block
// does not say.
func (l *loader) lowering(c *credentialBlock, a addrs.Credential, said string) {
	at := c.block.Body.Attributes["environment"]
	if at == nil || c.lowered(a) {
		return
	}
	l.fault(at.Expr.Range(), "The environment is bound", "Under a trust base only a provider block there says that something is less than production; %s cannot make itself %q. "+
		"Remove the line, or use a provider block that is %q in the trust base.", a, said, said)
}
