package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// builtin is what a builtin gives; anything, of most. What hands on what it is given
// must not lose it: a misspelt name behind `sort` is one as well.
func (r *reading) builtin(name string, given []*guise, operands []*ast.Term) *guise {
	switch name {
	case ast.LessThan.Name, ast.LessThanEq.Name, ast.GreaterThan.Name, ast.GreaterThanEq.Name:
		symbols := map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
		r.ordered(symbols[name], given)
		return scalar
	case ast.NotEqual.Name:
		r.equal(given[0], given[1])
		return scalar
	case ast.Max.Name, ast.Min.Name:
		elem := given[0].values()
		r.ordered(name, []*guise{elem})
		return elem
	case ast.Sort.Name, ast.ArraySlice.Name, ast.ArrayReverse.Name:
		return listOf(nil, given[0].values())
	case ast.ArrayConcat.Name:
		return listOf(nil, unite(given[0].values(), given[1].values()))
	case ast.Union.Name:
		return setOf(given[0].values().values())
	case ast.Or.Name:
		return setOf(unite(given[0].values(), given[1].values()))
	case ast.And.Name:
		r.equal(given[0], given[1])
		return setOf(given[0].values())
	case ast.Minus.Name:
		if slices.ContainsFunc(given[0].of, func(x *variant) bool { return x.is == isPlain || x.is == isAnything }) {
			return unknown
		}
		r.equal(given[0], given[1])
		return setOf(given[0].values())
	case ast.ObjectRemove.Name, ast.ObjectFilter.Name:
		return given[0]
	case ast.ObjectKeys.Name:
		return setOf(given[0].under())
	case ast.ObjectUnion.Name:
		return joined(given[0], given[1])
	case ast.ObjectGet.Name:
		return unite(r.get(given[0], operands[1], given[1]), given[2].spare())
	}
	return unknown
}

// get is what object.get finds under a key, or a path of keys.
func (r *reading) get(at *guise, key *ast.Term, shape *guise) *guise {
	path, ok := key.Value.(*ast.Array)
	if !ok {
		if slices.ContainsFunc(shape.of, func(x *variant) bool { return x.is == isList || x.is == isAnything }) {
			return unknown
		}
		return r.pick(at, shape)
	}
	for i := range path.Len() {
		at = r.pick(at, shape.position(i))
	}
	return at
}

// joined is what object.union makes of two: what either has.
func joined(a, b *guise) *guise {
	return a.each(func(x *variant) *guise {
		return b.each(func(y *variant) *guise {
			if x.is != isObject || y.is != isObject {
				return unknown
			}
			members := map[string]*guise{}
			for _, from := range []*variant{x, y} {
				for name, m := range from.members {
					if was := members[name]; was == nil || was.never() != "" {
						members[name] = m
					} else if m.never() == "" {
						members[name] = unite(was, joinedMember(was, m))
					}
				}
			}
			var rest *guise
			if x.rest != nil || y.rest != nil {
				rest = unite(x.rest, y.rest)
			}
			return objectOf(members, rest, unite(x.keys, y.keys))
		})
	})
}

// joinedMember is b over a: objects are united with what was there.
func joinedMember(a, b *guise) *guise {
	isObject := func(x *variant) bool { return x.is == isObject || x.is == isAnything }
	if slices.ContainsFunc(a.of, isObject) && slices.ContainsFunc(b.of, isObject) {
		return unknown
	}
	return b
}
