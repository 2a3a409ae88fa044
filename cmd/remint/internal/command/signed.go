package command

import (
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
)

// signed is a kind of document that people sign about a plan, as names of files
// beside it end.
type signed string

const (
	anApproval  signed = "approval"
	anOverride  signed = "override"
	aBreakGlass signed = "breakglass"
)

// name begins a sentence about one.
func (s signed) name() string {
	switch s {
	case anOverride:
		return "An override"
	case aBreakGlass:
		return "A break-glass statement"
	}
	return "An approval"
}

// documents reads the named files, and those beside a plan of that kind.
func documents(kind signed, named []string, plan string) ([]gate.Document, diag.Diagnostics) {
	paths := named
	if plan != "" {
		found, _ := filepath.Glob(globEscape(plan) + ".*." + string(kind) + ".json") // the pattern is well-formed
		paths = append(paths, found...)
	}
	var out []gate.Document
	var diags diag.Diagnostics
	seen := map[string]bool{}
	for _, p := range paths {
		if seen[filepath.Clean(p)] {
			continue
		}
		seen[filepath.Clean(p)] = true
		b, err := readLimited(p, 1<<20)
		if err != nil {
			diags = diags.Errorf(kind.name()+" cannot be read", "%s: %s.", p, err)
			continue
		}
		out = append(out, gate.Document{Name: filepath.Base(p), Content: b})
	}
	return out, diags
}

// globEscape keeps a path's own characters from meaning anything in a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
