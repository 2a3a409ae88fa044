package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions is the closed list that expressions may call, but for `file`,
// which belongs to a workspace. None of them knows the time, the environment
// or chance, so that the same files always mean the same.
func functions(b *budget) map[string]function.Function {
	plain := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
		"parseint": stdlib.ParseIntFunc, "range": stdlib.RangeFunc,
		"chomp": stdlib.ChompFunc, "lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc, "trim": stdlib.TrimFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "trimspace": stdlib.TrimSpaceFunc,
		"strlen": stdlib.StrlenFunc, "substr": stdlib.SubstrFunc, "regex": stdlib.RegexFunc,
		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"index": stdlib.IndexFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc,
		"reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"setunion": stdlib.SetUnionFunc, "setintersection": stdlib.SetIntersectionFunc, "setsubtract": stdlib.SetSubtractFunc,
		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,
		"format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "join": stdlib.JoinFunc, "split": stdlib.SplitFunc,
		"replace": stdlib.ReplaceFunc, "distinct": stdlib.DistinctFunc, "setproduct": stdlib.SetProductFunc,
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	}
	out := make(map[string]function.Function, len(plain)+3)
	for name, f := range plain {
		out[name] = bounded(name, f, b)
	}
	out["try"], out["can"] = tryFunction(), canFunction()
	return out
}

// bounded is f with its arguments measured before, its result after, and its
// errors silenced where an argument is sensitive: they like to quote.
func bounded(name string, f function.Function, b *budget) function.Function {
	limit := limits[name]
	unifies := slices.Contains([]string{"tolist", "toset", "tomap", "setproduct"}, name)
	var types []cty.Type
	var more cty.Type
	open := func(p function.Parameter) function.Parameter {
		p.Type = cty.DynamicPseudoType // fit converts, not HCL
		p.AllowMarked, p.AllowUnknown, p.AllowNull, p.AllowDynamicType = true, true, true, true
		return p
	}
	spec := &function.Spec{Description: f.Description(), Type: function.StaticReturnType(cty.DynamicPseudoType)}
	for _, p := range f.Params() {
		types = append(types, p.Type)
		spec.Params = append(spec.Params, open(p))
	}
	if p := f.VarParam(); p != nil {
		more = p.Type
		v := open(*p)
		spec.VarParam = &v
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		m, err := measure(args...)
		if err == nil {
			err = b.spend(m.nodes + m.bytes/64)
		}
		if err == nil && limit != nil {
			err = limit(args)
		}
		if err != nil {
			return cty.DynamicVal, err
		}
		args = slices.Clone(args)
		for i := range args {
			want := more
			if i < len(types) {
				want = types[i]
			}
			if unifies {
				args[i] = uniform(args[i], name == "tomap")
			}
			if args[i], err = fit(args[i], want, i, unifies, b); err != nil {
				break
			}
		}
		var v cty.Value
		if err == nil {
			v, err = f.Call(args)
		} else {
			v = cty.DynamicVal
		}
		if err != nil && slices.ContainsFunc(args, cty.Value.ContainsMarked) {
			return v, errors.New("it does not accept this sensitive value (why is not said, because that could show the value)")
		}
		if err != nil {
			return v, shortened(err)
		}
		return v, nil // the expression around measures the result
	}
	return function.New(spec)
}

// shortened keeps an error that quotes its input from filling the screen.
func shortened(err error) error {
	msg := err.Error()
	if len(msg) <= 300 {
		return err
	}
	short := errors.New(strings.ToValidUTF8(msg[:300], "") + "…")
	var arg function.ArgError
	if errors.As(err, &arg) {
		return function.NewArgError(arg.Index, short)
	}
	return short
}

// limits are the guards of functions whose result is not bounded by the size
// of their arguments, or whose time is not.
var limits = map[string]func([]cty.Value) error{
	"format":     formatLimit,
	"formatlist": formatLimit,
	"join": func(args []cty.Value) error {
		m, _ := measure(args[1:]...)
		return product(len(text(args[0])), m.nodes, maxBytes, errBytes)
	},
	"split": func(args []cty.Value) error {
		if strings.Count(text(args[1]), text(args[0])) >= maxNodes {
			return errNodes
		}
		return nil
	},
	"replace": func(args []cty.Value) error {
		return product(strings.Count(text(args[0]), text(args[1])), len(text(args[2])), maxBytes, errBytes)
	},
	"distinct":   func(args []cty.Value) error { return atMost(args, 3000) }, // its time is quadratic
	"setproduct": productLimit,
	"regex": func(args []cty.Value) error {
		if len(text(args[0])) > 1000 {
			return function.NewArgErrorf(0, "a pattern has at most 1000 characters")
		}
		return nil
	},
	"csvdecode": func(args []cty.Value) error {
		s := text(args[0])
		if strings.Count(s, ",")+strings.Count(s, "\n") >= maxNodes {
			return errNodes
		}
		return nil
	},
	"jsondecode": jsonLimit,
	"toset":      setLimit,
}

// text is a string argument, "" if it is none.
func text(v cty.Value) string {
	v, _ = v.Unmark()
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return ""
	}
	return v.AsString()
}

func product(a, b, limit int, err error) error {
	if a > 0 && b > limit/a {
		return err
	}
	return nil
}

func atMost(args []cty.Value, n int) error {
	v, _ := args[0].Unmark()
	if v.IsKnown() && !v.IsNull() && v.CanIterateElements() && v.LengthInt() > n {
		return function.NewArgErrorf(0, "at most %d elements are possible here; toset takes more", n)
	}
	return nil
}

var wideVerb = regexp.MustCompile(`%[^a-zA-Z%]*[0-9]{4}`)

// formatLimit refuses widths that fill the memory.
func formatLimit(args []cty.Value) error {
	if wideVerb.MatchString(text(args[0])) {
		return function.NewArgErrorf(0, "a width or precision has at most three digits")
	}
	m, _ := measure(args...)
	return product(strings.Count(text(args[0]), "%")+1, 1000+m.bytes, maxBytes, errBytes)
}

func productLimit(args []cty.Value) error {
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
	return nil
}

// setLimit refuses elements chosen to have the same hash: a set compares those
// with each other.
func setLimit(args []cty.Value) error {
	v, _ := args[0].Unmark()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return nil
	}
	seen := make(map[int]int, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.ContainsMarked() || !e.IsWhollyKnown() {
			continue
		}
		h := e.Hash()
		if seen[h]++; seen[h] > 2000 {
			return function.NewArgErrorf(0, "too many elements are alike")
		}
	}
	return nil
}

// jsonLimit bounds nesting and exponents before the decoder sees them.
func jsonLimit(args []cty.Value) error {
	s := text(args[0])
	depth, nodes, quoted := 0, 0, false
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
		case (ch == 'e' || ch == 'E') && i > 0 && s[i-1] >= '0' && s[i-1] <= '9':
			j := i + 1
			for j < len(s) && strings.IndexByte("+-0123456789", s[j]) >= 0 {
				j++
			}
			if !reasonableNumber([]byte("1" + s[i:j])) {
				return function.NewArgErrorf(0, "%s", fmt.Sprintf("the JSON has a number whose exponent is beyond %d", maxExponent))
			}
		}
	}
	if nodes > maxJSON {
		return function.NewArgErrorf(0, "the JSON has too many parts; put tables into a CSV file")
	}
	return nil
}
