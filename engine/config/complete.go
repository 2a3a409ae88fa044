package config

import (
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// Complete finds what `when` took away that a reset of c cannot be without: every
// step of a phase that is needed, so that no kept step waits for a secret that
// nobody makes; and, where the old secret is revoked after the new one is handed
// out, what gives it to a store or tells a consumer. steps are those that Expand
// kept. It is for what is planned: an open run ends by the steps that it has.
func (r *Runbook) Complete(c *Credential, reset Reset, steps []Step) diag.Diagnostics {
	var diags diag.Diagnostics
	why := fmt.Sprintf("With the reason %s (mode %s) `when` leaves out", reset.Reason, reset.Mode)
	for _, p := range reset.Mode.Required(c.Type.Kind, c.Type.Sessions) {
		if p == lifecycle.Distribute && len(c.Stores) == 0 || !r.has(p) { // Check says that
			continue
		}
		if slices.ContainsFunc(steps, func(st Step) bool { return st.Phase == p }) {
			continue
		}
		at, names := r.conditional(p)
		diags = append(diags, r.at(at, "A phase is left out", "%s %s, and a reset of %s needs the phase %s. Remove the `when`, or let it keep a step of that phase.", why, names, c.Type.Name, p))
	}
	if reset.Mode != lifecycle.Cutover || c.Type.Kind == lifecycle.InPlace {
		return diags
	}
	if keys := missed(c.Stores, steps, func(st Step) *Block { return st.Store }); keys != "" && diags == nil {
		at, names := r.conditional(lifecycle.Distribute)
		diags = append(diags, r.at(at, "A store is left with the dead secret", "%s %s for %s, and the old secret is revoked all the same. Let a step distribute go to each store, or take the store block out of the credential.", why, names, keys))
	}
	if keys := missed(c.Consumers, steps, func(st Step) *Block { return st.Consumer }); keys != "" {
		const summary = "A consumer is left with the dead secret"
		if at, names := r.conditional(lifecycle.Reload); names != "" {
			diags = append(diags, r.at(at, summary, "%s %s for %s, and the old secret is revoked all the same. Let a step reload go to each consumer, or take the consumer block out of the credential.", why, names, keys))
		} else {
			diags = append(diags, r.at(r.Range, summary, "In the mode %s the old secret is revoked, and runbook %q has no step that tells %s. Add reload \"NAME\" { for_each = credential.consumers }, or take the consumer block out of the credential.", reset.Mode, r.Name, keys))
		}
	}
	return diags
}

// conditional are the steps of a phase that have a `when`, and where the first is.
func (r *Runbook) conditional(p lifecycle.Phase) (at diag.Range, names string) {
	var out []string
	for _, s := range r.steps {
		if s.base.Phase == p && s.when != nil {
			if len(out) == 0 {
				at = diag.RangeOf(s.when.Range())
			}
			out = append(out, s.name())
		}
	}
	return at, join(out, "and")
}

// missed are the keys of the blocks that no step acts on.
func missed(blocks []*Block, steps []Step, of func(Step) *Block) string {
	var out []string
	for _, b := range blocks {
		if !slices.ContainsFunc(steps, func(st Step) bool { return of(st) == b }) {
			out = append(out, b.Key())
		}
	}
	return join(out, "and")
}

// incomplete is what Complete finds for each credential and reason, as far as that
// is known before anybody asks for a reset: `when` may hang on the ticket or on a
// variable, and is then decided by the plan. A fault is told once, for the first
// credential that has it.
func (w *Workspace) incomplete() diag.Diagnostics {
	var diags diag.Diagnostics
	seen := map[string]bool{}
	for _, c := range w.Credentials {
		r := c.Runbook
		if r.Builtin { // those leave out nothing
			continue
		}
		for _, reason := range r.deciding() {
			reset := Reset{Reason: reason, Mode: reason.Mode()}
			x := expansion{r: r, c: c, reset: reset, bare: true, seen: map[string][]addrs.Step{}}
			steps, found := x.all()
			if !found.HasErrors() {
				found = r.Complete(c, reset, steps)
			}
			for _, d := range found {
				if key := d.Summary + d.Range.String(); !seen[key] {
					seen[key] = true
					d.Address = c.Addr.String()
					diags = append(diags, d)
				}
			}
		}
	}
	return diags
}

// deciding are the reasons on which the steps of the runbook may hang.
func (r *Runbook) deciding() []lifecycle.Reason {
	if slices.ContainsFunc(r.steps, func(s *step) bool { return s.when != nil }) {
		return lifecycle.Reasons()
	}
	return []lifecycle.Reason{lifecycle.Scheduled}
}
