package provider

import (
	"reflect"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/secret"
)

// Path is a path as the user wrote it and as it resolves.
type Path struct {
	// Written is for people and digests; Absolute for opening.
	Written, Absolute string
}

// Attrs are the evaluated attributes of a block. The getters give the zero
// value for what is absent; defaults are already filled in.
type Attrs struct{ values map[string]any }

// NewAttrs takes a copy of values, whose Go types are those of AttrType;
// sensitive strings are secret.Value.
func NewAttrs(values map[string]any) Attrs {
	a := Attrs{values: make(map[string]any, len(values))}
	for k, v := range values {
		a.values[k] = v
	}
	return a
}

func get[T any](a Attrs, name string) T {
	v, _ := a.values[name].(T)
	return v
}

// Has reports whether the attribute was set or has a default.
func (a Attrs) Has(name string) bool {
	v, ok := a.values[name]
	_, unknown := v.(Unknown)
	return ok && !unknown
}

// Unknown stands for a value that depends on a variable without one, which
// happens offline only. The getters take it for absent.
type Unknown struct{ Sensitive bool }

// Known reports whether every attribute's value is known, or shows by name only.
func (a Attrs) Known() bool {
	for _, v := range a.values {
		if u, ok := v.(Unknown); ok && !u.Sensitive {
			return false
		}
	}
	return true
}

// Equal reports whether two blocks say the same: secrets by their value, paths as
// they are written. What is unknown is equal to anything that is there.
func (a Attrs) Equal(b Attrs) bool {
	if len(a.values) != len(b.values) {
		return false
	}
	for k, v := range a.values {
		w, ok := b.values[k]
		if !ok || !equal(v, w) {
			return false
		}
	}
	return true
}

func equal(a, b any) bool {
	if _, unknown := b.(Unknown); unknown {
		return true
	}
	switch a := a.(type) {
	case Unknown:
		return true
	case secret.Value:
		b, ok := b.(secret.Value)
		return ok && a.Equal(b)
	case Path:
		b, ok := b.(Path)
		return ok && a.Written == b.Written
	}
	return reflect.DeepEqual(a, b)
}

// String gives a string attribute.
func (a Attrs) String(name string) string { return get[string](a, name) }

// Int gives a number attribute.
func (a Attrs) Int(name string) int64 { return get[int64](a, name) }

// Bool gives a bool attribute.
func (a Attrs) Bool(name string) bool { return get[bool](a, name) }

// Duration gives a duration attribute.
func (a Attrs) Duration(name string) time.Duration { return get[time.Duration](a, name) }

// Strings gives a list attribute.
func (a Attrs) Strings(name string) []string { return slices.Clone(get[[]string](a, name)) }

// Map gives a map attribute; do not modify it.
func (a Attrs) Map(name string) map[string]string { return get[map[string]string](a, name) }

// Path gives a path attribute.
func (a Attrs) Path(name string) Path { return get[Path](a, name) }

// Secret gives a sensitive attribute, absent if unset.
func (a Attrs) Secret(name string) secret.Value { return get[secret.Value](a, name) }

// Public is a JSON-ready copy for digests and policy input: paths as written,
// durations as text, and of each sensitive value only that it is there.
func (a Attrs) Public() map[string]any {
	out := make(map[string]any, len(a.values))
	for k, v := range a.values {
		switch v := v.(type) {
		case secret.Value:
			out[k] = secret.Redacted
		case Unknown:
			if v.Sensitive {
				out[k] = secret.Redacted
			}
		case Path:
			out[k] = v.Written
		case time.Duration:
			out[k] = v.String()
		default:
			out[k] = v
		}
	}
	return out
}
