package planner

import (
	"cmp"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// Again is what a plan file asks for: its own credentials, chosen as it says.
func Again(f *plan.File) Request {
	r := Request{Reason: f.Plan.Reason, Ticket: f.Plan.Ticket, Requester: f.Plan.Requester, Saved: f}
	for _, x := range f.Plan.Resets {
		r.Addresses = append(r.Addresses, x.Address)
	}
	return r
}

// choice is how the resets of a plan were chosen. What is counted is counted in the
// workspace as it is now, and is not part of the plan: a credential that is added
// elsewhere does not make plans stale, unless some policy decides otherwise for it.
type choice struct {
	selection plan.Selection
	partial   bool
	targets   policy.Targets
}

// choose says how chosen came to be what req is about.
func (p *Planner) choose(req Request, chosen []*config.Credential) *choice {
	out := &choice{selection: selectionOf(req)}
	then := p.Now()
	if req.Saved != nil {
		then = req.Saved.CreatedAt
		if !p.honest(req, chosen) { // then they are no more than named, and the plan does not say so
			out.selection = plan.Selection{By: plan.ByAddress, Addresses: sorted(req.Addresses)}
		}
	}
	in := make(map[*config.Credential]bool, len(chosen))
	for _, c := range chosen {
		in[c] = true
	}
	due := p.due(then)
	type place struct{ provider, typ string }
	left := map[place]int{}
	for _, c := range p.Workspace.Credentials {
		if in[c] || p.retired(c) { // of what is retired nothing is left to be chosen
			continue
		}
		left[place{c.Provider.Key(), c.Type.Name}]++
		out.partial = out.partial || out.selection.By != plan.ByDue || due(c)
	}
	out.targets = policy.Targets{
		By: out.selection.By, Where: out.selection.Where, Addresses: out.selection.Addresses,
		Declared: len(p.Workspace.Credentials), Selected: len(chosen), LeftOut: []policy.LeftOut{},
	}
	for at, n := range left {
		out.targets.LeftOut = append(out.targets.LeftOut, policy.LeftOut{Provider: at.provider, CredentialType: at.typ, Count: n})
	}
	slices.SortFunc(out.targets.LeftOut, func(a, b policy.LeftOut) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.CredentialType, b.CredentialType))
	})
	return out
}

func selectionOf(req Request) plan.Selection {
	switch {
	case req.Saved != nil && req.Saved.Plan.Selection != nil:
		return *req.Saved.Plan.Selection
	case req.All:
		return plan.Selection{By: plan.ByAll, Addresses: []string{}}
	case req.Where != "":
		return plan.Selection{By: plan.ByWhere, Where: req.Where, Addresses: []string{}}
	case len(req.Addresses) > 0:
		return plan.Selection{By: plan.ByAddress, Addresses: sorted(req.Addresses)}
	}
	return plan.Selection{By: plan.ByDue, Addresses: []string{}}
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// honest reports whether what a saved plan says of its selection can be so: every
// credential in it would be chosen by it now. That more would be chosen now is no
// lie: credentials are added, and become due.
func (p *Planner) honest(req Request, chosen []*config.Credential) bool {
	fits := func(match func(*config.Credential) bool) bool {
		return !slices.ContainsFunc(chosen, func(c *config.Credential) bool { return !match(c) })
	}
	said := req.Saved.Plan.Selection
	if said == nil {
		return false
	}
	switch said.By {
	case plan.ByAll:
		return true // choose counts what is left out
	case plan.ByWhere:
		match, diags := p.Workspace.Select(said.Where)
		return !diags.HasErrors() && fits(match)
	case plan.ByAddress:
		list, diags := p.named(said.Addresses)
		named := make(map[*config.Credential]bool, len(list))
		for _, c := range list {
			named[c] = true
		}
		return !diags.HasErrors() && fits(func(c *config.Credential) bool { return named[c] })
	case plan.ByDue:
		return !req.Reason.NeedsSelection() && fits(p.dueOrReset(req.Saved))
	}
	return false
}

// dueOrReset is due by now; or it was reset since the plan was made, which refuses that
// reset and not the plan.
func (p *Planner) dueOrReset(made *plan.File) func(*config.Credential) bool {
	generations := make(map[string]int64, len(made.Plan.Resets))
	for i := range made.Plan.Resets {
		generations[made.Plan.Resets[i].Address] = made.Plan.Resets[i].Observed.Generation
	}
	due := p.due(p.Now())
	return func(c *config.Credential) bool {
		address := c.Addr.String()
		return due(c) || c.MaxAge > 0 && p.Known[address].Generation != generations[address]
	}
}

// chosenFrom is how the resets were chosen as policies see it. Resets of no planner
// are all that there are.
func chosenFrom(said *plan.Selection, resets []*Reset) (partial bool, t policy.Targets) {
	if len(resets) > 0 && resets[0].choice != nil {
		return resets[0].choice.partial, resets[0].choice.targets
	}
	t = policy.Targets{Addresses: []string{}, Declared: len(resets), Selected: len(resets), LeftOut: []policy.LeftOut{}}
	if said != nil {
		t.By, t.Where, t.Addresses = said.By, said.Where, said.Addresses
	}
	return false, t
}
