package engine

import (
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// withLibrary tells configuration what the library has to choose and to set.
func withLibrary(o *config.Options, l *policy.Library, types []string) {
	o.Algorithms = policy.SigningAlgorithms()
	o.DefaultGroups, o.Parameters, o.ParameterGroups = l.Defaults(), LibrarySchema(l, types), map[string]string{}
	for _, g := range l.Groups {
		if !g.Always {
			o.Groups = append(o.Groups, g.Name)
		}
	}
	for _, p := range l.Parameters {
		o.ParameterGroups[p.Name] = p.Group
	}
}

// LibrarySchema is the library's parameters as attributes; types are the credential types
// that there are. None has a default: a parameter that is not set keeps the library's own.
func LibrarySchema(l *policy.Library, types []string) provider.Schema {
	var s provider.Schema
	for _, p := range l.Parameters {
		if p.Form == policy.TypeName {
			p.OneOf = types
		}
		s.Attributes = append(s.Attributes, provider.Attribute{
			Name: p.Name, Type: provider.AttrType(p.Type), Description: p.Description, OneOf: p.OneOf, Min: p.Min, Max: p.Max, Check: p.Check,
		})
	}
	return s
}

// builtinSource is the library as the workspace chooses and sets it.
func builtinSource(library *policy.Library, w *config.Workspace) (policy.Source, error) {
	source, err := library.Source(BuiltinPolicies, w.Library.Groups, w.Library.Parameters.Public())
	if err != nil {
		return source, err
	}
	groups := make(map[string]string, len(w.Library.Enforcement))
	for g, e := range w.Library.Enforcement {
		groups[g] = string(e)
	}
	source.Rules, err = library.Enforced(source, groups)
	source.Path, source.Known = "policies(built in)", true
	return source, err
}
