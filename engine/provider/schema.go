package provider

// AttrType is the type of an attribute.
type AttrType string

// The attribute types and the Go types that Attrs holds them as.
const (
	String     AttrType = "string"       // string
	Int        AttrType = "number"       // int64
	Bool       AttrType = "bool"         // bool
	Duration   AttrType = "duration"     // time.Duration; written as "720h"
	StringList AttrType = "list(string)" // []string
	StringMap  AttrType = "map(string)"  // map[string]string
	PathType   AttrType = "path"         // Path; written as a string
)

// Schema declares the attributes of a block.
type Schema struct {
	Attributes []Attribute
}

// Attribute declares one attribute.
type Attribute struct {
	Name        string
	Type        AttrType
	Description string
	Required    bool
	// Key marks the attributes of a credential type that together say which
	// credential it is at its target (a role, a user, a comment): two addresses
	// that agree in them are the same credential (see Account), and share a lease.
	Key bool
	// Sensitive attributes may be given sensitive values, are held as
	// secret.Value (String only), and enter digests by name.
	Sensitive bool
	// Default is used when the attribute is absent; nil for none. Its Go type
	// is the one that Attrs holds.
	Default any
	// Writes marks a path that remint writes to: it must stay inside the
	// workspace unless absolute, and never lead into .git, .remint, policies,
	// keys or *.remint.hcl.
	Writes bool
	// OneOf lists the only allowed strings, if any; of a list, for each of its entries.
	OneOf []string
	// Min and Max bound numbers and durations when not both zero.
	Min, Max int64
	// Check finds fault with a value that has the right type; the error is shown
	// to the user as a sentence's second half ("must …").
	Check func(value any) error
}

// Find gives the attribute of that name.
func (s Schema) Find(name string) (Attribute, bool) {
	for _, a := range s.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}
