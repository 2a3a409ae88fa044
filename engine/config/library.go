package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// strictness orders the enforcements.
var strictness = map[Enforcement]int{Advisory: 1, Overridable: 2, Mandatory: 3}

// loadLibrary reads the library blocks, against what the library has. Each block
// chooses groups, says what their denials mean, and sets their parameters.
func (l *loader) loadLibrary() {
	lib := &l.ws.Library
	lib.Groups, lib.Enforcement, lib.enforcedAt = l.opts.DefaultGroups, map[string]Enforcement{}, map[string]diag.Range{}
	chosen, values := map[string]hcl.Range{}, map[string]any{}
	for i, b := range l.blocks["library"] {
		if i == 0 {
			lib.Range, lib.Groups = rangeOf(b), nil
		}
		l.noBlocks(b.Body, "A library")
		got := l.simple(b.Body, b, "A library", attr("groups", provider.StringList, false),
			provider.Attribute{Name: "enforcement", Type: provider.String, OneOf: []string{string(Mandatory), string(Overridable), string(Advisory)}})
		groups := l.chosen(b, got, chosen)
		lib.Groups = append(lib.Groups, groups...)
		if said := b.Body.Attributes["enforcement"]; said != nil {
			l.enforce(said, got, groups)
		}
		parameters := false
		for _, inner := range b.Body.Blocks {
			if inner.Type != "parameters" || !l.labelled(inner, "parameters") {
				continue
			}
			if parameters {
				l.fault(inner.TypeRange, "Declared twice", "The block library.parameters stands twice in one library block. Make one of the two.")
				continue
			}
			parameters = true
			l.parametersOf(inner, groups, values)
		}
	}
	lib.Parameters = provider.NewAttrs(values)
	l.bindLibrary()
}

// chosen are the groups of one block, each of which no other block may choose: they
// might not agree what its denials mean.
func (l *loader) chosen(b *hclsyntax.Block, got map[string]any, before map[string]hcl.Range) []string {
	groups, at, silent := l.opts.DefaultGroups, b.TypeRange, " This block names none, and so chooses "+strings.Join(l.opts.DefaultGroups, " and ")+"."
	if given := b.Body.Attributes["groups"]; given != nil {
		at, silent = given.Expr.Range(), ""
		groups, _ = got["groups"].([]string)
	}
	var out []string
	for _, g := range groups {
		first, twice := before[g]
		switch {
		case !slices.Contains(l.opts.Groups, g):
			l.fault(at, "There is no such group", "The library has no group %s to choose.%s", quoted(g), suggest(g, l.opts.Groups))
		case slices.Contains(out, g): // said twice in one breath
		case twice:
			l.fault(at, "A group is chosen twice", "The group %s is chosen at %s:%d already.%s Leave it to one of the two blocks.", quoted(g), first.Filename, first.Start.Line, silent)
		default:
			before[g] = at
			out = append(out, g)
		}
	}
	return out
}

// enforce says what denials of groups mean.
func (l *loader) enforce(said *hclsyntax.Attribute, got map[string]any, groups []string) {
	level, ok := got["enforcement"].(string)
	if !ok {
		return // a fault, told already
	}
	if len(groups) == 0 {
		l.fault(said.NameRange, "An enforcement of nothing", "This block chooses no group whose denials it could be about; what is always asked is mandatory. Name groups, or remove this.")
	}
	for _, g := range groups {
		l.ws.Library.Enforcement[g], l.ws.Library.enforcedAt[g] = Enforcement(level), diag.RangeOf(said.SrcRange)
	}
}

// parametersOf reads what is set; what nobody would read is a fault.
func (l *loader) parametersOf(b *hclsyntax.Block, groups []string, values map[string]any) {
	l.noBlocks(b.Body, "The parameters")
	set := l.simple(b.Body, b, "The library", l.opts.Parameters.Attributes...)
	for _, a := range sortedAttributes(b.Body) {
		group := l.opts.ParameterGroups[a.Name]
		_, twice := values[a.Name]
		switch {
		case slices.Contains(l.opts.Groups, group) && !slices.Contains(groups, group):
			l.fault(a.NameRange, "A parameter that nobody reads", "%s is of the group %s, which is not chosen in this block: no rule would read it. Add the group to `groups`, or remove this.", a.Name, quoted(group))
		case twice:
			l.fault(a.NameRange, "A parameter is set twice", "%s is set in another library block already. Leave it to one of the two.", a.Name)
		}
	}
	maps.Copy(values, set)
}

// bindLibrary takes the base's groups, their enforcement and their parameters. A
// workspace may add groups, and set parameters of those that it adds; of the base's
// groups it may be stricter.
func (l *loader) bindLibrary() {
	if l.opts.Base == nil {
		return
	}
	here, there := l.ws.Library, l.opts.Base.Library
	values, theirs := there.Parameters.Public(), there.Parameters.Public()
	for name, v := range here.Parameters.Public() {
		group := l.opts.ParameterGroups[name]
		added := slices.Contains(l.opts.Groups, group) && !slices.Contains(there.Groups, group)
		if !added && !reflect.DeepEqual(v, theirs[name]) {
			l.refuse(hclRange(here.Range), diag.ExitDenied, "Not what the trust base says", "The library's parameter %s is not what the trust base says.%s", name, merge)
			continue
		}
		values[name] = v
	}
	out := Library{
		Groups: slices.Clone(there.Groups), Enforcement: maps.Clone(there.Enforcement),
		Parameters: provider.NewAttrs(values), Range: here.Range, enforcedAt: here.enforcedAt,
	}
	for _, g := range here.Groups {
		level, said := here.Enforcement[g]
		bound := there.enforcement(g)
		switch {
		case !slices.Contains(there.Groups, g):
			if here.Range != (diag.Range{}) {
				out.Groups = append(out.Groups, g)
				out.Enforcement[g] = here.enforcement(g)
			}
		case !said: // the base says it
		case strictness[level] < strictness[bound]:
			l.refuse(hclRange(here.enforcedAt[g]), diag.ExitDenied, "Not what the trust base says", "The library's group %s is %s in the trust base, and %s here.%s", quoted(g), bound, level, merge)
		default:
			out.Enforcement[g] = level
		}
	}
	l.ws.Library = out
}

// enforcement of a group.
func (l Library) enforcement(group string) Enforcement {
	if e, said := l.Enforcement[group]; said {
		return e
	}
	return Mandatory
}
