package policy

import (
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// Words is the schema of a type that has a vocabulary, nil of others. What policies
// compare with a member of such a type must be in it. Trust and the fields of a change,
// which are plain strings, have theirs in Input's tags.
func Words(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[lifecycle.Reason]():
		return enum(lifecycle.Reasons())
	case reflect.TypeFor[lifecycle.Mode]():
		return enum(lifecycle.Modes())
	case reflect.TypeFor[lifecycle.Phase]():
		return enum(lifecycle.Phases())
	case reflect.TypeFor[lifecycle.Strength]():
		return enum(lifecycle.Strengths())
	case reflect.TypeFor[lifecycle.Kind]():
		return enum([]lifecycle.Kind{lifecycle.InPlace, lifecycle.Overlapping, lifecycle.Minted})
	case reflect.TypeFor[lifecycle.Proof](): // empty before there is one
		return enum([]lifecycle.Proof{"", lifecycle.Tested, lifecycle.Reported, lifecycle.Unknown})
	case reflect.TypeFor[plan.Chosen]():
		return enum([]plan.Chosen{plan.ByAddress, plan.ByWhere, plan.ByAll, plan.ByDue})
	case reflect.TypeFor[Stage]():
		return enum(stages)
	}
	return nil
}

func enum[T ~string](values []T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}
