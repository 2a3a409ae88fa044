package config

import (
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// sensitive marks values that only a secret's place may take.
const sensitive = mark("sensitive")

type mark string

// tryFunction gives the first argument that can be evaluated. If one that
// could not depends on something sensitive, so does the answer.
func tryFunction() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) == 0 {
				return cty.DynamicVal, errors.New("at least one expression is needed")
			}
			hidden := false
			for _, arg := range args {
				v, ok, s := attempt(arg)
				if hidden = hidden || s; !ok {
					continue
				}
				if hidden {
					v = v.Mark(sensitive)
				}
				return v, nil
			}
			return cty.DynamicVal, errors.New("none of the expressions can be evaluated")
		},
	})
}

// canFunction tells whether its argument can be evaluated.
func canFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "expression", Type: customdecode.ExpressionClosureType}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, ok, hidden := attempt(args[0])
			out := cty.BoolVal(ok)
			if ok && !v.IsWhollyKnown() {
				out = cty.UnknownVal(cty.Bool)
			}
			if hidden {
				out = out.Mark(sensitive)
			}
			return out, nil
		},
	})
}

// attempt evaluates a closure; hidden is whether anything sensitive has a part in it.
func attempt(arg cty.Value) (v cty.Value, ok, hidden bool) {
	closure := customdecode.ExpressionClosureFromVal(arg)
	for _, t := range closure.Expression.Variables() {
		if used, diags := t.TraverseAbs(closure.EvalContext); diags.HasErrors() || used.ContainsMarked() {
			root := closure.EvalContext
			for ; root != nil; root = root.Parent() {
				if rv, found := root.Variables[t.RootName()]; found {
					hidden = hidden || rv.ContainsMarked()
					break
				}
			}
		}
	}
	v, diags := closure.Value()
	for _, d := range diags {
		if strings.HasPrefix(d.Summary, "Too much") { // the budget cannot be tried away
			return v, true, hidden
		}
	}
	return v, !diags.HasErrors(), hidden
}
