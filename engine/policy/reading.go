package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ast/location"

	"github.com/remint-dev/remint/engine/diag"
)

// What reading one rule may take, with all that it calls. What one call of a function
// gives is kept for all that give it the same, so that only generated Rego comes near.
const (
	maxSteps = 200_000
	maxCalls = 500 // in each other
)

// reading follows what every rule is about, from `input` through variables, helpers and
// functions. OPA's type checker sees all functions as if they were given and gave
// anything, does not look into `every`, and knows no text from another: a misspelt name
// or value there is undefined or never equal, and its rule silent.
type reading struct {
	compiler *ast.Compiler
	stage    Stage // "" for what no stage leads to
	found    *misfits
	results  map[asking]*guise
	entered  map[*ast.Rule]bool
	here     *location.Location
	present  bool // what is read is `!=`, or likewise
	steps    int
	calls    int
	over     bool
}

// asking is one question to a rule or function, by the keys of what it is given.
type asking struct {
	rule  *ast.Rule
	stage Stage
	given string
}

// scope is what variables are; up is what is around a comprehension.
type scope struct {
	up   *scope
	vars map[ast.Var]*guise
}

func (s *scope) get(v ast.Var) *guise {
	for ; s != nil; s = s.up {
		if at := s.vars[v]; at != nil {
			return at
		}
	}
	return nil
}

func inner(s *scope) *scope { return &scope{up: s, vars: map[ast.Var]*guise{}} }

// checkSpelling refuses names and values that could not be what they say.
func (f *folder) checkSpelling(c *ast.Compiler) diag.Diagnostics {
	r := &reading{
		compiler: c, results: map[asking]*guise{}, entered: map[*ast.Rule]bool{}, here: &location.Location{},
		found: &misfits{at: map[place]misfit{}, fit: map[place]bool{}},
	}
	names := slices.Sorted(maps.Keys(c.Modules))
	each := func(read func(m *ast.Module, rule *ast.Rule)) diag.Diagnostics {
		for _, name := range names {
			for _, rule := range c.Modules[name].Rules {
				r.steps = 0
				if read(c.Modules[name], rule); r.over {
					return f.texts.at(rule.Head.Location, notCompiled,
						"Policy %q: whether names and values are spelt right cannot be told of rule %s: it takes more than %d steps to follow what it calls, or more than %d calls in each other. Split it.",
						f.source.Name, headName(rule), maxSteps, maxCalls)
				}
			}
		}
		return nil
	}
	for _, stage := range stages {
		r.stage = stage
		diags := each(func(m *ast.Module, rule *ast.Rule) {
			if isStage(m) && Stage(packageName(m)) == stage && slices.Contains(sets, headName(rule)) {
				r.clause(rule, nil, false)
			}
		})
		if diags.HasErrors() {
			return diags
		}
	}
	r.stage = ""
	diags := each(func(_ *ast.Module, rule *ast.Rule) { // what none of them leads to
		for ; rule != nil; rule = rule.Else {
			if !r.entered[rule] {
				r.clause(rule, nil, false)
			}
		}
	})
	if diags.HasErrors() {
		return diags
	}
	return r.found.diags(f)
}

// clauses is what rules of one name give, to operands if they are a function's.
func (r *reading) clauses(rules []*ast.Rule, operands []*guise) *guise {
	var key strings.Builder
	for _, o := range operands {
		if key.WriteString(o.key + "&"); len(o.of) == 0 {
			return absentValue // what is undefined calls nothing
		}
	}
	q := asking{rules[0], r.stage, key.String()}
	if known := r.results[q]; known != nil {
		return known
	}
	if r.over = r.over || r.calls >= maxCalls; r.over {
		return unknown
	}
	r.calls++
	here := r.here
	var parts []*guise
	for _, rule := range rules {
		for otherwise := false; rule != nil; rule, otherwise = rule.Else, true {
			parts = append(parts, r.clause(rule, operands, otherwise))
		}
	}
	r.calls, r.here = r.calls-1, here
	out := unite(parts...)
	r.results[q] = out
	return out
}

// clause is what one clause gives, or an `else` of it. Without operands a function's are anything.
func (r *reading) clause(rule *ast.Rule, operands []*guise, otherwise bool) *guise {
	s := inner(nil)
	for i, arg := range rule.Head.Args {
		switch {
		case operands == nil:
			ast.WalkVars(arg, func(v ast.Var) bool { s.vars[v] = unknown; return false })
		case !r.takes(arg, operands[i], s):
			return absentValue
		}
	}
	r.entered[rule] = true
	r.body(rule.Body, s)
	r.at(rule.Head.Location)
	var out *guise
	switch {
	case rule.Head.RuleKind() == ast.MultiValue:
		out = setOf(r.term(rule.Head.Key, s))
	case rule.Head.Value != nil:
		if out = r.term(rule.Head.Value, s); rule.Default || otherwise && len(rule.Body) == 1 && rule.Body[0].Equal(ast.NewExpr(ast.BooleanTerm(true))) {
			out = out.spare()
		}
	default:
		out = scalar
	}
	if len(rule.Head.Args) > 0 {
		return out
	}
	switch dynamic := rule.Ref().DynamicSuffix(); len(dynamic) {
	case 0:
		return out
	case 1:
		return objectOf(nil, out, r.term(dynamic[0], s))
	default:
		return unknown
	}
}

// takes binds what a function's clause is given, and reports whether it may be that.
func (r *reading) takes(arg *ast.Term, given *guise, s *scope) bool {
	switch v := arg.Value.(type) {
	case ast.String:
		r.equal(r.term(arg, s), given)
		return given.mayBe(string(v)) || !slices.ContainsFunc(given.of, func(x *variant) bool { return x.is == isWord || x.is == isLiteral })
	default:
		r.bind(arg, given, s)
		return true
	}
}

// bind gives the variables of a pattern what they are matched with.
func (r *reading) bind(pattern *ast.Term, to *guise, s *scope) {
	switch v := pattern.Value.(type) {
	case ast.Var:
		if was := s.get(v); was != nil {
			r.equal(was, to)
		} else {
			s.vars[v] = to
		}
	case *ast.Array:
		for i := range v.Len() {
			r.bind(v.Elem(i), to.position(i), s)
		}
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) {
			at := to.values()
			if name, ok := key.Value.(ast.String); ok {
				at, _ = to.member(string(name))
			}
			r.bind(value, at, s)
		})
	default:
		r.equal(r.term(pattern, s), to)
	}
}

// unbound holds for a pattern with variables of which nothing is known.
func unbound(t *ast.Term, s *scope) bool {
	found := false
	switch v := t.Value.(type) {
	case ast.Var:
		found = s.get(v) == nil
	case *ast.Array:
		v.Foreach(func(e *ast.Term) { found = found || unbound(e, s) })
	case ast.Object:
		v.Foreach(func(_, e *ast.Term) { found = found || unbound(e, s) })
	}
	return found
}

// unify is `a = b`.
func (r *reading) unify(a, b *ast.Term, s *scope) {
	x, y := unbound(a, s), unbound(b, s)
	one, ok := a.Value.(*ast.Array)
	other, same := b.Value.(*ast.Array)
	switch {
	case x && y && ok && same && one.Len() == other.Len():
		for i := range one.Len() {
			r.unify(one.Elem(i), other.Elem(i), s)
		}
	case x && y:
		r.bind(a, unknown, s)
		r.bind(b, unknown, s)
	case x:
		r.bind(a, r.term(b, s), s)
	default:
		r.bind(b, r.term(a, s), s)
	}
}

// at keeps where the text is that is read.
func (r *reading) at(loc *location.Location) *location.Location {
	if loc != nil {
		r.here = loc
	}
	return r.here
}

// step counts, and ends a reading that takes too long.
func (r *reading) step(n int) {
	if r.steps += n; r.steps > maxSteps {
		r.over = true
	}
}

// shown is ref with the names that the text has for what the compiler named.
func (r *reading) shown(ref ast.Ref) ast.Ref {
	out := slices.Clone(ref)
	for i, t := range out {
		v, ok := t.Value.(ast.Var)
		if !ok {
			continue
		}
		if was, ok := r.compiler.RewrittenVars[v]; ok {
			v = was
		}
		switch {
		case !v.IsGenerated() && !v.IsWildcard():
		case i == 0 && t.Location != nil && len(t.Location.Text) > 0:
			v = ast.Var(fmt.Sprintf("%.60s", strings.Join(strings.Fields(string(t.Location.Text)), " ")))
		default:
			v = "_"
		}
		out[i] = ast.NewTerm(v)
	}
	return out
}
