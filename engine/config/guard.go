package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// guarded is an expression whose every evaluation is charged to a budget: HCL
// itself would go on for hours over three nested for expressions. It wraps a
// ParenthesesExpr so that walks still see what is inside.
type guarded struct {
	*hclsyntax.ParenthesesExpr
	budget *budget
	// deep is set where a value is made or walked, not only handed on.
	deep bool
	// branch is set for what a conditional chooses from: it brings both under one type.
	branch bool
	// compared is set for what is held against another value, number for what is turned into
	// a number if it is text.
	compared, number bool
	// weight is what each value made costs beside its parts, each what its elements do.
	weight, each int
}

// Value evaluates what is inside, charges it, and refuses what is too large.
func (g *guarded) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if err := g.budget.spend(costEval); err != nil {
		return cty.DynamicVal, g.refuse(err)
	}
	v, diags := g.Expression.Value(ctx)
	if diags.HasErrors() {
		return v, diags
	}
	err := g.budget.value(v, g.deep)
	if err == nil && g.weight > 0 {
		err = g.budget.spend(g.weight)
	}
	if err == nil {
		err = g.budget.each(v, g.each)
	}
	if err == nil && g.compared {
		err = g.budget.charge(comparing(v))
	}
	if err == nil && g.number {
		err = digits(v)
	}
	if err == nil && g.branch {
		v = uniform(v, true)
		err = g.budget.unify(v.Type())
	}
	if err != nil {
		return cty.DynamicVal, append(diags, g.refuse(err)...)
	}
	return v, diags
}

func (g *guarded) refuse(err error) hcl.Diagnostics {
	return hcl.Diagnostics{refusal("Too much to evaluate", sentence(err.Error()), g.SrcRange)}
}

// UnwrapExpression lets HCL find names and traversals inside.
func (g *guarded) UnwrapExpression() hcl.Expression { return g.Expression }

// guard puts every expression of a body under the load's budget.
func (l *loader) guard(body *hclsyntax.Body) {
	for _, a := range body.Attributes {
		a.Expr = l.guardExpr(a.Expr)
	}
	for _, b := range body.Blocks {
		l.guard(b.Body)
	}
}

func (l *loader) guardExpr(e hclsyntax.Expression) hclsyntax.Expression {
	all := func(list []hclsyntax.Expression) {
		for i := range list {
			list[i] = l.guardExpr(list[i])
		}
	}
	deep, weight, each := false, 0, 0
	switch e := e.(type) {
	case nil:
		return nil
	case *hclsyntax.LiteralValueExpr, *hclsyntax.AnonSymbolExpr:
		return e
	case *hclsyntax.ObjectConsKeyExpr:
		if hcl.ExprAsKeyword(e.Wrapped) == "" {
			e.Wrapped = l.guardExpr(e.Wrapped)
		}
		return e
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			return e
		}
		all(e.Parts)
	case *hclsyntax.TemplateWrapExpr:
		e.Wrapped = l.guardExpr(e.Wrapped)
	case *hclsyntax.TemplateJoinExpr:
		deep = true
		e.Tuple = l.guardExpr(e.Tuple)
	case *hclsyntax.ParenthesesExpr:
		e.Expression = l.guardExpr(e.Expression)
		return e
	case *hclsyntax.RelativeTraversalExpr:
		e.Source = l.guardExpr(e.Source)
	case *hclsyntax.FunctionCallExpr:
		deep = true
		if e.Name == "range" {
			each = costEach
		}
		all(e.Args)
	case *hclsyntax.ConditionalExpr:
		deep = true
		e.Condition, e.TrueResult, e.FalseResult = l.guardExpr(e.Condition), l.branch(e.TrueResult), l.branch(e.FalseResult)
	case *hclsyntax.IndexExpr:
		e.Collection, e.Key = l.guardExpr(e.Collection), l.number(e.Key)
	case *hclsyntax.TupleConsExpr:
		deep = true
		all(e.Exprs)
	case *hclsyntax.ObjectConsExpr:
		deep, weight = true, costObject
		for i := range e.Items {
			e.Items[i].KeyExpr, e.Items[i].ValueExpr = l.guardExpr(e.Items[i].KeyExpr), l.guardExpr(e.Items[i].ValueExpr)
		}
	case *hclsyntax.ForExpr:
		deep, each = true, costEach
		e.CollExpr, e.KeyExpr, e.ValExpr, e.CondExpr = l.guardExpr(e.CollExpr), l.guardExpr(e.KeyExpr), l.guardExpr(e.ValExpr), l.guardExpr(e.CondExpr)
	case *hclsyntax.SplatExpr:
		deep = true
		e.Source, e.Each = l.guardExpr(e.Source), l.guardExpr(e.Each)
	case *hclsyntax.BinaryOpExpr:
		deep = true
		switch e.Op {
		case hclsyntax.OpEqual, hclsyntax.OpNotEqual: // they walk both
			e.LHS, e.RHS = l.compared(e.LHS), l.compared(e.RHS)
		case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
			e.LHS, e.RHS = l.guardExpr(e.LHS), l.guardExpr(e.RHS)
		default:
			e.LHS, e.RHS = l.number(e.LHS), l.number(e.RHS)
		}
	case *hclsyntax.UnaryOpExpr:
		deep = true
		e.Val = l.number(e.Val)
	}
	return &guarded{ParenthesesExpr: &hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, budget: l.budget, deep: deep, weight: weight, each: each}
}

// branch guards one of the two results of a conditional.
func (l *loader) branch(e hclsyntax.Expression) hclsyntax.Expression {
	e = l.guardExpr(e)
	if g, ok := e.(*guarded); ok {
		g.branch = true
	}
	return e
}

// compared guards one of two values that are held against each other.
func (l *loader) compared(e hclsyntax.Expression) hclsyntax.Expression {
	e = l.guardExpr(e)
	if g, ok := e.(*guarded); ok {
		g.deep, g.compared = true, true
	}
	return e
}

// number guards what is turned into a number, a literal text too.
func (l *loader) number(e hclsyntax.Expression) hclsyntax.Expression {
	e = l.guardExpr(e)
	g, ok := e.(*guarded)
	if _, literal := e.(*hclsyntax.TemplateExpr); literal {
		g, ok = &guarded{ParenthesesExpr: &hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, budget: l.budget}, true
	}
	if !ok {
		return e
	}
	g.number = true
	return g
}
