package engine

import (
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

// denied are the denials of a plan with what stands behind them: the rule, and the
// credential that it is about. Nothing of it is part of the plan.
func (s *session) denied(p *plan.Plan) diag.Diagnostics {
	diags := denials(p)
	var about map[string]*config.Credential
	rules := map[[2]string]*diag.Rule{} // thousands may come from one
	next := 0
	for _, d := range p.Decisions {
		if d.Level != plan.Deny || next == len(diags) {
			continue
		}
		at := &diags[next]
		next++
		key := [2]string{d.Source, d.Rule}
		if _, looked := rules[key]; !looked {
			rules[key] = nil
			if r := s.policies.Rule(d.Source, d.Rule); r != nil {
				rules[key] = &diag.Rule{Title: r.Title, Remedy: r.Remedy, Range: r.Range, Snippet: r.Rego}
			}
		}
		at.Rule = rules[key]
		if d.Address == "" {
			continue
		}
		if about == nil {
			about = make(map[string]*config.Credential, len(s.workspace.Credentials))
			for _, c := range s.workspace.Credentials {
				about[c.Addr.String()] = c
			}
		}
		if c := about[d.Address]; c != nil {
			at.Range, at.Snippet = s.workspace.Block(c.Range)
			at.Runbook = ofRunbook(c.Runbook, at.Rule, d.Step)
		}
	}
	return diags
}

// ofRunbook is the step that a rule names; the runbook, where the rule reads anything
// that comes from it; otherwise only where that stands.
func ofRunbook(book *config.Runbook, rule *diag.Rule, step string) *diag.Excerpt {
	if book == nil {
		return nil
	}
	out := &diag.Excerpt{}
	out.Range, out.Snippet = book.Block(step)
	if step == "" && !readsRunbook(rule) {
		out.Snippet = nil
	}
	return out
}

func readsRunbook(rule *diag.Rule) bool {
	if rule == nil || rule.Snippet == nil {
		return false
	}
	return slices.ContainsFunc([]string{"steps", "phases", "runbook", "entropy_bits"}, func(member string) bool { return strings.Contains(rule.Snippet.Code, "."+member) })
}
