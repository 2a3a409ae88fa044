package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// body reads expressions in the order in which they are evaluated.
func (r *reading) body(body ast.Body, s *scope) {
	for _, expr := range body {
		if r.over {
			return
		}
		r.at(expr.Location)
		switch x := expr.Terms.(type) {
		case *ast.Term:
			r.term(x, s)
		case []*ast.Term:
			r.call(expr, s)
		case *ast.Every:
			domain := r.term(x.Domain, s)
			in := inner(s)
			if x.Key != nil {
				r.bind(x.Key, domain.under(), in)
			}
			r.bind(x.Value, domain.values(), in)
			r.body(x.Body, in)
		case *ast.Not:
			r.body(x.Body, inner(s))
		}
	}
}

// call reads what a builtin or a function is given, and binds what it gives.
func (r *reading) call(expr *ast.Expr, s *scope) {
	name, operands := expr.Operator().String(), expr.Operands()
	defer func(was bool) { r.present = was }(r.present)
	r.present = name == ast.NotEqual.Name && !expr.Negated || name == ast.Equality.Name && expr.Negated
	switch {
	case (name == ast.Equality.Name || name == ast.Assign.Name || name == ast.Equal.Name) && len(operands) == 2:
		r.unify(operands[0], operands[1], s)
		return
	case name == ast.Member.Name && len(operands) == 2:
		in := r.term(operands[1], s)
		r.bind(operands[0], in.values(), s)
		return
	case name == ast.MemberWithKey.Name && len(operands) == 3:
		in := r.term(operands[2], s)
		r.bind(operands[0], in.under(), s)
		r.bind(operands[1], in.values(), s)
		return
	}
	rules := r.compiler.GetRulesExact(expr.Operator())
	arity := r.compiler.GetArity(expr.Operator())
	if arity < 0 || arity > len(operands) {
		arity = len(operands)
	}
	given := make([]*guise, arity)
	for i := range given {
		given[i] = r.term(operands[i], s)
	}
	var out *guise
	if r.at(expr.Location); len(rules) > 0 && len(rules[0].Head.Args) == arity {
		out = r.clauses(rules, given)
	} else {
		out = r.builtin(name, given, operands)
	}
	for _, operand := range operands[arity:] {
		r.bind(operand, out, s)
	}
}

// equal takes note of texts that are compared with what they may be, or may not.
func (r *reading) equal(a, b *guise) {
	if r.step(1 + len(a.of) + len(b.of)); r.over {
		return
	}
	r.texts(a, b, false)
	r.texts(b, a, false)
	for _, x := range a.of {
		for _, y := range b.of {
			r.composites(x, y)
		}
	}
}

// composites compares the parts of two sets, lists or objects.
func (r *reading) composites(x, y *variant) {
	switch {
	case x.is == isSet && y.is == isSet:
		r.equal(x.elem, y.elem)
	case x.is == isList && y.is == isList:
		for i := range max(len(x.elems), len(y.elems)) {
			r.equal(guiseOf(x).position(i), guiseOf(y).position(i))
		}
		if x.elem != nil && y.elem != nil {
			r.equal(x.elem, y.elem)
		}
	case x.is == isObject && y.is == isObject:
		for name, m := range x.members {
			if other := y.members[name]; other != nil && m.never() == "" && other.never() == "" {
				r.equal(m, other)
			}
		}
	}
}

// lookup takes note of keys that are looked up among others. A table may have more of
// them than occur; one that is nearly a word, and beside which the word is missing, is misspelt.
func (r *reading) lookup(among, key *guise) {
	r.step(1 + len(among.of) + len(key.of))
	r.texts(key, among, false)
	r.texts(among, key, true)
}

// texts takes note of the literals of a, by what b may be.
func (r *reading) texts(a, b *guise, table bool) {
	if len(b.of) == 0 || !slices.ContainsFunc(a.of, func(x *variant) bool { return x.is == isLiteral }) {
		return
	}
	closed := !b.open() && slices.ContainsFunc(b.of, func(x *variant) bool { return x.is == isWord })
	for _, x := range a.of {
		if x.is != isLiteral {
			continue
		}
		where := placeAt(x.at, -1, x.text)
		switch {
		case b.mayBe(x.text):
			r.found.fits(where)
		case !closed, r.present && x.text == "": // it asks whether there is one at all
		case (table || x.spare) && (nearest(x.text, vocabulary(b)) == "" || a.mayBe(nearest(x.text, vocabulary(b)))):
		default:
			r.found.misses(where, func() misfit { return noWord(x.at, x.text, b) })
		}
	}
}

// ordered refuses to compare strengths as texts.
func (r *reading) ordered(name string, given []*guise) {
	strength := func(s *guise) bool {
		return !s.open() && slices.ContainsFunc(s.of, func(x *variant) bool { return x.is == isWord && strings.HasSuffix(x.words.of, ".strength") })
	}
	loc := r.here
	where := placeAt(loc, -2, name)
	if !slices.ContainsFunc(given, strength) {
		r.found.fits(where)
		return
	}
	r.found.misses(where, func() misfit {
		return misfit{loc, "Strengths have no order in Rego", fmt.Sprintf(`%s compares strengths as texts, and as texts "none" comes after "aal2". `+
			"List those that will do, as in `input.verification.strength in {\"aal2\", \"aal3\"}`.", name)}
	})
}
