package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/remint-dev/remint/engine/diag"
)

// Select compiles a -where expression, as in `environment == "staging" &&
// labels.tier == "1"`. It sees type, name, key, address, owner, environment,
// labels, provider (as "postgresql.main") and max_age. A label that a
// credential does not have makes the expression false for it. The function is
// for one goroutine.
func (w *Workspace) Select(expr string) (func(*Credential) bool, diag.Diagnostics) {
	const name = "-where"
	src := []byte(expr)
	l := &loader{files: diag.Sources{name: {Bytes: src}}, budget: newBudget()}
	l.ctx = &hcl.EvalContext{Functions: functions(l.budget)}
	l.budget.units.Store(whereUnits)
	l.budget.grant(len(w.Credentials))
	_, found := scan(src, name, &l.tokens)
	var e hclsyntax.Expression
	if !found.HasErrors() {
		e, found = hclsyntax.ParseExpression(src, name, hcl.InitialPos)
	}
	if found.HasErrors() {
		l.hcl(found)
		return nil, l.diags
	}
	e = l.guardExpr(e)
	sc := scope{names: map[string][]string{}}
	for _, n := range []string{"type", "name", "key", "address", "owner", "environment", "labels", "provider", "max_age"} {
		sc.names[n] = nil
	}
	if !l.check(e, sc) {
		return nil, l.diags
	}
	chosen := map[*Credential]bool{}
	for _, c := range w.Credentials {
		l.ctx.Variables = selectable(c)
		v, diags := e.Value(l.ctx)
		if diags.HasErrors() {
			if missingElement(diags) {
				continue
			}
			l.hcl(diags)
			return nil, l.diags
		}
		if v.IsNull() || !v.IsKnown() || v.Type() != cty.Bool {
			l.fault(e.Range(), "A value does not fit", "-where must be true or false for each credential, and for %s is %s. Compare something, as in environment == \"staging\".", c.Addr, kindOf(v))
			return nil, l.diags
		}
		if v.True() {
			chosen[c] = true
		}
	}
	return func(c *Credential) bool { return chosen[c] }, nil
}

func selectable(c *Credential) map[string]cty.Value {
	p, age := "", ""
	if c.Provider != nil {
		p = c.Provider.Key()
	}
	if c.MaxAge > 0 {
		age = c.MaxAge.String()
	}
	return map[string]cty.Value{
		"type": cty.StringVal(c.Addr.Type), "name": cty.StringVal(c.Addr.Name), "key": cty.StringVal(c.Addr.Key),
		"address": cty.StringVal(c.Addr.String()), "owner": cty.StringVal(c.Owner), "environment": cty.StringVal(c.Environment),
		"labels": mapValue(c.Labels), "provider": cty.StringVal(p), "max_age": cty.StringVal(age),
	}
}

// missingElement reports whether all that failed is a label that is not there.
func missingElement(diags hcl.Diagnostics) bool {
	for _, d := range diags {
		if d.Summary != "Missing map element" && d.Summary != "Invalid index" {
			return false
		}
	}
	return true
}
