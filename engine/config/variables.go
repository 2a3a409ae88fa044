package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/remint-dev/remint/engine/addrs"
)

const (
	varSuffix = ".remintvars"
	envPrefix = "REMINT_VAR_"
)

// variable is a declared variable and its value.
type variable struct {
	name      string
	typ       cty.Type
	sensitive bool
	value     cty.Value // NilVal until it has one
	at        hcl.Range
	block     *hclsyntax.Block
}

// loadVariables declares the variables and gives them their values.
func (l *loader) loadVariables() {
	for _, b := range l.blocks["variable"] {
		if l.once("variable "+quoted(b.Labels[0]), b.LabelRanges[0]) {
			l.vars[b.Labels[0]] = l.declare(b)
		}
	}
	l.fromEnviron()
	for _, path := range l.opts.VarFiles {
		l.fromFile(path)
	}
	for _, name := range keys(l.opts.Vars) {
		if v := l.vars[name]; v != nil {
			l.assign(v, l.opts.Vars[name], "-var="+name)
		} else if !l.foreign(name) {
			l.diags = l.diags.Errorf("Unknown variable", "-var gives a value to %q, which is not declared.%s", addrs.Visible(name), suggest(name, keys(l.vars)))
		}
	}
	values := map[string]cty.Value{}
	l.ws.Variables = keys(l.vars)
	for _, name := range l.ws.Variables {
		values[name] = l.settle(l.vars[name])
	}
	l.ctx.Variables = map[string]cty.Value{"var": cty.ObjectVal(values), "local": cty.EmptyObjectVal}
	for _, name := range keys(l.vars) {
		l.validate(l.vars[name])
	}
}

// foreign reports whether a value may be given to a variable that is not declared
// here: one command line serves the workspace and its trust base.
func (l *loader) foreign(name string) bool {
	return l.opts.isBase() || l.opts.Base != nil && slices.Contains(l.opts.Base.Variables, name)
}

func (l *loader) declare(b *hclsyntax.Block) *variable {
	v := &variable{name: b.Labels[0], typ: cty.DynamicPseudoType, at: b.DefRange(), block: b, value: cty.NilVal}
	known := []string{"type", "default", "sensitive", "description"}
	for _, a := range sortedAttributes(b.Body) {
		none := scope{names: map[string][]string{}, what: withArticle(a.Name)}
		switch a.Name {
		case "type":
			t, diags := typeexpr.TypeConstraint(unwrap(a.Expr))
			if diags.HasErrors() {
				l.fault(a.Expr.Range(), "Not a type", "A type is string, number, bool, any, or list(…), set(…), map(…), tuple([…]) or object({…}) of types.")
				continue
			}
			v.typ = t
		case "sensitive":
			got, ok := l.eval(a.Expr, none, &hcl.EvalContext{})
			if ok && (got.Type() != cty.Bool || got.IsNull()) {
				l.fault(a.Expr.Range(), "A value does not fit", "sensitive must be true or false.")
			} else if ok {
				v.sensitive = got.True()
			}
		case "description":
			l.eval(a.Expr, none, &hcl.EvalContext{})
		case "default":
		default:
			l.fault(a.NameRange, "Unknown attribute", "A variable has no attribute %q.%s", a.Name, suggest(a.Name, known))
		}
	}
	l.noBlocks(b.Body, "A variable")
	if a := b.Body.Attributes["default"]; a != nil {
		if got, ok := l.eval(a.Expr, scope{names: map[string][]string{}, what: "`default`", secret: v.sensitive}, &hcl.EvalContext{Functions: l.ctx.Functions}); ok {
			l.set(v, got, a.Expr.Range())
		} else {
			v.value = cty.UnknownVal(v.typ)
		}
	}
	return v
}

// set converts a value to the variable's type and keeps it.
func (l *loader) set(v *variable, got cty.Value, at hcl.Range) {
	got = uniform(got, v.typ.IsMapType())
	var out cty.Value
	_, err := mixed(got.Type())
	if err == nil && strings.Contains(typeexpr.TypeString(v.typ), "number") {
		err = cty.Walk(got, func(_ cty.Path, part cty.Value) (bool, error) { return true, digits(part) })
	}
	if err == nil || v.typ == cty.DynamicPseudoType {
		out, err = convert.Convert(got, v.typ)
	}
	if err == nil {
		_, err = measure(out)
	}
	if err != nil {
		v.value = cty.UnknownVal(v.typ)
		l.fault(at, "A value does not fit", "Variable %s must be of type %s, and this is %s.", v.name, typeexpr.TypeString(v.typ), kindOf(got))
		return
	}
	v.value = out
}

// assign gives a variable what stands on the command line or in the
// environment: text as it is, or an expression when the type is not string.
func (l *loader) assign(v *variable, text, from string) {
	at := hcl.Range{Filename: from, Start: hcl.InitialPos, End: hcl.InitialPos}
	if v.typ == cty.String || v.typ == cty.DynamicPseudoType {
		l.set(v, cty.StringVal(text), at)
		return
	}
	var got cty.Value
	if v.typ.IsPrimitiveType() {
		got = cty.StringVal(text)
	} else {
		_, found := scan([]byte(text), from, &l.tokens)
		if !found.HasErrors() {
			var expr hclsyntax.Expression
			if expr, found = hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos); !found.HasErrors() {
				got, found = l.guardExpr(expr).Value(&hcl.EvalContext{})
			}
		}
		if found.HasErrors() { // its words could quote the value
			v.value = cty.UnknownVal(v.typ)
			l.fault(at, "A value does not fit", "Variable %s must be of type %s; write its value as in HCL, for example -var='%s=[\"a\", \"b\"]'.", v.name, typeexpr.TypeString(v.typ), v.name)
			return
		}
	}
	l.set(v, got, at)
}

func (l *loader) fromEnviron() {
	for _, line := range l.opts.Environ {
		name, text, _ := strings.Cut(line, "=")
		if name, ok := strings.CutPrefix(name, envPrefix); ok {
			if v := l.vars[name]; v != nil {
				l.assign(v, text, envPrefix+name)
			}
		}
	}
}

// fromFile reads a file of NAME = VALUE lines. Its text is never quoted.
func (l *loader) fromFile(path string) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(l.home, path)
		// A base's own file of that name comes first: the workspace's may be part of
		// what is judged.
		if own := filepath.Join(l.dir, path); l.opts.isBase() {
			if _, err := os.Lstat(own); err == nil {
				full = own
			}
		}
	}
	src, err := readCapped(full, maxFileSize)
	if err != nil {
		l.diags = l.diags.Errorf("A file of variables cannot be used", "%s: %s.", path, err)
		return
	}
	l.paths.protect(full, "the file of variables "+quoted(path))
	_, found := scan(src, path, &l.tokens)
	if found.HasErrors() {
		l.hcl(found)
		return
	}
	file, found := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if found.HasErrors() {
		l.hcl(found)
		return
	}
	body := file.Body.(*hclsyntax.Body)
	l.guard(body)
	for _, b := range body.Blocks {
		l.fault(b.TypeRange, "There is no such block", "A file of variables has lines NAME = VALUE only.")
	}
	for _, a := range sortedAttributes(body) {
		v := l.vars[a.Name]
		if v == nil && l.foreign(a.Name) {
			continue
		}
		if v == nil {
			l.fault(a.NameRange, "Unknown variable", "%q is not declared.%s", a.Name, suggest(a.Name, keys(l.vars)))
			continue
		}
		if got, ok := l.eval(a.Expr, scope{names: map[string][]string{}}, &hcl.EvalContext{}); ok {
			l.set(v, got, a.Expr.Range())
		} else {
			v.value = cty.UnknownVal(v.typ)
		}
	}
}

// settle is the value that expressions see.
func (l *loader) settle(v *variable) cty.Value {
	if v.value == cty.NilVal {
		if !l.opts.Offline {
			l.fault(v.at, "A variable has no value", "Variable %q has no default. Give it a value with -var='%s=…', -var-file=FILE, or the environment variable %s%s.", v.name, v.name, envPrefix, v.name)
		}
		v.value = cty.UnknownVal(v.typ)
	}
	if base := l.opts.Base; base != nil && base.guarded[v.name] { // whoever may change the workspace must not have it shown
		v.sensitive = true
	}
	if v.sensitive {
		l.ws.guarded[v.name] = true
		v.value = v.value.Mark(sensitive)
	}
	return v.value
}

// validate evaluates the validation blocks of a variable.
func (l *loader) validate(v *variable) {
	for _, b := range v.block.Body.Blocks {
		if b.Type != "validation" {
			continue
		}
		l.noBlocks(b.Body, "validation")
		s := scope{names: map[string][]string{"var": nil}}
		var condition, message cty.Value
		ok := true
		for _, name := range []string{"condition", "error_message"} {
			a := b.Body.Attributes[name]
			if a == nil {
				l.fault(b.TypeRange, "A required attribute is missing", "validation needs condition and error_message.")
				ok = false
				continue
			}
			got, good := l.eval(a.Expr, s, l.ctx)
			got, _ = got.UnmarkDeep()
			if ok = ok && good; name == "condition" {
				condition = got
			} else {
				message = got
			}
		}
		for _, a := range sortedAttributes(b.Body) {
			if !slices.Contains([]string{"condition", "error_message"}, a.Name) {
				l.fault(a.NameRange, "Unknown attribute", "validation has no attribute %q. There are condition and error_message.", a.Name)
			}
		}
		if !ok || !condition.IsKnown() {
			continue
		}
		at := b.Body.Attributes["condition"].Expr.Range()
		if condition.IsNull() || condition.Type() != cty.Bool || message.IsNull() || message.Type() != cty.String {
			l.fault(at, "A value does not fit", "condition must be true or false, and error_message a string.")
		} else if condition.False() {
			text := ""
			if message.IsKnown() && !sensitiveExpr(b.Body.Attributes["error_message"].Expr, l.ctx) {
				text = message.AsString()
			}
			l.fault(at, "A variable's value is refused", "%s", sentence(addrs.Visible("variable "+v.name+": "+text)))
		}
	}
}

func sensitiveExpr(e hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	v, _ := e.Value(ctx)
	return v.ContainsMarked()
}
