package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
)

// checkTaken refuses modules in packages of another source. Each source is compiled
// alone, so that they disarm nothing; whoever wrote one believed that they would, or
// that they share what the other has.
func (f *folder) checkTaken(modules map[string]*ast.Module) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		own := modules[name].Package
		for _, taken := range f.source.Taken {
			if !own.Path.HasPrefix(refOf(taken)) {
				continue
			}
			diags = append(diags, f.texts.at(own.Location, "A package of the built-in library's",
				"Policy %q: the package %s is the built-in library's; declared here it changes nothing there and shares nothing with it, as each policy is compiled alone. "+
					"Give these rules a package of your own, as in `package helpers`, or remove the file.", f.source.Name, packageName(modules[name]))...)
		}
	}
	return diags
}

// refOf is where a package of that dotted name stands.
func refOf(name string) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument}
	for part := range strings.SplitSeq(name, ".") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ref
}
