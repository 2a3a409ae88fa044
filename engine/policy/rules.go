package policy

import (
	"cmp"
	"path"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
)

// RuleDoc is what a rule of a source says about itself in its METADATA.
type RuleDoc struct {
	// Set is deny, warn or require; Stage when it is asked.
	Set   string
	Stage Stage
	// Folder that its file stands in: in a library, its group.
	Folder      string
	ID          string
	Title       string
	Description string
	Severity    string
	Remedy      string
	// OffUnless is the parameter that switches it on; empty for a rule that is on.
	OffUnless string
	Controls  []string
}

// Rules lists the rules of a source that count, by folder, stage, set and id.
// It reads the source's files and does nothing else.
func Rules(src Source) ([]RuleDoc, diag.Diagnostics) {
	f, diags := load(src)
	if diags.HasErrors() {
		return nil, diags
	}
	modules, diags := f.parse(f.modules, capabilities(), func(string) {})
	if diags.HasErrors() {
		return nil, diags
	}
	var out []RuleDoc
	for name, m := range modules {
		if !isStage(m) {
			continue
		}
		for _, rule := range m.Rules {
			if set := headName(rule); slices.Contains(sets, set) {
				doc := RuleDoc{Set: set, Stage: Stage(packageName(m)), Folder: path.Dir(name)}
				for _, a := range rule.Annotations {
					doc.read(a)
				}
				out = append(out, doc)
			}
		}
	}
	slices.SortFunc(out, func(a, b RuleDoc) int {
		return cmp.Or(cmp.Compare(a.Folder, b.Folder), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Set, b.Set), cmp.Compare(a.ID, b.ID))
	})
	return out, diags
}

// read takes over what one annotation says.
func (d *RuleDoc) read(a *ast.Annotations) {
	d.Title, d.Description = a.Title, a.Description
	text := func(name string) string { s, _ := a.Custom[name].(string); return s }
	d.ID, d.Severity, d.Remedy, d.OffUnless = text("id"), text("severity"), text("remedy"), text("off_unless")
	list, _ := a.Custom["controls"].([]any)
	for _, c := range list {
		if s, ok := c.(string); ok {
			d.Controls = append(d.Controls, s)
		}
	}
}
