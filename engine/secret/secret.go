// Package secret is the one place that holds secrets.
//
// A Value keeps its bytes behind a function, so that no formatting verb,
// encoder, template or debugger's pretty printer that is handed a Value, or
// anything that contains one, can reach them. The bytes come out through
// Reveal alone; grep for it to audit every use.
package secret

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Redacted is what a Value looks like to everything but Reveal.
const Redacted = "(secret)"

// Value is a secret. The zero value is the absent secret.
type Value struct{ reveal func() []byte }

// New takes a copy of b.
func New(b []byte) Value {
	c := slices.Clone(b)
	return Value{reveal: func() []byte { return c }}
}

// FromString is New for strings.
func FromString(s string) Value { return New([]byte(s)) }

// Reveal gives a copy of the bytes; nil for the absent secret.
func (v Value) Reveal() []byte {
	if v.reveal == nil {
		return nil
	}
	return slices.Clone(v.reveal())
}

// RevealString is Reveal as a string.
func (v Value) RevealString() string { return string(v.Reveal()) }

// IsZero reports whether the secret is absent.
func (v Value) IsZero() bool { return v.reveal == nil }

// Equal compares in constant time (for equal lengths).
func (v Value) Equal(w Value) bool {
	return v.IsZero() == w.IsZero() && subtle.ConstantTimeCompare(v.Reveal(), w.Reveal()) == 1
}

// String never shows the secret.
func (v Value) String() string { return Redacted }

// Format never shows the secret, whatever the verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalJSON fails: a document that is about to carry a secret is a defect.
func (v Value) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a secret cannot be written into a document")
}

// MarshalText fails, for the same reason.
func (v Value) MarshalText() ([]byte, error) {
	return nil, errors.New("a secret cannot be written into a document")
}

// Material is a credential's secret with its fields: `value`; or `private_key`
// and `public_key`; or `certificate`, `private_key` and `chain`. Some fields
// are public by nature; they are held alike. The zero value is empty.
type Material struct{ fields map[string]Value }

// NewMaterial takes a copy of fields.
func NewMaterial(fields map[string]Value) Material {
	m := Material{fields: make(map[string]Value, len(fields))}
	for k, v := range fields {
		m.fields[k] = v
	}
	return m
}

// Single is the material of a type with the one field `value`.
func Single(v Value) Material { return NewMaterial(map[string]Value{"value": v}) }

// Field gives the named field, absent if there is none.
func (m Material) Field(name string) Value { return m.fields[name] }

// With is a copy of m with one field replaced.
func (m Material) With(name string, v Value) Material {
	out := NewMaterial(m.fields)
	out.fields[name] = v
	return out
}

// Names lists the fields, sorted.
func (m Material) Names() []string {
	names := make([]string, 0, len(m.fields))
	for k := range m.fields {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// IsZero reports whether there are no fields.
func (m Material) IsZero() bool { return len(m.fields) == 0 }

// Encode writes the material in the clear, for sealing and nothing else.
func (m Material) Encode() []byte {
	raw := make(map[string][]byte, len(m.fields))
	for k, v := range m.fields {
		raw[k] = v.Reveal()
	}
	b, err := json.Marshal(raw)
	if err != nil { // strings and bytes always encode
		panic(err)
	}
	return b
}

// Decode reads what Encode wrote. Errors never quote the input.
func Decode(b []byte) (Material, error) {
	var raw map[string][]byte
	if json.Unmarshal(b, &raw) != nil {
		return Material{}, errors.New("sealed material is damaged")
	}
	m := Material{fields: make(map[string]Value, len(raw))}
	for k, v := range raw {
		m.fields[k] = New(v)
	}
	return m, nil
}
