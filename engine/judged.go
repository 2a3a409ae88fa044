package engine

import (
	"fmt"
	"maps"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/trust"
)

// pinned holds a digest against the pin.
func (e *Engine) pinned(model *trust.Base) diag.Diagnostics {
	pin := e.opts.Trust.Pin
	switch {
	case pin == "" || model.Digest() == pin:
		return nil
	case !model.Known():
		return diag.Diagnostics{}.Warnf("The trust base is not compared", "Some of it depends on variables that have no value here, so its digest is not known. Give them their values to compare it with REMINT_TRUST.")
	}
	whose := "The workspace's own judges have"
	if e.opts.Trust.Place != "" {
		whose = "The trust base " + e.opts.Trust.Place + " has"
	}
	return diag.Errored(0, "Not the pinned trust base", "%s the digest %s, and REMINT_TRUST asks for %s. "+
		"See `remint trust show`; pin the new digest only once the change of judges was agreed to.", whose, model.Digest(), pin)
}

// judgedBy finds fault with a plan that was made under other judges than those of
// the base, nil for none, or than the pin.
func (e *Engine) judgedBy(file *plan.File, base *trustBase) diag.Diagnostics {
	stated, pin := file.Plan.TrustDigest, e.opts.Trust.Pin
	switch {
	case pin != "" && pin != stated:
		return diag.Errored(diag.ExitStale, "Another trust base", "The plan was made under the trust base %s, and REMINT_TRUST asks for %s. Plan again under that one.", stated, pin)
	case pin != "" || base == nil:
		return nil
	case !base.model.Known():
		return diag.Diagnostics{}.Warnf("The trust base is not compared", "Some of it depends on variables that have no value here, so whether the plan was made under it is not known. Give them their values to find out.")
	case stated != base.model.Digest():
		return diag.Errored(diag.ExitStale, "Another trust base", "The plan was made under the trust base %s, and this one is %s. Plan again with the same -trust.", stated, base.model.Digest())
	}
	return nil
}

// CheckTrust holds a plan against the trust base that the options name, or against
// the pin alone. It reads the base and no workspace.
func (e *Engine) CheckTrust(file *plan.File) diag.Diagnostics {
	base, diags := e.loadBase(true)
	if diags.HasErrors() {
		return diags
	}
	if base != nil {
		e.trust = base.String()
	}
	return append(diags, e.judgedBy(file, base)...)
}

// trustWord is what plans say of where the judges come from.
func (e *Engine) trustWord() string {
	switch {
	case e.opts.Trust.Place != "":
		return plan.FromBase
	case e.opts.Trust.Pin != "":
		return plan.Pinned
	}
	return plan.SelfAsserted
}

// copies finds policies whose folder in the workspace is not what the base's holds:
// the base's is asked, and whoever changed the other should know.
func copies(w *config.Workspace) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, p := range w.Policies {
		if !p.Bound || p.Copy.Absolute == "" || p.Files == nil { // nil: the base's own cannot be read
			continue
		}
		base := policy.Source{Name: p.Name, FS: p.Files, Enforcement: string(p.Enforcement), Path: p.Path.Written, Revision: p.Revision}
		own := p
		own.Path, own.Files = p.Copy, nil
		source, faults := sourceOf(own)
		if diags = append(diags, faults...); faults.HasErrors() {
			continue
		}
		want, _ := policy.Digests([]policy.Source{base}) // its faults come from compiling it
		if got, faults := policy.Digests([]policy.Source{source}); faults.HasErrors() || got[p.Name] != want[p.Name] {
			rng, snippet := w.Place(p.Range)
			diags = append(diags, diag.Diagnostic{
				Severity: diag.Error, Summary: "Not what the trust base says", Exit: diag.ExitDenied, Range: rng, Snippet: snippet,
				Detail: fmt.Sprintf("Policy %q does not hold in %s what it holds in the trust base. Put it back, or have the change agreed to in the trust base first.", p.Name, p.Copy.Written),
			})
		}
	}
	return diags
}

// facts are circumstances for evidence, with where the judges were read.
func (s *session) facts(of map[string]string) map[string]string {
	facts := map[string]string{}
	maps.Copy(facts, of)
	if s.base != nil {
		facts["trust_base"] = s.base.place
		if s.base.commit != "" {
			facts["trust_commit"] = s.base.commit
		}
	}
	if pin := s.engine.opts.Trust.Pin; pin != "" {
		facts["trust_pin"] = pin
	}
	return facts
}
