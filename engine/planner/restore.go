package planner

import (
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// Restore gives the resets of a plan that was begun, without reading the
// targets: what they say now is for the executor to find out. The workspace must
// still evaluate to what the plan was made from.
func (p *Planner) Restore(file *plan.File) ([]*Reset, diag.Diagnostics) {
	byAddress := make(map[string]*config.Credential, len(p.Workspace.Credentials))
	for _, c := range p.Workspace.Credentials {
		byAddress[c.Addr.String()] = c
	}
	doc := &file.Plan
	var chosen []*config.Credential
	for _, r := range doc.Resets {
		c := byAddress[r.Address]
		if c == nil {
			return nil, changed("%s is not declared any more", r.Address)
		}
		chosen = append(chosen, c)
	}
	if WorkspaceDigest(chosen) != doc.WorkspaceDigest {
		return nil, changed("what it says of the credentials in this run is not what the run was planned from")
	}
	reset := config.Reset{Reason: doc.Reason, Mode: doc.Mode, Ticket: doc.Ticket, Requester: doc.Requester}
	base := p.baseline()
	how := p.choose(Again(file), chosen)
	out := make([]*Reset, len(chosen))
	for i, c := range chosen {
		steps, diags := c.Runbook.Expand(c, reset)
		if diags.HasErrors() {
			return nil, diags
		}
		r := &doc.Resets[i]
		if !slices.EqualFunc(steps, r.Steps, func(a config.Step, b plan.Step) bool { return a.Addr.String() == b.Address }) {
			return nil, changed("the steps of %s are not the planned ones", r.Address)
		}
		s := situation{c: c, reset: reset, obs: provider.Observation{}, steps: steps, shared: &p.shared}
		out[i] = &Reset{Credential: c, Plan: r, Input: s.input(r, p.shared.find(r.Steps)), request: &reset, choice: how}
		as := *r // the plan's own words stand, whatever the base says by now
		now := &Reset{Credential: c, Plan: &as, Input: out[i].Input, request: &reset}
		if diags := p.against(base, now, recalling(r.Change)); diags.HasErrors() {
			return nil, diags
		}
		out[i].Input, out[i].Before = now.Input, now.Before
	}
	return out, nil
}

func changed(format string, args ...any) diag.Diagnostics {
	d := diag.Errored(diag.ExitUnfinished, "The workspace changed under an open run", format, args...)
	d[0].Detail += ". Put the workspace back to what it was when the run was opened (its commit, say), and resume."
	return d
}
