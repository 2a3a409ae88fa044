package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
)

// maxOpened is how many calls of its own functions a source may have that are looked
// into, and maxNested how deep: OPA's checker takes twice as long for each level. Where
// there are more, or deeper ones, none is: one that was left out might have given what
// the others do not.
const (
	maxOpened = 2000
	maxNested = 6
)

// opener writes rules so that OPA's type checker sees all of them. By itself it looks
// neither into the bodies of `every`, nor at members of what a function is given, which
// has no type there: a misspelt one is undefined, and the rule never holds.
type opener struct {
	compiler *ast.Compiler
	calls    int                   // and everies, that were opened
	clauses  map[*ast.Rule]int     // how often each clause of a function was opened
	given    map[ast.Var]*ast.Rule // whose a renamed variable is
	names    map[ast.Var]ast.Var   // and what it was called
	nested   map[*ast.Expr]int     // how deep a body is, by its first expression
}

// checkUntyped refuses misspelt members in the bodies of `every` and of functions. A
// function may be given things of several kinds: a member that one of them has is no fault.
func (f *folder) checkUntyped(c *ast.Compiler) diag.Diagnostics {
	o := &opener{compiler: c, clauses: map[*ast.Rule]int{}, given: map[ast.Var]*ast.Rule{}, names: map[ast.Var]ast.Var{}, nested: map[*ast.Expr]int{}}
	var opened []ast.Body
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		for _, rule := range c.Modules[name].Rules {
			for ; rule != nil && len(rule.Head.Args) == 0; rule = rule.Else {
				before := o.calls
				body, err := ast.Transform(ast.NewGenericTransformer(o.beside), rule.Body.Copy())
				if err != nil || o.calls > maxOpened {
					return nil
				}
				if o.calls > before {
					opened = append(opened, body.(ast.Body))
				}
			}
		}
	}
	if faults := o.faults(opened); len(faults) > 0 {
		return f.texts.fromOPA(f.source.Name, notCompiled, faults)
	}
	return nil
}

// beside puts what is not looked into beside the expressions of a body, as a
// comprehension. What it puts there is transformed likewise.
func (o *opener) beside(x any) (any, error) {
	body, ok := x.(ast.Body)
	if !ok || len(body) == 0 {
		return x, nil
	}
	var out ast.Body
	looked := func(inner ast.Body) {
		if o.nested[body[0]] == maxNested {
			o.calls = maxOpened + 1
			return
		}
		o.nested[inner[0]] = o.nested[body[0]] + 1
		out.Append(ast.NewExpr(ast.ArrayComprehensionTerm(ast.BooleanTerm(true), inner)).SetLocation(inner.Loc()))
	}
	for _, expr := range body {
		if every, ok := expr.Terms.(*ast.Every); ok {
			looked(o.each(every))
			continue
		}
		out.Append(expr)
		if !expr.IsCall() {
			continue
		}
		for _, rule := range o.compiler.GetRulesExact(expr.Operator()) {
			for ; rule != nil; rule = rule.Else {
				if n := len(rule.Head.Args); n > 0 && n <= len(expr.Operands()) && o.calls <= maxOpened {
					inner, err := o.body(rule, expr.Operands()[:n])
					if err != nil {
						return nil, err
					}
					looked(inner)
				}
			}
		}
	}
	return out, nil
}

// each is the body of every, for what it is about.
func (o *opener) each(every *ast.Every) ast.Body {
	o.calls++
	domain := ast.VarTerm(fmt.Sprintf("__domain%d__", o.calls))
	key := every.Key
	if key == nil {
		key = ast.VarTerm(fmt.Sprintf("__key%d__", o.calls))
	}
	out := ast.NewBody(
		ast.Equality.Expr(domain, every.Domain),
		ast.Equality.Expr(every.Value, ast.RefTerm(domain, key)),
	)
	for _, expr := range every.Body {
		out.Append(expr)
	}
	return out
}

// body is that of a clause of a function, given operands, with variables of its own.
func (o *opener) body(rule *ast.Rule, operands []*ast.Term) (ast.Body, error) {
	o.calls++
	o.clauses[rule]++
	copied := rule.Copy()
	own := copied.Body.Vars(ast.VarVisitorParams{SkipRefCallHead: true})
	for _, arg := range copied.Head.Args {
		own.Update(ast.Body{ast.NewExpr(arg)}.Vars(ast.VarVisitorParams{}))
	}
	rename := func(v ast.Var) (ast.Value, error) {
		if !own.Contains(v) || ast.RootDocumentNames.Contains(ast.NewTerm(v)) {
			return v, nil
		}
		renamed := ast.Var(fmt.Sprintf("__given%d__%s", o.calls, v))
		o.given[renamed], o.names[renamed] = rule, v
		return renamed, nil
	}
	var out ast.Body
	for i, arg := range copied.Head.Args {
		renamed, err := ast.TransformVars(ast.NewExpr(arg), rename)
		if err != nil {
			return nil, err
		}
		out.Append(ast.Equality.Expr(renamed.(*ast.Expr).Terms.(*ast.Term), operands[i]).SetLocation(rule.Location))
	}
	inner, err := ast.TransformVars(copied.Body, rename)
	if err != nil {
		return nil, err
	}
	for _, expr := range inner.(ast.Body) {
		out.Append(expr)
	}
	return out, nil
}

// faults are the misspelt members in bodies that no caller gives.
func (o *opener) faults(bodies []ast.Body) ast.Errors {
	type place struct {
		file     string
		row, col int
		ref      string
	}
	var out ast.Errors
	misses := map[place]int{}
	for _, body := range bodies {
		_, err := o.compiler.QueryCompiler().Compile(body)
		var list ast.Errors
		if !errors.As(err, &list) {
			continue
		}
		for _, e := range list {
			detail, ok := e.Details.(*ast.RefErrInvalidDetail)
			if !ok || e.Location == nil {
				continue
			}
			head, _ := detail.Ref[0].Value.(ast.Var)
			rule := o.given[head]
			shown := o.shown(e, detail)
			at := place{e.Location.File, e.Location.Row, e.Location.Col, shown.Message}
			misses[at]++
			if rule == nil && misses[at] == 1 || rule != nil && misses[at] == o.clauses[rule] {
				out = append(out, shown)
			}
		}
	}
	return out
}

// shown is e with the name that the rule has for a variable.
func (o *opener) shown(e *ast.Error, detail *ast.RefErrInvalidDetail) *ast.Error {
	out, d := *e, *detail
	d.Ref = slices.Clone(detail.Ref)
	if v, ok := d.Ref[0].Value.(ast.Var); ok {
		if was, ok := o.names[v]; ok {
			v = was
		}
		if was, ok := o.compiler.RewrittenVars[v]; ok {
			v = was
		}
		d.Ref[0] = ast.NewTerm(v)
	}
	out.Details, out.Message = &d, fmt.Sprintf("undefined ref: %v", d.Ref)
	return &out
}
