package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// form is a block's attributes against a schema: checked once, evaluated once
// where nothing in them varies, and per instance where something does.
type form struct {
	slots []slot
	// varies is whether any slot does.
	varies bool
	// ok is false when a fault was found that holds for all instances.
	ok bool
}

// slot is one attribute of a form.
type slot struct {
	attr  provider.Attribute
	at    hcl.Range
	expr  hclsyntax.Expression // nil when absent
	vary  bool
	value any // when it does not vary
	// unknown is set offline, when the value depends on a variable without one.
	unknown bool
	fails   bool // reported for one instance; the others are not worth repeating
}

// form reads body's attributes. reserved are read elsewhere; varying are the
// names whose values differ between instances.
func (l *loader) form(body *hclsyntax.Body, at hcl.Range, what string, schema provider.Schema, reserved []string, s scope, varying ...string) *form {
	f := &form{ok: true}
	names := slices.Clone(reserved)
	for _, a := range schema.Attributes {
		names = append(names, a.Name)
	}
	for _, a := range sortedAttributes(body) {
		if !slices.Contains(names, a.Name) {
			hint := suggest(a.Name, names)
			if slices.Contains(blocksIn(what), a.Name) {
				hint = fmt.Sprintf(" It has a block %s: write `%s` and what is in it between braces, without the equals sign.", a.Name, a.Name)
			}
			l.fault(a.NameRange, "Unknown attribute", "%s has no attribute %q.%s", what, a.Name, hint)
			f.ok = false
		}
	}
	for _, a := range schema.Attributes {
		sl := slot{attr: a, at: at, value: l.defaultOf(a)}
		if given := body.Attributes[a.Name]; given != nil {
			sl.at, sl.expr = given.Expr.Range(), given.Expr
			place := s
			place.what, place.secret = withArticle(a.Name), a.Sensitive || slices.Contains(l.names.secret, a.Name)
			switch {
			case !l.check(given.Expr, place):
				f.ok, sl.expr = false, nil
			case uses(given.Expr, varying...):
				sl.vary, f.varies = true, true
			default:
				v, ok := l.slotValue(&sl, l.ctx, "")
				if v != nil {
					sl.value = v
				}
				f.ok = f.ok && ok
			}
		} else if a.Required {
			l.fault(at, "A required attribute is missing", "%s needs %s.%s", what, a.Name, described(a))
			f.ok = false
		}
		f.slots = append(f.slots, sl)
	}
	return f
}

// fill gives the attributes of one instance; those without a value are left
// out. address is of the instance, for messages.
func (l *loader) fill(f *form, ctx *hcl.EvalContext, address string) (map[string]any, bool) {
	out := make(map[string]any, len(f.slots))
	ok := f.ok
	for i := range f.slots {
		sl := &f.slots[i]
		v := sl.value
		if sl.vary {
			given, good := l.slotValue(sl, ctx, address)
			if ok = ok && good; given != nil {
				v = given
			}
		}
		if v != nil {
			out[sl.attr.Name] = v
		}
	}
	return out, ok
}

// unknowns keeps in got that an attribute is there whose value nobody knows yet,
// so that what is held against a trust base is not taken for absent.
func (l *loader) unknowns(f *form, got map[string]any) {
	for i := range f.slots {
		if sl := &f.slots[i]; sl.unknown {
			got[sl.attr.Name] = provider.Unknown{Sensitive: sl.attr.Sensitive}
		}
	}
}

// slotValue evaluates one attribute. Its faults are reported once, for the
// first instance that has one.
func (l *loader) slotValue(sl *slot, ctx *hcl.EvalContext, address string) (any, bool) {
	if sl.fails {
		return nil, false
	}
	before := len(l.diags)
	v, ok := l.value(sl.expr, ctx)
	if ok {
		out, err := l.goValue(v, sl.attr)
		switch {
		case errors.Is(err, errSensitive):
			l.fault(sl.at, "A sensitive value where none may be", "%s would show it or write it down. A sensitive value may only go into an attribute that is declared sensitive, a store or a `secret` argument. Use something else here.", sl.attr.Name)
			ok = false
		case err != nil:
			l.fault(sl.at, summaryFor(sl.attr), "%s", sentence2(sl.attr.Name+" "+err.Error())+described(sl.attr))
			ok = false
		case out == nil && sl.attr.Required && v.IsNull():
			l.fault(sl.at, "A required attribute is null", "%s must have a value.%s", sl.attr.Name, described(sl.attr))
			ok = false
		default:
			sl.unknown = out == nil && !v.IsNull()
			return out, true
		}
	}
	sl.fails = true
	for i := before; i < len(l.diags) && address != ""; i++ {
		l.diags[i].Address = address
	}
	return nil, ok
}

func summaryFor(a provider.Attribute) string {
	if a.Type == provider.Duration {
		return "Not a duration that can be used"
	}
	return "A value does not fit"
}

// defaultOf is an attribute's default, its path resolved.
func (l *loader) defaultOf(a provider.Attribute) any {
	p, ok := a.Default.(provider.Path)
	if !ok {
		return a.Default
	}
	r, err := l.paths.resolve(p.Written)
	if err != nil {
		return nil
	}
	return r
}

// described appends what an attribute is for.
func described(a provider.Attribute) string {
	if a.Description == "" {
		return ""
	}
	return " " + a.Name + " is: " + strings.TrimSuffix(a.Description, ".") + "."
}

func sentence2(s string) string {
	if s != "" && s[len(s)-1] != '.' && s[len(s)-1] != '?' {
		return s + "."
	}
	return s
}

func withArticle(name string) string { return fmt.Sprintf("`%s`", name) }

// blocksIn are the blocks that may stand in one that messages call what.
func blocksIn(what string) []string {
	switch what {
	case "remint":
		return []string{"state", "evidence", "seal", "decision_log", "approvals", "decisions"}
	case "evidence":
		return []string{"signer"}
	case "A library":
		return []string{"parameters"}
	case "A credential":
		return []string{"store", "consumer"}
	case "A variable":
		return []string{"validation"}
	case "A test file":
		return []string{"run", "mock"}
	case "A run":
		return []string{"mock", "approval", "result", "assert"}
	}
	switch {
	case strings.HasPrefix(what, "Credential type "):
		return blocksIn("A credential")
	case strings.HasPrefix(what, "Step "):
		return []string{"retry"}
	}
	return nil
}

// noBlocks refuses nested blocks that the grammar does not have.
func (l *loader) noBlocks(body *hclsyntax.Body, what string) {
	known := blocksIn(what)
	for _, b := range body.Blocks {
		if slices.Contains(known, b.Type) {
			continue
		}
		if len(known) == 0 {
			l.fault(b.TypeRange, "There is no such block", "%s has no blocks inside, and so no %q.", what, b.Type)
			continue
		}
		l.fault(b.TypeRange, "There is no such block", "%s has no block %q.%s", what, b.Type, suggest(b.Type, known))
	}
}

func rangeOf(b *hclsyntax.Block) diag.Range { return diag.RangeOf(b.DefRange()) }
