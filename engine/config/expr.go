package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/remint-dev/remint/engine/addrs"
)

// scope says what expressions at one place may use.
type scope struct {
	// names are the roots that exist there, each with its attributes; nil
	// attributes are checked elsewhere (var, local) or not at all.
	names map[string][]string
	// what is the place, for messages: "a description".
	what string
	// secret is set where an unquoted secret could be taken for a name, and no name is quoted.
	secret bool
}

// plainScope is of everything that stands outside of for_each and runbooks.
func plainScope() scope { return scope{names: map[string][]string{"var": nil, "local": nil}} }

func (s scope) with(name string, attrs ...string) scope {
	out := scope{names: map[string][]string{name: attrs}, what: s.what, secret: s.secret}
	for k, v := range s.names {
		out.names[k] = v
	}
	return out
}

// check finds what is wrong with an expression before it is evaluated: names
// and functions that do not exist, secrets where none may stand.
func (l *loader) check(e hclsyntax.Expression, s scope) bool {
	ok := true
	for _, t := range e.Variables() {
		ok = l.checkName(t, s) && ok
	}
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		call, is := n.(*hclsyntax.FunctionCallExpr)
		if !is {
			return nil
		}
		_, known := l.ctx.Functions[call.Name]
		switch {
		case !known && s.secret:
			l.unquoted(call.NameRange, "There is no such function")
			ok = false
		case !known:
			l.fault(call.NameRange, "There is no such function", "There is no function %q.%s", addrs.Visible(call.Name), suggest(call.Name, keys(l.ctx.Functions)))
			ok = false
		}
		return nil
	})
	return ok
}

func (l *loader) checkName(t hcl.Traversal, s scope) bool {
	root := t.RootName()
	attrs, known := s.names[root]
	switch {
	case root == "issue" && !known:
		where := "here"
		if s.what != "" {
			where = "in " + s.what
		}
		l.fault(t.SourceRange(), "A secret where none may be", "%s is the new secret; %s it would be shown or written down. It may only stand in the `secret` argument of an install, confirm or distribute step. Remove it.", path(t), where)
		return false
	case root == "each" && !known:
		l.fault(t.SourceRange(), "There is no each here", "each.key and each.value exist only in a block that has a for_each. Add one, or name the value itself.")
		return false
	case !known && s.secret:
		l.unquoted(t.SourceRange(), "Unknown name")
		return false
	case !known:
		l.fault(t.SourceRange(), "Unknown name", "There is no %q here. An expression at this place sees %s; text stands in double quotes.%s", addrs.Visible(root), cmp.Or(join(keys(s.names), "and"), "no names"), meant(root, keys(s.names)))
		return false
	}
	if len(t) < 2 {
		if root == "var" || root == "local" {
			l.fault(t.SourceRange(), "Incomplete name", "Write %s.NAME.", root)
			return false
		}
		return true
	}
	name, static := stepName(t[1])
	if !static {
		return true
	}
	switch root {
	case "var":
		if l.vars[name] == nil {
			l.fault(t.SourceRange(), "Unknown variable", "No variable %q is declared.%s", addrs.Visible(name), suggest(name, keys(l.vars)))
			return false
		}
	case "local":
		if l.locals[name] == nil {
			l.fault(t.SourceRange(), "Unknown local", "No local %q is declared.%s", addrs.Visible(name), suggest(name, keys(l.locals)))
			return false
		}
	default:
		if attrs != nil && !slices.Contains(attrs, name) {
			l.fault(t.SourceRange(), "Unknown name", "There is no %s.%s.%s", root, addrs.Visible(name), suggest(name, attrs))
			return false
		}
	}
	return true
}

// unquoted reports a name that does not exist where it could be a secret without its quotes.
func (l *loader) unquoted(r hcl.Range, summary string) {
	l.fault(r, summary, "What stands here is none, and is not shown, because it could be the secret itself. Text stands in double quotes; better is a variable that is sensitive, as in var.NAME.")
}

func meant(name string, have []string) string {
	if best := nearest(name, have); best != "" {
		return " Did you mean " + best + "?"
	}
	return ""
}

// value evaluates what check has passed. It is not ok when a fault was reported.
func (l *loader) value(e hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, bool) {
	v, diags := e.Value(ctx)
	if diags.HasErrors() {
		l.hcl(diags)
		return cty.DynamicVal, false
	}
	return v, true
}

// eval is check and value.
func (l *loader) eval(e hclsyntax.Expression, s scope, ctx *hcl.EvalContext) (cty.Value, bool) {
	if !l.check(e, s) {
		return cty.DynamicVal, false
	}
	return l.value(e, ctx)
}

// uses reports whether e refers to one of the names.
func uses(e hclsyntax.Expression, names ...string) bool {
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return slices.Contains(names, t.RootName()) })
}

// traversal is e as a static name like postgresql.main, nil if it is none.
func traversal(e hclsyntax.Expression) hcl.Traversal {
	if e, ok := unwrap(e).(*hclsyntax.ScopeTraversalExpr); ok {
		return e.Traversal
	}
	return nil
}

// unwrap takes the guard and parentheses off.
func unwrap(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		switch x := e.(type) {
		case *guarded:
			e = x.Expression
		case *hclsyntax.ParenthesesExpr:
			e = x.Expression
		default:
			return e
		}
	}
}

// stepName is the name in a traversal's step, .name or ["name"].
func stepName(s hcl.Traverser) (string, bool) {
	switch s := s.(type) {
	case hcl.TraverseRoot:
		return s.Name, true
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// path writes a traversal as the user did, as far as it is plain.
func path(t hcl.Traversal) string {
	var b strings.Builder
	for i, s := range t {
		name, ok := stepName(s)
		if !ok {
			break
		}
		switch s.(type) {
		case hcl.TraverseIndex:
			b.WriteString("[" + addrs.Quote(name) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(addrs.Visible(name))
		}
	}
	return b.String()
}
