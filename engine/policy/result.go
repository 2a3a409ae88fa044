package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What a result may hold at most.
const (
	maxID        = 128
	maxMessage   = 4096
	maxApprovals = 100
	maxControls  = 100
)

// members are the members of one result object. Reading one takes it out; what
// is left at the end is unknown.
type members map[string]ast.Value

func membersOf(t *ast.Term) (members, error) {
	o, ok := t.Value.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("a result is %s, and must be an object", ast.ValueName(t.Value))
	}
	m := members{}
	var err error
	o.Foreach(func(k, v *ast.Term) {
		if s, ok := k.Value.(ast.String); ok {
			m[string(s)] = v.Value
			return
		}
		err = fmt.Errorf("a result has the member %v, whose name is no string", k)
	})
	return m, err
}

// text takes a non-empty string out; "" and no error where it is absent and may be.
func (m members) text(name string, required bool, most int) (string, error) {
	v, ok := m[name]
	delete(m, name)
	switch {
	case !ok && required:
		return "", fmt.Errorf("a result has no %s", name)
	case !ok:
		return "", nil
	}
	s, _ := v.(ast.String)
	if len(s) > most || strings.TrimSpace(string(s)) == "" {
		return "", fmt.Errorf("%s is %s; it must be a string of 1 to %d bytes", name, clip(v), most)
	}
	return string(s), nil
}

func (m members) done() error {
	if len(m) == 0 {
		return nil
	}
	return fmt.Errorf("a result has the unknown member %q", slices.Min(slices.Collect(maps.Keys(m))))
}

func clip(v ast.Value) string {
	s := v.String()
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// texts takes an array or set of strings out, sorted.
func (m members) texts(name string) ([]string, error) {
	v, ok := m[name]
	delete(m, name)
	if !ok {
		return []string{}, nil
	}
	bad := fmt.Errorf("%s is %s; it must be an array or set of strings", name, clip(v))
	out := []string{}
	visit := func(t *ast.Term) error {
		s, _ := t.Value.(ast.String)
		if s == "" || len(s) > maxID {
			return bad
		}
		out = append(out, string(s))
		return nil
	}
	var err error
	switch v := v.(type) {
	case *ast.Array:
		err = v.Iter(visit)
	case ast.Set:
		err = v.Iter(visit)
	default:
		err = bad
	}
	slices.Sort(out)
	if out = slices.Compact(out); err == nil && len(out) > maxControls {
		err = fmt.Errorf("%s has %d members; %d is the most", name, len(out), maxControls)
	}
	return out, err
}
