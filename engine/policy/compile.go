package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ast/location"

	"github.com/remint-dev/remint/engine/diag"
)

// maxDepth is how deep a parsed rule may be. The compiler's time grows with
// its square: a chain of 80,000 operators takes minutes.
const maxDepth = 1000

// query asks one source about one stage: the sets that it defines, at once.
type query struct {
	body     ast.Body
	compiler ast.QueryCompiler
	sets     []string
}

// compile parses, checks and compiles a source in this process. at is told which
// file is being read.
func (f *folder) compile(at func(file string)) (c *compiled, diags diag.Diagnostics) {
	defer func() {
		if p := recover(); p != nil {
			c, diags = nil, f.failed(fmt.Errorf("the compiler failed: %v", p))
		}
	}()
	modules, diags := f.parse(f.modules, capabilities(), at)
	tests, more := f.parse(f.tests, capabilities("print"), at)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	at("")
	if diags = append(f.checkTaken(modules), f.checkTaken(tests)...); diags.HasErrors() {
		return nil, diags
	}
	diags = append(f.checkPackages(modules), f.checkTests(tests)...)
	if diags.HasErrors() {
		return nil, diags
	}
	compiler := newCompiler(capabilities())
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, f.texts.fromOPA(f.source.Name, notCompiled, compiler.Errors)
	}
	if diags := f.checkReached(compiler); diags.HasErrors() {
		return nil, diags
	}
	if !f.source.Known { // a test looks into what came with the program
		if diags := f.checkSpelling(compiler); diags.HasErrors() {
			return nil, diags
		}
	}
	c = &compiled{name: f.source.Name, texts: f.texts, compiler: compiler, queries: map[Stage]*query{}}
	for _, stage := range stages {
		q, err := newQuery(compiler, stage)
		if err != nil {
			return nil, f.texts.fromOPA(f.source.Name, notCompiled, err)
		}
		if q != nil {
			c.queries[stage] = q
		}
	}
	return c, nil
}

const notCompiled = "Policy does not compile"

// failed is the fault of a source of which no more is known than err.
func (f *folder) failed(err error) diag.Diagnostics {
	return denied(notCompiled, "Policy %q: %v. What does not compile denies.", f.source.Name, err)
}

func newCompiler(caps *ast.Capabilities) *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(caps).
		WithDefaultRegoVersion(ast.RegoV1).
		WithSchemas(inputSchemas())
}

// parse parses files one by one, behind the guards that the parser needs.
func (f *folder) parse(files []file, caps *ast.Capabilities, at func(file string)) (map[string]*ast.Module, diag.Diagnostics) {
	const summary = "Policy does not parse"
	var diags diag.Diagnostics
	out := map[string]*ast.Module{}
	for _, one := range files {
		at(one.name)
		if offset, err := nesting(one.text); err != nil {
			diags = append(diags, f.texts.at(placeOf(one, offset), summary, "Policy %q: %v.", f.source.Name, err)...)
			continue
		}
		m, err := ast.ParseModuleWithOpts(one.name, string(one.text), ast.ParserOptions{
			Capabilities: caps, ProcessAnnotation: true, RegoVersion: ast.RegoV1,
		})
		switch {
		case err != nil && !strings.Contains(err.Error(), "empty module"):
			diags = append(diags, f.texts.fromOPA(f.source.Name, summary, err)...)
		case m == nil:
			diags = append(diags, denied(summary, "Policy %q: %s is empty. Remove it, or write `package remint.plan` and its rules.", f.source.Name, one.name)...)
		default:
			if loc := tooDeep(m); loc != nil {
				diags = append(diags, f.texts.at(loc, summary, "Policy %q: this rule is more than %d terms deep; split it.", f.source.Name, maxDepth)...)
				continue
			}
			out[one.name] = m
		}
	}
	return out, diags
}

// tooDeep finds a rule deeper than maxDepth.
func tooDeep(m *ast.Module) *location.Location {
	for _, rule := range m.Rules {
		depth, deepest := 0, 0
		ast.NewBeforeAfterVisitor(
			func(any) bool { depth++; deepest = max(deepest, depth); return depth > maxDepth },
			func(any) { depth-- },
		).Walk(rule)
		if deepest > maxDepth {
			return rule.Location
		}
	}
	return nil
}

func placeOf(f file, offset int) *location.Location {
	loc := &location.Location{File: f.name, Row: 1, Col: 1, Offset: offset}
	for _, ch := range f.text[:offset] {
		loc.Col++
		if ch == '\n' {
			loc.Row++
			loc.Col = 1
		}
	}
	return loc
}

// newQuery is nil when the source says nothing about stage.
func newQuery(compiler *ast.Compiler, stage Stage) (*query, error) {
	q := &query{compiler: compiler.QueryCompiler()}
	var body ast.Body
	for _, set := range sets {
		ref := ast.MustParseRef("data." + string(stage) + "." + set)
		if len(compiler.GetRulesExact(ref)) == 0 {
			continue
		}
		q.sets = append(q.sets, set)
		body.Append(ast.Equality.Expr(ast.VarTerm(set), ast.NewTerm(ref)))
	}
	if len(q.sets) == 0 {
		return nil, nil
	}
	var err error
	if q.body, err = q.compiler.Compile(body); err != nil {
		return nil, err
	}
	if len(q.body) != len(q.sets) {
		return nil, fmt.Errorf("the query was rewritten: %v", q.body)
	}
	return q, nil
}
