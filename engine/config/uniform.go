package config

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// What HCL writes as [ … ] and { … } has a type for each element, and finding the
// one type of a list that fits them all takes time and memory that grow with the
// square of their number: minutes for 100,000.
const (
	manyParts = 32   // from here on a value of one element type is made a list or a map
	mostParts = 3000 // more parts of different types are not converted
)

var errMixed = fmt.Errorf("more than %d elements of different types are not made into one list or map; give all of them one type", mostParts)

// uniform gives a large tuple as a list, and with objects a large object as a
// map, if all parts have the same type. Nothing else can be told from the result.
func uniform(v cty.Value, objects bool) cty.Value {
	ty := v.Type()
	if !ty.IsTupleType() && (!objects || !ty.IsObjectType()) {
		return v
	}
	bare, marks := v.Unmark()
	if bare.IsNull() || !bare.IsKnown() || bare.LengthInt() <= manyParts {
		return v
	}
	if ty.IsTupleType() {
		types := ty.TupleElementTypes()
		for _, t := range types[1:] {
			if !t.Equals(types[0]) {
				return v
			}
		}
		return cty.ListVal(bare.AsValueSlice()).WithMarks(marks)
	}
	var first cty.Type
	for _, t := range ty.AttributeTypes() {
		switch {
		case first == cty.NilType:
			first = t
		case !t.Equals(first):
			return v
		}
	}
	return cty.MapVal(bare.AsValueMap()).WithMarks(marks)
}

// mixed counts the pairs of types that bringing a type's parts under one compares,
// here and further in. It is an error where that is too much at once.
func mixed(ty cty.Type) (pairs int, err error) {
	var parts []cty.Type
	switch {
	case ty.IsTupleType():
		parts = ty.TupleElementTypes()
	case ty.IsObjectType():
		for _, t := range ty.AttributeTypes() {
			parts = append(parts, t)
		}
	case ty.IsCollectionType():
		return mixed(ty.ElementType())
	}
	if len(parts) > mostParts {
		return 0, errMixed
	}
	pairs = len(parts) * len(parts)
	for _, t := range parts {
		n, err := mixed(t)
		if err != nil {
			return 0, err
		}
		pairs += n
	}
	return pairs, nil
}

// unify charges for bringing the parts of a value under one type.
func (b *budget) unify(ty cty.Type) error {
	pairs, err := mixed(ty)
	if err != nil {
		return err
	}
	return b.spend(pairs / 16)
}

// fit converts a function's argument, as HCL does, at a cost that is linear or
// charged. unifies is set for functions that go on to bring parts under one type.
func fit(v cty.Value, want cty.Type, position int, unifies bool, b *budget) (cty.Value, error) {
	v = uniform(v, want.IsMapType())
	if want == cty.Number {
		if err := digits(v); err != nil {
			return v, function.NewArgError(position, err)
		}
	}
	same := want == cty.DynamicPseudoType || v.Type().Equals(want)
	if !same || unifies {
		if err := b.unify(v.Type()); err != nil {
			return v, function.NewArgError(position, err)
		}
	}
	if same {
		return v, nil
	}
	out, err := convert.Convert(v, want)
	if err != nil {
		return v, function.NewArgError(position, err)
	}
	return out, nil
}
