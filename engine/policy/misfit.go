package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ast/location"

	"github.com/remint-dev/remint/engine/diag"
)

// place is where something stands that may be misspelt: a name in a reference, or a text.
type place struct {
	file          string
	row, col, pos int
	name          string
}

func placeAt(loc *location.Location, pos int, name string) place {
	return place{loc.File, loc.Row, loc.Col, pos, name}
}

// misfits are the places where nothing fits, whoever leads there: what a function is
// given by one of its callers is no fault in it, nor is what one of several stages has.
type misfits struct {
	at  map[place]misfit
	fit map[place]bool
}

// misfit is what is wrong at a place.
type misfit struct {
	loc             *location.Location
	summary, detail string
}

const neverEqual = "Policy compares with what never occurs"

// fits says that something at a place is there, or may be.
func (m *misfits) fits(p place) { m.fit[p] = true }

// misses says that it is not.
func (m *misfits) misses(p place, of func() misfit) {
	if _, known := m.at[p]; !known && !m.fit[p] {
		m.at[p] = of()
	}
}

// diags are the faults, in the order of the text.
func (m *misfits) diags(f *folder) diag.Diagnostics {
	places := slices.SortedFunc(maps.Keys(m.at), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col), cmp.Compare(a.pos, b.pos), cmp.Compare(a.name, b.name))
	})
	places = slices.DeleteFunc(places, func(p place) bool { return m.fit[p] })
	var out diag.Diagnostics
	for i, p := range places {
		if i == maxErrors {
			return append(out, denied(notCompiled, "Policy %q has %d more faults.", f.source.Name, len(places)-i)...)
		}
		one := m.at[p]
		out = append(out, f.texts.at(one.loc, one.summary, "Policy %q: %s", f.source.Name, one.detail)...)
	}
	return out
}

// noMember is a name that what ref refers to up to there has not.
func noMember(loc *location.Location, ref ast.Ref, pos int, of *guise) misfit {
	detail := &ast.RefErrInvalidDetail{Ref: ref, Pos: pos}
	for _, name := range vocabulary(of.under()) {
		detail.OneOf = append(detail.OneOf, ast.String(name))
	}
	e := &ast.Error{Message: fmt.Sprintf("undefined ref: %v", ref), Details: detail}
	if best := nearest(strings.Trim(ref[pos].String(), `"`), vocabulary(of.under())); best != "" {
		e.Message += fmt.Sprintf(" (did you mean %s?)", best)
	}
	return misfit{loc, notCompiled, explainOPA(e)}
}

// noWord is a text that is none of those that it is compared with.
func noWord(loc *location.Location, said string, among *guise) misfit {
	hint := ""
	list := vocabulary(among)
	if best := nearest(said, list); best != "" {
		hint = fmt.Sprintf(" Did you mean %q?", best)
	}
	for i, w := range list {
		list[i] = fmt.Sprintf("%q", w)
	}
	of, what := "", "value"
	for _, x := range among.of {
		if x.is == isWord && of == "" {
			of = x.words.of
			if x.words.members {
				what = "member"
			}
		}
	}
	return misfit{loc, neverEqual, fmt.Sprintf("%q is no %s of %s, which has %s: the comparison says the same whatever happens.%s", said, what, of, strings.Join(list, ", "), hint)}
}

// vocabulary is what strings s may be, in their order.
func vocabulary(s *guise) []string {
	var out []string
	for _, x := range s.of {
		switch x.is {
		case isWord:
			out = append(out, x.words.list...)
		case isLiteral:
			out = append(out, x.text)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(w string) bool { was := seen[w]; seen[w] = true; return was })
}
