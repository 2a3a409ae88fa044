package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// local is one named expression of a locals block.
type local struct {
	expr  hclsyntax.Expression
	at    hcl.Range
	value cty.Value
	state int // 0 untouched, 1 under way, 2 done
}

// loadLocals evaluates the locals, each after those that it uses.
func (l *loader) loadLocals() {
	for _, b := range l.blocks["locals"] {
		l.noBlocks(b.Body, "locals")
		for _, a := range sortedAttributes(b.Body) {
			if l.once("local "+quoted(a.Name), a.NameRange) {
				l.locals[a.Name] = &local{expr: a.Expr, at: a.NameRange, value: cty.DynamicVal}
			}
		}
	}
	for _, name := range keys(l.locals) {
		l.resolveLocal(name, nil)
	}
	values := make(map[string]cty.Value, len(l.locals))
	for name, x := range l.locals {
		values[name] = x.value
	}
	l.ctx.Variables["local"] = cty.ObjectVal(values)
}

// resolveLocal evaluates one; path is how it came to be needed.
func (l *loader) resolveLocal(name string, path []string) {
	x := l.locals[name]
	if x.state == 2 {
		return
	}
	path = append(path, "local."+name)
	if x.state == 1 {
		cycle := path[slices.Index(path, "local."+name):]
		l.fault(x.at, "Locals in a circle", "Each of these needs the next one's value: %s. Break the circle.", strings.Join(cycle, " → "))
		x.state = 2
		return
	}
	x.state = 1
	place := plainScope()
	place.what = "a local"
	ok := l.check(x.expr, place)
	used := map[string]cty.Value{}
	for _, t := range x.expr.Variables() {
		if t.RootName() != "local" || len(t) < 2 {
			continue
		}
		if other, static := stepName(t[1]); static && l.locals[other] != nil {
			l.resolveLocal(other, path)
			used[other] = l.locals[other].value
		}
	}
	if x.state == 2 { // it was found to be part of a circle
		return
	}
	if x.state = 2; ok {
		ctx := &hcl.EvalContext{Functions: l.ctx.Functions, Variables: map[string]cty.Value{"var": l.ctx.Variables["var"], "local": cty.ObjectVal(used)}}
		x.value, _ = l.value(x.expr, ctx)
	}
}
