package engine

import "slices"

// Operator is who runs a command, as far as the system tells. The zero value is nobody
// who is known.
type Operator struct {
	// Name is what people and policies are told.
	Name string
	// Also are the other names that are known of her. Each of them bars her as Name does.
	Also []string
}

// OperatorOf is who goes by all of these names, the first of which is shown. Names that
// are empty or said twice are left out; of none it is "unknown".
func OperatorOf(names ...string) Operator {
	var o Operator
	for _, n := range names {
		switch {
		case n == "" || n == o.Name || slices.Contains(o.Also, n):
		case o.Name == "":
			o.Name = n
		default:
			o.Also = append(o.Also, n)
		}
	}
	if o.Name == "" {
		o.Name = "unknown"
	}
	return o
}

// eachOnce is all lists in a row, with what is said twice said once.
func eachOnce(lists ...[]string) []string {
	var out []string
	for _, s := range slices.Concat(lists...) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// names are all of them.
func (o Operator) names() []string { return append([]string{o.Name}, o.Also...) }
