// Package planner turns configuration, observation and policy into a plan.
// Apply calls it again to see that the plan still says the same.
package planner

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// Known tells what the state knows of credentials, by address.
type Known map[string]journal.Credential

// Planner makes plans for one workspace.
type Planner struct {
	Workspace *config.Workspace
	Fleet     *fleet.Fleet // nil for offline plans: no provider is started
	Policies  *policy.Set
	Known     Known
	// Trust says where the judges come from, as plans do, and TrustDigest which they are.
	Trust, TrustDigest string
	// Base is the trust base's workspace, nil without one: where it holds credentials
	// too, what differs from it is judged by its values as well.
	Base *config.Workspace
	// Authors are who wrote the change from it, nil without one: policies see them.
	Authors *policy.ChangeAuthors
	Events  event.Sink
	Now     func() time.Time
	// Parallelism bounds how many targets are read at once.
	Parallelism int
	// Patience bounds how long a target has for an answer; provider.CallTimeout if zero.
	Patience time.Duration

	shared shared
}

// Request says what a plan is about.
type Request struct {
	Reason            lifecycle.Reason
	Ticket, Requester string
	// Addresses, Where and All select; none of them means what is due.
	Addresses []string
	Where     string
	All       bool
	// Saved is a plan whose credentials Addresses are; how it says that they were chosen
	// is a claim.
	Saved *plan.File
}

// Planned is a plan with what is needed to carry it out.
type Planned struct {
	File *plan.File
	// Resets are in the order of File.Plan.Resets.
	Resets []*Reset
	// Judgement is that of the plan policies, nil where there was nothing to judge.
	Judgement *plan.Judgement
}

// Reset is one planned reset.
type Reset struct {
	Credential *config.Credential
	Plan       *plan.Reset
	// Input is how policies see it, and Before how they would see it by the trust
	// base's values, for each of its credentials that the reset differs from.
	Input  policy.Reset
	Before []*policy.Reset
	// Fence is the greatest fencing token that the target has seen, as far as was
	// asked: 0 in a reset that was restored.
	Fence int64

	request *config.Reset
	// unrecorded is why it will not begin.
	unrecorded string
	// choice is that of all resets of the plan.
	choice *choice
}

// Expand gives the steps as the executor needs them. They are made when they
// are wanted, since those of ten thousand resets would fill the memory.
func (r *Reset) Expand() ([]config.Step, diag.Diagnostics) {
	return r.Credential.Runbook.Expand(r.Credential, *r.request)
}

// Plan reads the targets, orders the steps and asks the policies. It changes
// nothing outside. A denial is part of the plan, not a fault; faults are what
// kept the plan from being made.
func (p *Planner) Plan(ctx context.Context, req Request) (*Planned, diag.Diagnostics) {
	chosen, diags := p.selection(req)
	if diags.HasErrors() {
		return nil, diags
	}
	ask := p.asker()
	chosen, notes := p.unretired(ctx, ask, req, chosen)
	diags = append(diags, notes...)
	reset := config.Reset{Reason: req.Reason, Mode: req.Reason.Mode(), Ticket: req.Ticket, Requester: req.Requester}
	diags = append(diags, p.check(chosen, reset.Mode)...)
	if diags.HasErrors() {
		return nil, diags
	}
	resets, seen, faults := p.resets(ctx, ask, chosen, reset)
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return nil, diags
	}
	if diags = append(diags, unrecorded(resets, req.Saved != nil)...); diags.HasErrors() {
		return nil, diags
	}
	how := p.choose(req, chosen)
	doc := plan.Plan{
		Selection: &how.selection, Reason: reset.Reason, Mode: reset.Mode, Ticket: req.Ticket, Requester: req.Requester,
		Applyable: p.Fleet != nil, Trust: p.Trust,
		WorkspaceDigest: WorkspaceDigest(chosen), PolicyDigest: p.Policies.Digest(), PolicyRevisions: p.Policies.Revisions(), TrustDigest: p.TrustDigest,
		Resets: make([]plan.Reset, len(resets)),
	}
	for i, r := range resets {
		doc.Resets[i] = *r.Plan
		r.Plan, r.choice = &doc.Resets[i], how
	}
	var judgement *plan.Judgement
	if len(resets) > 0 {
		in := Input(policy.StagePlan, &doc, resets)
		in.Authors = p.Authors
		judged, faults := p.Policies.Eval(ctx, in, Before(in, resets)...)
		diags = append(diags, faults...)
		if diags.HasErrors() {
			return nil, diags
		}
		judgement = &judged.Judgement
		doc.Decisions, doc.Requirements = judged.Decisions, judged.Requirements
		if slices.ContainsFunc(doc.Decisions, func(d plan.Decision) bool { return d.Level == plan.Deny }) {
			doc.Applyable = false
		}
	}
	file, err := plan.New(doc, seen, p.Now())
	if err != nil {
		return nil, diags.Errorf("The plan cannot be written", "%s.", err)
	}
	for i, r := range resets {
		r.Plan = &file.Plan.Resets[i]
	}
	return &Planned{File: file, Resets: resets, Judgement: judgement}, diags
}

// check finds what keeps the chosen credentials' runbooks from running in mode,
// once per runbook and type.
func (p *Planner) check(chosen []*config.Credential, mode lifecycle.Mode) diag.Diagnostics {
	type pair struct {
		book *config.Runbook
		typ  *provider.CredentialType
	}
	var diags diag.Diagnostics
	done := map[pair]bool{}
	for _, c := range chosen {
		k := pair{c.Runbook, c.Type}
		if !done[k] {
			done[k] = true
			diags = append(diags, c.Runbook.Check(c.Type, mode)...)
		}
	}
	return diags
}

// resets expands and observes every chosen credential, side by side.
func (p *Planner) resets(ctx context.Context, ask *asker, chosen []*config.Credential, reset config.Reset) ([]*Reset, []plan.Seen, diag.Diagnostics) {
	var (
		out     = make([]*Reset, len(chosen))
		seen    = make([]plan.Seen, len(chosen))
		faults  = newFaults()
		mu      sync.Mutex
		done    int
		planned = map[string]bool{}
		group   errgroup.Group
	)
	for _, c := range chosen {
		planned[c.Addr.String()] = true
	}
	base := p.baseline()
	group.SetLimit(max(p.Parallelism, 1))
	for i, c := range chosen {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			steps, diags := c.Runbook.Expand(c, reset)
			if !diags.HasErrors() {
				diags = c.Runbook.Complete(c, reset, steps)
			}
			if diags.HasErrors() {
				faults.add(c, diags)
				return nil
			}
			obs, target, err := p.observe(ctx, ask, c)
			if err != nil {
				faults.observe(c, err)
				return nil
			}
			out[i] = p.reset(c, steps, &reset, obs, target, planned)
			if diags := p.against(base, out[i], p.asking(ctx, ask, out[i])); diags.HasErrors() {
				faults.add(c, diags)
				return nil
			}
			seen[i] = p.seen(c, obs)
			mu.Lock()
			defer mu.Unlock()
			if done++; done%500 == 0 || done == len(chosen) {
				p.Events.Emit(event.Event{Type: event.PlanProgress, Level: event.Info, Message: "Reading targets", Done: done, Total: len(chosen)})
			}
			return nil
		})
	}
	_ = group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, diag.Errored(diag.ExitError, "Interrupted", "Planning was interrupted; nothing was changed.")
	}
	return out, seen, faults.list()
}

// observe reads the target, unless the plan is made offline.
func (p *Planner) observe(ctx context.Context, ask *asker, c *config.Credential) (provider.Observation, string, error) {
	if p.Fleet == nil {
		return provider.Observation{Exists: true, Enabled: true, Sessions: -1}, "", nil
	}
	target, err := ask.identity(ctx, c.Provider)
	if err != nil {
		return provider.Observation{}, "", err
	}
	obs, err := ask.observe(ctx, c)
	return obs, target, err
}

func (p *Planner) seen(c *config.Credential, obs provider.Observation) plan.Seen {
	s := plan.Seen{Address: c.Addr.String(), Sessions: obs.Sessions}
	if !obs.LastUsed.IsZero() {
		t := obs.LastUsed.UTC()
		s.LastUsed = &t
	}
	if known, ok := p.Known[s.Address]; ok {
		t := known.At.UTC()
		s.LastReset = &t
	}
	return s
}
