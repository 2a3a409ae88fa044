package planner

import (
	"cmp"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// against holds a reset against the base: what differs is put into the plan and the
// policies' input, and how policies would see it by the base's values is kept. A
// credential of the base counts if it has the reset's address, is the same account
// at another, or has its secret where a store of the reset is: whoever renames one,
// points it elsewhere or puts another in its place gets round nothing. told says of
// what only targets can tell whether it is that account.
func (p *Planner) against(base *baseline, r *Reset, told teller) diag.Diagnostics {
	if base == nil {
		return nil
	}
	counterparts, err := base.counterparts(r.Credential, told)
	if err != nil {
		return diag.Errored(diag.ExitError, "Whose account it is cannot be told", "The trust base has %s, which is the same account if it lies at the same target, and that cannot be asked: %s. "+
			"Mend this, or have %s agreed to in the trust base first.", err.of.Addr, strings.TrimSuffix(err.cause.Error(), "."), r.Plan.Address)
	}
	var fields []string
	var all []counterpart
	for _, there := range counterparts {
		differs := differing(there.was, r.Credential)
		if len(differs) == 0 {
			continue
		}
		fields = append(fields, differs...)
		one, diags := p.counterpart(there, r)
		if diags.HasErrors() {
			return diags
		}
		all = append(all, one)
	}
	if len(counterparts) == 0 {
		fields = []string{"added"}
	}
	if len(fields) > 0 {
		slices.Sort(fields)
		r.change(slices.Compact(fields), all)
	}
	return nil
}

// counterpart is a credential of the base that a reset is held against, and how
// policies see the reset by its values.
type counterpart struct {
	held
	input policy.Reset
}

func (p *Planner) counterpart(there held, r *Reset) (counterpart, diag.Diagnostics) {
	was, before := there.was, *r.Plan
	before.Address, before.CredentialType, before.Kind = was.Addr.String(), was.Type.Name, was.Type.Kind
	before.Owner, before.Subject, before.Environment, before.Labels = was.Owner, was.Subject, was.Environment, was.Labels
	before.Runbook = plan.Runbook{Name: was.Runbook.Name, Digest: was.Runbook.Digest, Builtin: was.Runbook.Builtin}
	steps, diags := was.Runbook.Expand(was, *r.request)
	if diags.HasErrors() {
		return counterpart{}, diags
	}
	s := situation{c: was, reset: *r.request, obs: provider.Observation{InUseBy: r.Input.InUseBy}, steps: steps, shared: &p.shared}
	return counterpart{there, s.input(&before, s.shared.find(s.planSteps()))}, nil
}

// change says in plan and input what differs from all: none where the base lacks the
// credential.
func (r *Reset) change(fields []string, all []counterpart) {
	r.Plan.Change = &plan.Change{Fields: fields}
	r.Input.Change = &policy.Change{Fields: fields}
	if len(all) == 0 {
		r.Plan.Notes = append(r.Plan.Notes, "the trust base has no such credential")
	}
	for i, x := range all {
		in := x.input
		r.Before = append(r.Before, &in)
		there := plan.Counterpart{Address: in.Address, Owner: in.Owner}
		if in.Subject != r.Plan.Subject {
			there.Subject = in.Subject
		}
		changed := policy.Changed{
			Address: in.Address, Provider: in.Provider, Owner: in.Owner, Subject: in.Subject, Environment: in.Environment, Production: in.Production,
			Labels: in.Labels, Runbook: in.Runbook, MaxAgeSeconds: in.MaxAgeSeconds, Stores: in.Stores, Consumers: in.Consumers,
		}
		var note, another string
		if x.store != nil {
			another = "its store " + x.store.Key() + " is where the trust base has the secret of " + there.Address + ", and it is judged as that too"
		}
		if i == 0 {
			note = "not as the trust base has it: " + strings.Join(fields, ", ")
			r.Input.Change.Base = &changed
			c := r.Plan.Change
			if c.Owner, c.Subject = there.Owner, there.Subject; there.Address != r.Plan.Address {
				c.Address = there.Address
				note += "; " + cmp.Or(another, "it is "+there.Address+" there, and judged as that too")
			}
		} else {
			note = cmp.Or(another, "the trust base has this account as "+there.Address+", and it is judged as that too")
			r.Input.Change.Others = append(r.Input.Change.Others, changed)
			r.Plan.Change.Others = append(r.Plan.Change.Others, there)
		}
		r.Plan.Notes = append(r.Plan.Notes, note+r.also(there))
	}
}

// also says who is told and verified for the base's sake.
func (r *Reset) also(there plan.Counterpart) (note string) {
	if owner := there.Owner; owner != "" && owner != r.Plan.Owner {
		note += "; its owner there, " + owner + ", is told too"
	}
	if there.Subject != "" {
		note += "; it is the secret of " + there.Subject + " there, who is verified too before there is a new one"
	}
	return note
}

// differing are the parts of a credential that decide who judges it, what happens to
// it, and who gets the new secret; and its address, by which policies may know it.
func differing(was, now *config.Credential) []string {
	var out []string
	check := func(name string, same bool) {
		if !same {
			out = append(out, name)
		}
	}
	labels := func(a, b map[string]string) bool {
		if len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || w != v {
				return false
			}
		}
		return true
	}
	check("address", was.Addr.String() == now.Addr.String())
	check("attributes", was.Attrs.Equal(now.Attrs))
	check("consumers", sameBlocks(was.Consumers, now.Consumers))
	check("environment", was.Environment == now.Environment)
	check("labels", labels(was.Labels, now.Labels))
	check("max_age", was.MaxAge == now.MaxAge)
	check("owner", was.Owner == now.Owner)
	check("provider", was.Provider.Key() == now.Provider.Key())
	check("runbook", was.Runbook.Name == now.Runbook.Name && was.Runbook.Digest == now.Runbook.Digest)
	check("stores", sameBlocks(was.Stores, now.Stores))
	check("subject", was.Subject == now.Subject)
	return out
}

func sameBlocks(a, b []*config.Block) bool {
	return slices.EqualFunc(a, b, func(x, y *config.Block) bool {
		return x.Key() == y.Key() && x.Field == y.Field && x.Attrs.Equal(y.Attrs)
	})
}
