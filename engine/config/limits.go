package config

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// limits are the guards of functions whose result is not bounded by the size
// of their arguments, or whose time is not: they refuse, or charge before the call.
var limits = map[string]func(*budget, []cty.Value) error{
	"format":     formatLimit,
	"formatlist": formatListLimit,
	"join": func(_ *budget, args []cty.Value) error {
		m, _ := measure(args[1:]...)
		return product(len(text(args[0])), m.nodes, maxBytes, errBytes)
	},
	"split": func(_ *budget, args []cty.Value) error {
		if strings.Count(text(args[1]), text(args[0])) >= maxNodes {
			return errNodes
		}
		return nil
	},
	"replace": func(_ *budget, args []cty.Value) error {
		return product(strings.Count(text(args[0]), text(args[1])), len(text(args[2])), maxBytes, errBytes)
	},
	"setproduct": productLimit,
	"regex":      regexLimit,
	"trim": func(b *budget, args []cty.Value) error { // looks for each character of the one in the other
		return b.charge(float64(len(text(args[0]))) * float64(len(text(args[1]))) / 512)
	},
	"chomp":  characterLimit,
	"strlen": characterLimit,
	"substr": characterLimit,
	"csvdecode": func(_ *budget, args []cty.Value) error {
		s := text(args[0])
		if strings.Count(s, ",")+strings.Count(s, "\n") >= maxNodes {
			return errNodes
		}
		return nil
	},
	"jsondecode": func(b *budget, args []cty.Value) error { return jsonLimit(b, text(args[0])) },
	"contains":   containsLimit,
	"toset":      setLimit,
	"setunion":   setLimit, "setintersection": setLimit, "setsubtract": setLimit,
	"parseint": func(_ *budget, args []cty.Value) error {
		if len(text(args[0])) > maxDigits {
			return function.NewArgError(0, errDigits)
		}
		return nil
	},
	"tonumber": func(_ *budget, args []cty.Value) error { return digits(args[0]) },
}

// maxDigits is how long a text may be that is turned into a number: the time for it grows
// with the square of the length, and a number in range has fewer.
const maxDigits = 1200

var errDigits = fmt.Errorf("a number has at most %d characters", maxDigits)

// digits refuses a text that would be read as a number for too long.
func digits(v cty.Value) error {
	if s := text(v); len(s) > maxDigits && strings.Trim(s[:maxDigits], "0123456789abcdefABCDEFxXpP+-._") == "" {
		return errDigits
	}
	return nil
}

// text is a string argument, "" if it is none.
func text(v cty.Value) string {
	v, _ = v.Unmark()
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return ""
	}
	return v.AsString()
}

// elements are those of a value that has any, without marks.
func elements(v cty.Value) []cty.Value {
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return nil
	}
	return v.AsValueSlice()
}

func product(a, b, limit int, err error) error {
	if a > 0 && b > limit/a {
		return err
	}
	return nil
}

// regexLimit charges for each instruction of the compiled pattern at each byte of the text.
func regexLimit(b *budget, args []cty.Value) error {
	pattern := text(args[0])
	if len(pattern) > 1000 {
		return function.NewArgErrorf(0, "a pattern has at most 1000 characters")
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil // the function says what is wrong with it
	}
	n := float64(instructions(re))
	return b.charge(3*n + n*float64(len(text(args[1])))*(1+float64(re.MaxCap())/64)/64)
}

// instructions is about how many a pattern is compiled to.
func instructions(re *syntax.Regexp) int {
	n := 1
	for _, sub := range re.Sub {
		n += 1 + instructions(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		n += len(re.Rune)
	case syntax.OpRepeat:
		n *= max(re.Max, re.Min+1)
	}
	return n
}

// characterLimit charges for going over a text character by character.
func characterLimit(b *budget, args []cty.Value) error {
	return b.charge(float64(len(text(args[0])) / 4))
}

var (
	wideVerb   = regexp.MustCompile(`%[^a-zA-Z%]*[0-9]{4}`)
	numberVerb = regexp.MustCompile(`%[^a-zA-Z%]*[bdeEfgGoxX]`)
)

// formatLimit refuses widths that fill the memory, and numbers without end.
func formatLimit(_ *budget, args []cty.Value) error {
	if wideVerb.MatchString(text(args[0])) {
		return function.NewArgErrorf(0, "a width or precision has at most three digits")
	}
	if numberVerb.MatchString(text(args[0])) {
		for i, v := range args[1:] {
			for _, e := range append(elements(v), v) {
				if err := digits(e); err != nil {
					return function.NewArgError(i+1, err)
				}
			}
		}
	}
	m, _ := measure(args...)
	return product(strings.Count(text(args[0]), "%")+1, 1000+m.bytes, maxBytes, errBytes)
}

// formatListLimit is that for as many texts as the longest list has elements, into each
// of which goes what is no list.
func formatListLimit(b *budget, args []cty.Value) error {
	if err := formatLimit(b, args); err != nil {
		return err
	}
	n, each := 1, len(text(args[0]))
	for _, v := range args[1:] {
		v, _ = v.Unmark()
		if t := v.Type(); v.IsKnown() && !v.IsNull() && (t.IsListType() || t.IsTupleType() || t.IsSetType()) {
			n = max(n, v.LengthInt())
			continue
		}
		m, _ := measure(v)
		each += m.bytes * strings.Count(text(args[0]), "%")
	}
	return product(n, each, maxBytes, errBytes)
}

// productLimit charges for the parts of the result.
func productLimit(b *budget, args []cty.Value) error {
	n := len(args)
	for _, v := range args {
		v, _ = v.Unmark()
		if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
			continue
		}
		if err := product(n, max(v.LengthInt(), 1), 1<<18, errNodes); err != nil {
			return err
		}
		n *= max(v.LengthInt(), 1)
	}
	parts := 0.0
	for _, v := range args {
		if list := elements(v); len(list) > 0 {
			m, _ := measure(v)
			parts += float64(n/len(list)) * float64(m.nodes)
		}
	}
	return b.charge(parts)
}

// containsLimit charges for comparing each element with the value.
func containsLimit(b *budget, args []cty.Value) error {
	list := elements(args[0])
	return b.charge(comparing(args[0]) + float64(len(list))*comparing(args[1]))
}

// setLimit charges for elements chosen to have the same hash, which a set compares with
// each other, and for the sets on the way, each of which is made anew.
func setLimit(b *budget, args []cty.Value) error {
	var all []cty.Value
	for _, v := range args {
		all = append(all, elements(v)...)
	}
	if len(args) > 2 {
		if err := b.charge(float64(len(args)) * float64(len(all))); err != nil {
			return err
		}
	}
	_, err := b.unique(all)
	return err
}

// distinctFunction is the distinct of the others, in a time that does not grow with the
// square of the number.
func distinctFunction(b *budget) function.Function {
	return function.New(&function.Spec{
		Description: "Removes any duplicate values from the given list, preserving the order of remaining elements.",
		Params:      []function.Parameter{{Name: "list", Type: cty.List(cty.DynamicPseudoType)}},
		Type:        func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(want), nil
			}
			list, err := b.unique(args[0].AsValueSlice())
			if err != nil {
				return cty.DynamicVal, err
			}
			if len(list) == 0 {
				return cty.ListValEmpty(want.ElementType()), nil
			}
			return cty.ListVal(list), nil
		},
	})
}

// unique are the first of each of values that are equal. Values of one hash are compared
// with each other, which is charged. None may be marked; unknown ones are left out.
func (b *budget) unique(list []cty.Value) ([]cty.Value, error) {
	var out []cty.Value
	seen := make(map[int][]cty.Value, len(list))
next:
	for _, v := range list {
		if !v.IsWhollyKnown() {
			continue
		}
		h := v.Hash()
		for _, before := range seen[h] {
			if err := b.charge(comparing(v) + comparing(before)); err != nil {
				return nil, err
			}
			if v.Equals(before).True() {
				continue next
			}
		}
		seen[h] = append(seen[h], v)
		out = append(out, v)
	}
	return out, nil
}

// comparing is what comparing a value with another one costs: each part is walked once
// for all that it is within.
func comparing(v cty.Value) float64 {
	v, _ = v.UnmarkDeep()
	return walked(v, 1)
}

func walked(v cty.Value, depth float64) float64 {
	cost := depth + float64(len(text(v)))/1024
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return cost
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		cost += walked(e, depth+1)
	}
	return cost
}

// jsonLimit bounds nesting and numbers before the decoder sees them, and charges for the
// parts: each is a type of its own.
func jsonLimit(b *budget, s string) error {
	depth, nodes, run, quoted := 0, 0, 0, false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case quoted && ch == '\\':
			i++
		case ch == '"':
			quoted = !quoted
		case quoted:
		case ch == '[' || ch == '{':
			if depth++; depth > maxDepth {
				return function.NewArgErrorf(0, "the JSON is nested more than %d deep", maxDepth)
			}
			if nodes++; ch == '{' {
				nodes += 4 // an object takes much more than its members
			}
		case ch == ']' || ch == '}':
			depth--
		case ch == ',':
			nodes++
		case ch >= '0' && ch <= '9':
			if run++; run > maxDigits {
				return function.NewArgError(0, errDigits)
			}
			continue
		case (ch == 'e' || ch == 'E') && i > 0 && s[i-1] >= '0' && s[i-1] <= '9':
			j := i + 1
			for j < len(s) && strings.IndexByte("+-0123456789", s[j]) >= 0 {
				j++
			}
			if !reasonableNumber([]byte("1" + s[i:j])) {
				return function.NewArgErrorf(0, "%s", fmt.Sprintf("the JSON has a number whose exponent is beyond %d", maxExponent))
			}
		}
		run = 0
	}
	if nodes > maxJSON {
		return function.NewArgErrorf(0, "the JSON has too many parts; put tables into a CSV file")
	}
	return b.charge(float64(nodes) * costJSON)
}
