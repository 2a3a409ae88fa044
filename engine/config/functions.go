package config

import (
	"errors"
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
		"replace": stdlib.ReplaceFunc, "distinct": distinctFunction(b), "setproduct": stdlib.SetProductFunc,
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
			err = limit(b, args)
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
