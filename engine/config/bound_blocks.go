package config

import (
	"cmp"
	"slices"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
)

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
			l.refuse(hclRange(here.Range), diag.ExitDenied, "The environment is bound", "Provider %s is %s in the trust base, at %s:%d; a workspace may raise that to production, and not make it %q.%s",
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
