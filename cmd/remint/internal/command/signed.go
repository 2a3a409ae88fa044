package command

import (
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/internal/boundedfile"
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

// documents reads the named files, and those beside a plan of that kind. Whoever may
// write beside a plan can lay any number of them there: they are bounded together.
func documents(kind signed, named []string, plan string) ([]gate.Document, diag.Diagnostics) {
	paths := named
	if plan != "" {
		found, _ := filepath.Glob(globEscape(plan) + ".*." + string(kind) + ".json") // the pattern is well-formed
		paths = append(paths, found...)
	}
	if len(paths) > gate.MaxDocuments {
		return nil, tooMuch(kind, "there are more than %d of them", gate.MaxDocuments)
	}
	var out []gate.Document
	var diags diag.Diagnostics
	seen, total := map[string]bool{}, 0
	for _, p := range paths {
		if seen[filepath.Clean(p)] {
			continue
		}
		seen[filepath.Clean(p)] = true
		b, err := boundedfile.Read(p, gate.MaxDocument)
		if err != nil {
			diags = diags.Errorf(kind.name()+" cannot be read", "%s: %s.", p, err)
			continue
		}
		if total += len(b); total > gate.MaxTotal {
			return nil, tooMuch(kind, "together they are larger than %d MiB", gate.MaxTotal>>20)
		}
		out = append(out, gate.Document{Name: filepath.Base(p), Content: b})
	}
	return out, diags
}

// tooMuch refuses what lies beside a plan and cannot be what people signed about it.
func tooMuch(kind signed, what string, most int) diag.Diagnostics {
	return diag.Errored(0, kind.name()+" cannot be read", "Of the files that are named or lie beside the plan and end in .%s.json nothing is read: "+what+". Remove those that nobody signed.", kind, most)
}

// globEscape keeps a path's own characters from meaning anything in a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
