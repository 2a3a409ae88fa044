package planner

import (
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// baseline are the trust base's credentials by address; nil if it holds none, and
// so is no version of this workspace.
func (p *Planner) baseline() map[string]*config.Credential {
	if p.Base == nil || len(p.Base.Credentials) == 0 {
		return nil
	}
	out := make(map[string]*config.Credential, len(p.Base.Credentials))
	for _, c := range p.Base.Credentials {
		out[c.Addr.String()] = c
	}
	return out
}

// against holds a reset against the base: what differs is put into the plan and the
// policies' input, and how policies would see it by the base's values is kept.
func (p *Planner) against(base map[string]*config.Credential, r *Reset) diag.Diagnostics {
	if base == nil {
		return nil
	}
	was, now := base[r.Plan.Address], r.Credential
	if was == nil {
		r.change([]string{"added"}, plan.Change{}, nil)
		return nil
	}
	fields := differing(was, now)
	if len(fields) == 0 {
		return nil
	}
	before := *r.Plan
	before.Owner, before.Subject, before.Environment, before.Labels = was.Owner, was.Subject, was.Environment, was.Labels
	before.Runbook = plan.Runbook{Name: was.Runbook.Name, Digest: was.Runbook.Digest, Builtin: was.Runbook.Builtin}
	steps, diags := was.Runbook.Expand(was, *r.request)
	if diags.HasErrors() {
		return diags
	}
	s := situation{c: was, reset: *r.request, obs: provider.Observation{InUseBy: r.Input.InUseBy}, steps: steps, shared: &p.shared}
	in := s.input(&before, s.shared.find(s.planSteps()))
	r.Before = &in
	there := plan.Change{Owner: was.Owner}
	if was.Subject != now.Subject {
		there.Subject = was.Subject
	}
	r.change(fields, there, &policy.Changed{
		Provider: in.Provider, Owner: in.Owner, Subject: in.Subject, Environment: in.Environment, Production: lifecycle.IsProduction(in.Environment),
		Labels: in.Labels, Runbook: in.Runbook, MaxAgeSeconds: in.MaxAgeSeconds, Stores: in.Stores, Consumers: in.Consumers,
	})
	return nil
}

// change says in plan and input what differs.
func (r *Reset) change(fields []string, there plan.Change, base *policy.Changed) {
	there.Fields = fields
	r.Plan.Change = &there
	r.Input.Change = &policy.Change{Fields: fields, Base: base}
	note := "not as the trust base has it: " + strings.Join(fields, ", ")
	if base == nil {
		note = "the trust base has no such credential"
	}
	if owner := there.Owner; owner != "" && owner != r.Plan.Owner {
		note += "; its owner there, " + owner + ", is told too"
	}
	if there.Subject != "" {
		note += "; it is the secret of " + there.Subject + " there, who is verified too before there is a new one"
	}
	r.Plan.Notes = append(r.Plan.Notes, note)
}

// differing are the parts of a credential that decide who judges it, what happens to
// it, and who gets the new secret.
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

// Before is in by the trust base's values, for policies to judge beside it; none
// when nothing differs.
func Before(in *policy.Input, resets []*Reset) []*policy.Input {
	var before *policy.Input
	for i, r := range resets {
		if r.Before == nil {
			continue
		}
		if before == nil {
			twin := *in
			twin.Resets = slices.Clone(in.Resets)
			before = &twin
		}
		x := *r.Before
		x.Result = in.Resets[i].Result
		before.Resets[i] = x
	}
	if before == nil {
		return nil
	}
	return []*policy.Input{before}
}
