package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/provider"
)

// readStore reads a store block and settles which field it takes.
func (l *loader) readStore(c *credentialBlock, b *hclsyntax.Block, s scope, varying []string, seen map[string]hcl.Range) *decodedBlock {
	if !l.nestedName(b, `store "TYPE" "NAME"`, seen) {
		return nil
	}
	def := l.opts.Registry.Store(b.Labels[0])
	if def == nil {
		l.fault(b.LabelRanges[0], "There is no such store", "No kind of store is called %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Stores()))
		return nil
	}
	l.noBlocks(b.Body, "Store "+b.Labels[0])
	d := &decodedBlock{block: b, at: rangeOf(b)}
	d.form = l.form(b.Body, b.DefRange(), "Store "+b.Labels[0], def.Schema, []string{"field"}, s, varying...)
	d.field = l.field(c.typ, b, s)
	return d
}

// field is what a store takes: what it names, or the only one there is.
func (l *loader) field(t *provider.CredentialType, b *hclsyntax.Block, s scope) string {
	names := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		names[i] = f.Name
	}
	a := b.Body.Attributes["field"]
	if a == nil {
		if len(names) == 1 {
			return names[0]
		}
		l.fault(b.DefRange(), "Which field?", "A secret of type %s has several fields, and a store takes one. Add field = %s.", t.Name, oneOf(names))
		return ""
	}
	s = plainScope()
	s.what = "`field`"
	v, ok := l.eval(a.Expr, s, l.ctx)
	if !ok {
		return ""
	}
	got, err := l.goValue(v, provider.Attribute{Name: "field", Type: provider.String})
	name, _ := got.(string)
	if _, known := t.Field(name); err != nil || !known {
		l.fault(a.Expr.Range(), "A store that this type cannot fill", "A secret of type %s has no field %s.%s", t.Name, quoted(name), suggest(name, names))
	}
	return name
}

// readConsumer reads a consumer block.
func (l *loader) readConsumer(b *hclsyntax.Block, s scope, varying []string, seen map[string]hcl.Range) *decodedBlock {
	if !l.nestedName(b, `consumer "TYPE" "NAME"`, seen) {
		return nil
	}
	def := l.opts.Registry.Consumer(b.Labels[0])
	if def == nil {
		l.fault(b.LabelRanges[0], "There is no such consumer", "No kind of consumer is called %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Consumers()))
		return nil
	}
	l.noBlocks(b.Body, "Consumer "+b.Labels[0])
	d := &decodedBlock{block: b, at: rangeOf(b)}
	d.form = l.form(b.Body, b.DefRange(), "Consumer "+b.Labels[0], def.Schema, nil, s, varying...)
	return d
}

// nestedName checks labels and that no sibling has the same.
func (l *loader) nestedName(b *hclsyntax.Block, form string, seen map[string]hcl.Range) bool {
	if !l.labelled(b, form) {
		return false
	}
	key := b.Type + " " + strings.Join(b.Labels, ".")
	if before, taken := seen[key]; taken {
		l.fault(b.DefRange(), "Declared twice", "%s is already declared at %s:%d. Rename one of the two, or remove it.", key, before.Filename, before.Start.Line)
		return false
	}
	seen[key] = b.DefRange()
	return true
}

// nested evaluates a store or consumer for one instance; what does not vary is
// shared between all.
func (l *loader) nested(d *decodedBlock, ctx *hcl.EvalContext, address string) *Block {
	if d.shared != nil {
		return d.shared
	}
	got, _ := l.fill(d.form, ctx, address)
	l.unknowns(d.form, got)
	l.checkWrites(d.form, got, "", false)
	out := &Block{Type: d.block.Labels[0], Name: d.block.Labels[1], Field: d.field, Attrs: provider.NewAttrs(got), Range: d.at}
	if !d.form.varies {
		d.shared = out
	}
	return out
}
