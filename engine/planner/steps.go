package planner

import (
	"slices"
	"time"
	"unique"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// reset turns expanded steps and an observation into the plan of one reset.
func (p *Planner) reset(c *config.Credential, steps []config.Step, reset *config.Reset, obs provider.Observation, target string, planned map[string]bool) *Reset {
	address := c.Addr.String()
	r := &plan.Reset{
		Address: address, CredentialType: c.Type.Name, Kind: c.Type.Kind, Owner: c.Owner,
		Environment: c.Environment, Labels: c.Labels,
		Runbook: plan.Runbook{Name: c.Runbook.Name, Digest: c.Runbook.Digest, Builtin: c.Runbook.Builtin},
		Observed: plan.Observed{
			Target: target, Exists: obs.Exists, Enabled: obs.Enabled, Fenced: obs.Fenced,
			Generation: p.Known[address].Generation,
		},
	}
	for _, v := range obs.Versions {
		r.Observed.Versions = append(r.Observed.Versions, v.ID)
	}
	for _, d := range c.DependsOn {
		if planned[d.String()] {
			r.DependsOn = append(r.DependsOn, d.String())
		}
	}
	s := situation{c: c, reset: *reset, obs: obs, steps: steps, shared: &p.shared}
	r.Notes = s.notes()
	same := s.shared.find(s.planSteps())
	r.Steps = same.steps
	r.Subject = c.Subject
	return &Reset{Credential: c, Plan: r, Input: s.input(r, same), Fence: obs.Fence, request: reset, unrecorded: Unrecorded(obs, reset.Mode)}
}

// situation is one reset seen from all sides.
type situation struct {
	c     *config.Credential
	reset config.Reset
	obs   provider.Observation
	steps []config.Step
	// shared keeps one copy of what many resets have in common.
	shared *shared
}

// planSteps writes the steps in the order in which they run. Each step waits
// for all of the phase before it, and for what it names itself.
func (s situation) planSteps() []plan.Step {
	out := make([]plan.Step, len(s.steps))
	var before, current []string
	for i, st := range s.steps {
		if i > 0 && (s.steps[i-1].Phase != st.Phase || s.steps[i-1].Addr.Nth != st.Addr.Nth) {
			before, current = current, nil
		}
		address := intern(st.Addr.String())
		current = append(current, address)
		deps := before
		for _, d := range st.DependsOn {
			if a := intern(d.String()); !slices.Contains(deps, a) {
				deps = append(deps[:len(deps):len(deps)], a)
			}
		}
		out[i] = plan.Step{
			Address: address, Phase: st.Phase, Target: intern(s.target(st)), Summary: intern(s.summary(st)),
			DependsOn: deps, Reversible: s.reversible(st), Controls: st.Controls,
		}
	}
	return out
}

// intern keeps one copy of strings that ten thousand resets have in common.
func intern(s string) string { return unique.Make(s).Value() }

// reversible is false for what cannot be taken back once it is done.
func (s situation) reversible(st config.Step) bool {
	switch st.Phase {
	case lifecycle.Install:
		return s.c.Type.Kind == lifecycle.Overlapping || s.reset.Mode == lifecycle.Contain
	case lifecycle.Revoke, lifecycle.Terminate, lifecycle.Reload, lifecycle.Notify:
		return false
	case lifecycle.Distribute:
		return s.reset.Mode != lifecycle.Retire
	}
	return true
}

// input is the reset as policies see it.
func (s situation) input(r *plan.Reset, same *alike) policy.Reset {
	in := policy.Reset{
		Address: r.Address, CredentialType: r.CredentialType, Kind: r.Kind,
		Person: r.Subject != "" && r.Kind == lifecycle.InPlace, HasSessions: s.c.Type.Sessions, Provider: s.c.Provider.Key(),
		Owner: r.Owner, Subject: r.Subject, Environment: r.Environment, Production: lifecycle.IsProduction(r.Environment),
		Labels: r.Labels, Attributes: s.c.Attrs.Public(), Runbook: r.Runbook, Observed: r.Observed,
		InUseBy: s.obs.InUseBy, MaxAgeSeconds: seconds(s.c.MaxAge), Stores: keys(s.c.Stores), Consumers: keys(s.c.Consumers),
		Phases: same.phases, Steps: same.judged,
	}
	for _, st := range s.steps {
		if bits := s.c.Type.Issue.Bits; bits != nil && st.Phase == lifecycle.Issue {
			in.EntropyBits = bits(st.Args)
		}
	}
	return in
}

// seconds rounds up: 0 stands for none.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func keys(blocks []*config.Block) []string {
	out := make([]string, len(blocks))
	for i, b := range blocks {
		out[i] = intern(b.Key())
	}
	return out
}

// Input is what policies are asked about, without what only later stages know.
func Input(stage policy.Stage, doc *plan.Plan, resets []*Reset) *policy.Input {
	in := &policy.Input{
		Version: policy.InputVersion, Stage: stage, Reason: doc.Reason, Mode: doc.Mode, Ticket: doc.Ticket,
		Requester: doc.Requester, Trust: doc.Trust, Resets: make([]policy.Reset, len(resets)),
	}
	for i, r := range resets {
		in.Resets[i] = r.Input
	}
	in.Partial, in.Targets = chosenFrom(doc.Selection, resets)
	if stage == policy.StageResult { // resets are judged one by one: 50,000 names in each would be too many
		in.Targets.Addresses = []string{}
	}
	return in
}
