package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Expand evaluates the runbook for one credential: the steps that the mode has,
// in its order, a phase that repeats twice over, for_each expanded and `when`
// decided. It is safe for concurrent use and shares what does not vary.
func (r *Runbook) Expand(c *Credential, reset Reset) ([]Step, diag.Diagnostics) {
	x := expansion{r: r, c: c, reset: reset, seen: map[string][]addrs.Step{}}
	return x.all()
}

// expansion is one Expand under way.
type expansion struct {
	r     *Runbook
	c     *Credential
	reset Reset
	ctx   *hcl.EvalContext // made when first needed
	l     *loader          // evaluates; made when first needed
	seen  map[string][]addrs.Step
	// bare is set where only `when` is decided, for a reset that nobody has asked for
	// yet: its ticket and requester are unknown.
	bare bool
}

func (x *expansion) all() ([]Step, diag.Diagnostics) {
	count := map[lifecycle.Phase]int{}
	out := make([]Step, 0, len(x.r.steps)+len(x.c.Stores)+len(x.c.Consumers)+2)
	for _, p := range x.reset.Mode.Order() {
		count[p]++
		for _, s := range x.r.steps {
			if s.base.Phase == p {
				out = x.step(out, s, count[p])
			}
		}
	}
	if x.l != nil && x.l.diags.HasErrors() {
		return nil, x.l.diags
	}
	return out, nil
}

func (x *expansion) step(out []Step, s *step, nth int) []Step {
	st := s.base
	if nth > 1 {
		st.Addr.Nth = nth
	}
	if x.reset.Mode == lifecycle.Retire && st.Phase == lifecycle.Distribute {
		st.Secret = nil
	}
	for _, d := range s.depends {
		st.DependsOn = append(st.DependsOn, x.seen[d.name()]...)
	}
	switch s.each {
	case "stores":
		for _, b := range x.c.Stores {
			one := st
			one.Store = b
			out = x.one(out, s, one, b)
		}
	case "consumers":
		for _, b := range x.c.Consumers {
			one := st
			one.Consumer = b
			out = x.one(out, s, one, b)
		}
	default:
		out = x.one(out, s, st, nil)
	}
	return out
}

// one evaluates what varies in a step, and keeps it if its `when` holds.
func (x *expansion) one(out []Step, s *step, st Step, each *Block) []Step {
	if each != nil {
		st.Addr.Key, st.Addr.HasKey = each.Key(), true
	}
	if s.when != nil && !x.when(s, each) {
		return out
	}
	if x.bare {
		return append(out, st)
	}
	if s.form.varies {
		x.fill(s.form, each, func(name string, v any) { st.apply(name, v) })
	}
	if s.args != nil && s.args.varies {
		got := map[string]any{}
		x.fill(s.args, each, func(name string, v any) { got[name] = v })
		st.Args = provider.NewAttrs(got)
	}
	if slices.ContainsFunc(x.r.steps, func(o *step) bool { return slices.Contains(o.depends, s) }) {
		x.seen[s.name()] = append(x.seen[s.name()], st.Addr)
	}
	return append(out, st)
}

// fill evaluates a form's attributes and hands them to set.
func (x *expansion) fill(f *form, each *Block, set func(string, any)) {
	for i := range f.slots {
		sl := f.slots[i] // a copy: forms are shared
		v := sl.value
		if sl.vary {
			given, ok := x.quick(sl.expr)
			if !ok {
				given, _ = x.loader().slotValue(&sl, x.context(each), x.c.Addr.String())
			}
			if given != nil {
				v = given
			}
		}
		if v != nil {
			set(sl.attr.Name, v)
		}
	}
}

// quick reads the plain names without evaluating anything.
func (x *expansion) quick(e hclsyntax.Expression) (any, bool) {
	t := traversal(e)
	if len(t) != 2 || t.RootName() != "credential" {
		return nil, false
	}
	switch name, _ := stepName(t[1]); name {
	case "owner":
		return x.c.Owner, true
	case "environment":
		return x.c.Environment, true
	}
	return nil, false
}

func (x *expansion) when(s *step, each *Block) bool {
	l := x.loader()
	v, ok := l.value(s.when, x.context(each))
	if !ok {
		return false
	}
	hidden := v.ContainsMarked()
	v, _ = v.UnmarkDeep()
	switch {
	case hidden:
		l.fault(s.when.Range(), "A sensitive condition", "`when` must not depend on a sensitive value: what a plan shows would give it away.")
	case v.IsNull() || v.Type() != cty.Bool && v.IsKnown():
		l.fault(s.when.Range(), "A value does not fit", "`when` must be true or false, and is %s.", kindOf(v))
	case !v.IsKnown():
		return true // offline: the step may run
	default:
		return v.True()
	}
	return false
}

// loader evaluates for this expansion alone.
func (x *expansion) loader() *loader {
	if x.l == nil {
		x.r.budget.grant(1)
		x.l = &loader{files: x.r.files, ctx: x.r.ctx, paths: x.r.paths.fresh()}
	}
	return x.l
}

// context is what the step's expressions see.
func (x *expansion) context(each *Block) *hcl.EvalContext {
	if x.ctx == nil {
		x.ctx = x.r.ctx.NewChild()
		ticket, requester := cty.StringVal(x.reset.Ticket), cty.StringVal(x.reset.Requester)
		if x.bare {
			ticket, requester = cty.UnknownVal(cty.String), cty.UnknownVal(cty.String)
		}
		credential := cty.DynamicVal
		if !x.c.unsaid {
			credential = credentialValue(x.c)
		}
		x.ctx.Variables = map[string]cty.Value{
			"credential": credential,
			"reset": cty.ObjectVal(map[string]cty.Value{
				"reason": cty.StringVal(string(x.reset.Reason)), "mode": cty.StringVal(string(x.reset.Mode)),
				"ticket": ticket, "requester": requester,
			}),
		}
	}
	if each == nil {
		return x.ctx
	}
	ctx := x.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{
		"key": cty.StringVal(each.Key()), "value": blockValue(each),
	})}
	return ctx
}

// credentialValue is a credential as expressions see it: nothing sensitive.
func credentialValue(c *Credential) cty.Value {
	out := map[string]cty.Value{
		"type": cty.StringVal(c.Addr.Type), "name": cty.StringVal(c.Addr.Name), "key": cty.StringVal(c.Addr.Key),
		"address": cty.StringVal(c.Addr.String()), "owner": cty.StringVal(c.Owner), "environment": cty.StringVal(c.Environment),
		"labels": mapValue(c.Labels), "stores": blocksValue(c.Stores), "consumers": blocksValue(c.Consumers),
	}
	for _, a := range c.Type.Schema.Attributes {
		if _, taken := out[a.Name]; !taken && !a.Sensitive {
			out[a.Name] = attrValue(c.Attrs, a)
		}
	}
	return cty.ObjectVal(out)
}

func attrValue(attrs provider.Attrs, a provider.Attribute) cty.Value {
	if !attrs.Has(a.Name) {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	switch a.Type {
	case provider.Int:
		return cty.NumberIntVal(attrs.Int(a.Name))
	case provider.Bool:
		return cty.BoolVal(attrs.Bool(a.Name))
	case provider.Duration:
		return cty.StringVal(attrs.Duration(a.Name).String())
	case provider.PathType:
		return cty.StringVal(attrs.Path(a.Name).Written)
	case provider.StringMap:
		return mapValue(attrs.Map(a.Name))
	case provider.StringList:
		var out []cty.Value
		for _, s := range attrs.Strings(a.Name) {
			out = append(out, cty.StringVal(s))
		}
		return cty.TupleVal(out)
	}
	return cty.StringVal(attrs.String(a.Name))
}

func mapValue(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	out := make(map[string]cty.Value, len(m))
	for k, v := range m {
		out[k] = cty.StringVal(v)
	}
	return cty.MapVal(out)
}

func blocksValue(list []*Block) cty.Value {
	out := make(map[string]cty.Value, len(list))
	for _, b := range list {
		out[b.Key()] = blockValue(b)
	}
	return cty.ObjectVal(out)
}

func blockValue(b *Block) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"type": cty.StringVal(b.Type), "name": cty.StringVal(b.Name), "field": cty.StringVal(b.Field)})
}
