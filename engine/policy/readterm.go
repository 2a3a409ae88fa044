package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// term is what a term is.
func (r *reading) term(t *ast.Term, s *scope) *guise {
	r.step(1)
	switch v := t.Value.(type) {
	case ast.String:
		at := t.Location
		if at == nil {
			at = r.here
		}
		return literalOf(string(v), at)
	case ast.Boolean, ast.Number, ast.Null:
		return scalar
	case ast.Var:
		if at := s.get(v); at != nil {
			return at
		}
		return unknown
	case ast.Ref:
		return r.ref(v, s)
	case *ast.Array:
		elems := make([]*guise, v.Len())
		for i := range elems {
			elems[i] = r.term(v.Elem(i), s)
		}
		return listOf(elems, nil)
	case ast.Set:
		var elems []*guise
		v.Foreach(func(e *ast.Term) { elems = append(elems, r.term(e, s)) })
		return setOf(unite(elems...))
	case ast.Object:
		return r.object(v, s)
	case *ast.ArrayComprehension:
		in := inner(s)
		r.body(v.Body, in)
		return listOf(nil, r.term(v.Term, in))
	case *ast.SetComprehension:
		in := inner(s)
		r.body(v.Body, in)
		return setOf(r.term(v.Term, in))
	case *ast.ObjectComprehension:
		in := inner(s)
		r.body(v.Body, in)
		return objectOf(nil, r.term(v.Value, in), r.term(v.Key, in))
	}
	return unknown
}

func (r *reading) object(v ast.Object, s *scope) *guise {
	members, names := map[string]*guise{}, []*guise{}
	var rest []*guise
	v.Foreach(func(key, value *ast.Term) {
		name := r.term(key, s)
		names = append(names, name)
		if text, ok := key.Value.(ast.String); ok {
			members[string(text)] = r.term(value, s)
			return
		}
		rest = append(rest, r.term(value, s))
	})
	if len(rest) == 0 {
		return objectOf(members, nil, unite(names...))
	}
	return objectOf(members, unite(rest...), unite(names...))
}

// ref is what a reference refers to. Each of its names is there, or may be.
func (r *reading) ref(ref ast.Ref, s *scope) *guise {
	var at *guise
	i := 1
	switch head := ref[0]; {
	case head.Equal(ast.InputRootDocument):
		at = inputGuises()[r.stage]
	case head.Equal(ast.DefaultRootDocument):
		at, i = r.rule(ref)
	default:
		at = r.term(head, s)
	}
	for ; i < len(ref); i++ {
		at = r.under(ref, i, at, s)
	}
	return at
}

// rule is what the rules of a reference into data give, and how much of it names them.
func (r *reading) rule(ref ast.Ref) (*guise, int) {
	n, named := len(ref), 0
	var rules []*ast.Rule
	for i := 1; i < len(ref); i++ {
		if _, ok := ref[i].Value.(ast.String); !ok {
			break
		}
		if found := r.compiler.GetRulesExact(ref[:i+1]); len(found) > 0 {
			rules, n = found, i+1
			named++
		}
	}
	if named != 1 || len(rules[0].Head.Args) > 0 {
		return unknown, min(n, len(ref))
	}
	return r.clauses(rules, nil), n
}

// under is what stands under the element i of a reference.
func (r *reading) under(ref ast.Ref, i int, at *guise, s *scope) *guise {
	r.step(1 + len(at.of))
	switch v := ref[i].Value.(type) {
	case ast.String:
		return r.named(ref, i, at, string(v), s)
	case ast.Number:
		if n, ok := v.Int(); ok && !slices.ContainsFunc(at.of, func(x *variant) bool { return x.is == isObject || x.is == isSet }) {
			return at.position(n)
		}
		return at.values()
	case ast.Var:
		if s.get(v) == nil {
			s.vars[v] = at.under()
			return at.values()
		}
	}
	return r.pick(at, r.term(ref[i], s))
}

// named is the member of that name, which must be there if anything is.
func (r *reading) named(ref ast.Ref, i int, at *guise, name string, s *scope) *guise {
	if slices.ContainsFunc(at.of, func(x *variant) bool { return x.is == isSet }) {
		return r.pick(at, r.term(ref[i], s))
	}
	out, never := at.member(name)
	loc := r.at(ref[0].Location)
	where := placeAt(loc, i, name)
	switch {
	case len(at.of) == 0:
	case len(out.of) > 0:
		r.found.fits(where)
		for _, x := range at.of {
			if x.rest != nil && x.members[name] == nil {
				r.texts(r.term(ref[i], s), x.keys, false)
			}
		}
	case never != "":
		r.found.misses(where, func() misfit {
			return misfit{loc, misspelt, r.shown(ref[:i+1]).String() + " does not exist in " + string(never) + ", so that this rule would never hold."}
		})
	default:
		r.found.misses(where, func() misfit { return noMember(loc, r.shown(ref[:i+1]), i, at) })
	}
	return out
}

// pick is what stands under keys of that guise.
func (r *reading) pick(at, key *guise) *guise {
	r.lookup(at.under(), key)
	if len(key.of) == 0 || slices.ContainsFunc(key.of, func(x *variant) bool { return x.is != isLiteral }) {
		return at.values()
	}
	return key.each(func(k *variant) *guise {
		return at.each(func(x *variant) *guise {
			if x.is == isObject {
				out, _ := guiseOf(x).member(k.text)
				return out
			}
			return guiseOf(x).values()
		})
	})
}
