package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// errSensitive is a sensitive value where none may be.
var errSensitive = errors.New("sensitive")

var errPositive = errors.New("must be longer than nothing")

// goValue turns an evaluated attribute into what provider.Attrs holds. It is
// absent (nil, nil) when null or not known. An error is the second half of a
// sentence that begins with the attribute's name.
func (l *loader) goValue(v cty.Value, a provider.Attribute) (any, error) {
	if !a.Sensitive && v.ContainsMarked() {
		return nil, errSensitive
	}
	v, _ = v.UnmarkDeep()
	if v.IsNull() || !v.IsWhollyKnown() {
		return nil, nil
	}
	out, err := convertTo(v, a.Type)
	if err != nil {
		return nil, err
	}
	if p, ok := out.(provider.Path); ok {
		if out, err = l.paths.resolve(p.Written); err != nil {
			return nil, err
		}
	}
	if err := constraint(out, a); err != nil {
		return nil, err
	}
	if a.Sensitive {
		return secret.FromString(out.(string)), nil
	}
	return out, nil
}

// convertTo gives the Go type of an attribute type.
func convertTo(v cty.Value, t provider.AttrType) (any, error) {
	wrong := func(want string) error { return fmt.Errorf("must be %s, and this is %s", want, kindOf(v)) }
	switch t {
	case provider.String, provider.PathType, provider.Duration:
		s, err := convert.Convert(v, cty.String)
		if err != nil {
			return nil, wrong("a string")
		}
		text := s.AsString()
		if strings.IndexByte(text, 0) >= 0 {
			return nil, errors.New("must not contain a NUL character")
		}
		switch t {
		case provider.PathType:
			return provider.Path{Written: text}, nil
		case provider.Duration:
			d, err := duration(text)
			return d, err
		}
		return text, nil
	case provider.Int:
		if err := digits(v); err != nil {
			return nil, wrong("a number")
		}
		n, err := convert.Convert(v, cty.Number)
		if err != nil {
			return nil, wrong("a number")
		}
		i, acc := n.AsBigFloat().Int64()
		if acc != 0 {
			return nil, errors.New("must be a whole number of ordinary size")
		}
		return i, nil
	case provider.Bool:
		b, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return nil, wrong("true or false")
		}
		return b.True(), nil
	case provider.StringList:
		return stringList(v, wrong)
	case provider.StringMap:
		return stringMap(v, wrong)
	}
	return nil, fmt.Errorf("has the type %q, which this program does not know", t)
}

func stringList(v cty.Value, wrong func(string) error) (any, error) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() && !v.Type().IsSetType() {
		return nil, wrong("a list of strings")
	}
	out := make([]string, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		s, err := convertTo(e, provider.String)
		if err != nil || e.IsNull() {
			return nil, errors.New("must hold strings only")
		}
		out = append(out, s.(string))
	}
	return out, nil
}

func stringMap(v cty.Value, wrong func(string) error) (any, error) {
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return nil, wrong("a map of strings")
	}
	out := make(map[string]string, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if e.IsNull() {
			return nil, fmt.Errorf("has no value for %s", quoted(k.AsString()))
		}
		s, err := convertTo(e, provider.String)
		if err != nil {
			return nil, fmt.Errorf("must hold strings only, and %s is %s", quoted(k.AsString()), kindOf(e))
		}
		out[k.AsString()] = s.(string)
	}
	return out, nil
}

// duration reads what time.ParseDuration does, and nothing negative.
func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("must be a duration like \"720h\", \"90m\" or \"30s\"%s, and not %s", inDays(s), quoted(s))
	}
	if d < 0 {
		return 0, fmt.Errorf("must not be negative, and is %s", quoted(s))
	}
	return d, nil
}

// inDays translates what people write for days.
func inDays(s string) string {
	var n int
	var unit string
	if c, _ := fmt.Sscanf(s, "%d%s", &n, &unit); c == 2 && n > 0 && n < 10000 && (unit == "d" || strings.HasPrefix(unit, "day")) {
		return fmt.Sprintf(" (%d days are \"%dh\")", n, 24*n)
	}
	return ""
}

// constraint applies what a schema asks beyond the type.
func constraint(v any, a provider.Attribute) error {
	if s, ok := v.(string); ok && len(a.OneOf) > 0 && !slices.Contains(a.OneOf, s) {
		return fmt.Errorf("must be %s, and not %s.%s", oneOf(a.OneOf), quoted(s), strings.TrimSuffix(meant(s, a.OneOf), "?"))
	}
	if list, ok := v.([]string); ok && len(a.OneOf) > 0 {
		for _, s := range list {
			if !slices.Contains(a.OneOf, s) {
				return fmt.Errorf("has the entry %s, and each must be %s.%s", quoted(s), oneOf(a.OneOf), strings.TrimSuffix(meant(s, a.OneOf), "?"))
			}
		}
	}
	if a.Min != 0 || a.Max != 0 {
		var n int64
		show := func(n int64) string { return fmt.Sprint(n) }
		switch v := v.(type) {
		case int64:
			n = v
		case time.Duration:
			n, show = int64(v), func(n int64) string { return time.Duration(n).String() }
		}
		if n < a.Min || n > a.Max {
			return fmt.Errorf("must be between %s and %s, and is %s", show(a.Min), show(a.Max), show(n))
		}
	}
	if a.Check != nil {
		if err := a.Check(v); err != nil {
			return err
		}
	}
	return nil
}

func oneOf(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quoted(n)
	}
	return join(q, "or")
}

// kindOf says what a value is, in the words of the language.
func kindOf(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	switch t := v.Type(); {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "a bool"
	case t.IsTupleType() || t.IsListType():
		return "a list"
	case t.IsSetType():
		return "a set"
	case t.IsMapType() || t.IsObjectType():
		return "a map"
	}
	return "something else"
}
