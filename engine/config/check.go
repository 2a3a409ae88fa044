package config

import (
	"slices"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Check finds what keeps the runbook from being run for type t in mode: phases
// that are needed and not there, kept steps that refer to dropped ones. It has
// no side effects.
func (r *Runbook) Check(t *provider.CredentialType, mode lifecycle.Mode) diag.Diagnostics {
	var diags diag.Diagnostics
	if r.Resets != t.Name {
		diags = append(diags, r.at(r.Range, "A runbook for another type", "Runbook %q resets credentials of type %q, not %q.", r.Name, r.Resets, t.Name))
		return diags
	}
	for _, p := range mode.Required(t.Kind, t.Sessions) {
		if !r.has(p) {
			diags = append(diags, r.at(r.Range, "A phase is missing", "In the mode %s, a reset of %s needs the phase %s, and runbook %q has no such step. Add a block %s \"NAME\" { … }.", mode, t.Name, p, r.Name, p))
		}
	}
	for _, s := range r.steps {
		if !mode.Has(s.base.Phase) {
			continue
		}
		if s.base.Phase == lifecycle.Install && t.Kind == lifecycle.Minted {
			diags = append(diags, r.at(s.base.Range, "A step that the type does not have", "The target makes secrets of type %s itself, so there is nothing to install. Remove step %s.", t.Name, s.name()))
		}
		if s.base.Secret != nil && !mode.Has(lifecycle.Issue) && s.base.Phase != lifecycle.Distribute {
			diags = append(diags, r.at(s.base.Range, "A step refers to one that is dropped", "In the mode %s nothing is issued, and step %s needs it.", mode, s.name()))
		}
		for _, d := range s.depends {
			diags = append(diags, r.checkWait(s, d, mode)...)
		}
	}
	return diags
}

// checkWait finds a wait for what the mode does not have, or has only later.
func (r *Runbook) checkWait(s, d *step, mode lifecycle.Mode) diag.Diagnostics {
	if !mode.Has(d.base.Phase) {
		return diag.Diagnostics{r.at(s.base.Range, "A step refers to one that is dropped", "Step %s waits for %s, which the mode %s does not have. Remove it from depends_on.", s.name(), d.name(), mode)}
	}
	order := mode.Order()
	slices.Reverse(order)
	last := len(order) - 1 - slices.Index(order, s.base.Phase)
	slices.Reverse(order)
	if slices.Index(order, d.base.Phase) > last {
		return diag.Diagnostics{r.at(s.base.Range, "A step waits for a later one", "Step %s waits for %s, and in the mode %s the phase %s comes later. Remove it from depends_on: the mode orders the phases.", s.name(), d.name(), mode, d.base.Phase)}
	}
	return nil
}

func (r *Runbook) has(p lifecycle.Phase) bool {
	return slices.ContainsFunc(r.steps, func(s *step) bool { return s.base.Phase == p })
}

// Validate says what can be said offline beyond Load: whether every runbook
// can run in every mode, and for every credential that it resets. Each fault is
// told once.
func (w *Workspace) Validate() diag.Diagnostics {
	diags := append(w.checkRunbooks(), w.incomplete()...)
	sortDiagnostics(diags)
	return diags
}

// checkRunbooks checks every runbook in every mode.
func (w *Workspace) checkRunbooks() diag.Diagnostics {
	var diags diag.Diagnostics
	seen := map[string]bool{}
	for _, name := range keys(w.Runbooks) {
		r := w.Runbooks[name]
		if r.typ == nil {
			continue
		}
		for _, mode := range lifecycle.Modes() {
			for _, d := range r.Check(r.typ, mode) {
				if key := d.Summary + d.Range.String() + phaseOf(d); !seen[key] {
					seen[key] = true
					diags = append(diags, d)
				}
			}
		}
	}
	return diags
}

// phaseOf tells the missing phases of one runbook apart, and not the modes.
func phaseOf(d diag.Diagnostic) string {
	for _, p := range lifecycle.Phases() {
		if slices.Contains(fields(d.Detail), "phase "+string(p)) {
			return string(p)
		}
	}
	return ""
}
