package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/verify"
)

// ApplyRequest says what to apply and how.
type ApplyRequest struct {
	// File is a saved plan; nil plans afresh from Request.
	File      *plan.File
	Request   planner.Request
	Approvals []gate.Document
	Overrides []gate.Document
	// BreakGlass opens gates by a statement among Glass.
	BreakGlass bool
	Glass      []gate.Document
	Proofs     Proofs
	// Operator is who runs it, as far as the system tells.
	Operator Operator
	// Unattended is set when nobody at a terminal is asked.
	Unattended bool
	// Facts are circumstances worth keeping in evidence.
	Facts map[string]string
	// CI is set where the machine may be thrown away when the command ends;
	// AcceptEphemeralState lets credentials be reset in place there with a state in a file.
	CI, AcceptEphemeralState bool
}

// Application is a plan that passed its gates and waits for the word.
type Application struct {
	// File is the plan as derived just now.
	File *plan.File
	// Refused are resets whose target drifted, by address.
	Refused map[string]string
	Gate    gate.Answer
	// Verified is who asks, as far as that is known.
	Verified verify.Outcome

	session *session
	planned *planner.Planned
	// judged are the questions to the policies, for evidence.
	judged []plan.Judgement
	req    ApplyRequest
	// glass is what is owed where the run rests on break-glass.
	glass *executor.BreakGlass
}

// Close lets go of everything that the application holds.
func (a *Application) Close() { a.session.close() }

// Prepare derives the plan again, refuses what differs, and asks the gates.
// Nothing outside is changed; a denial is evidenced. The caller closes the
// application.
func (e *Engine) Prepare(ctx context.Context, req ApplyRequest) (*Application, diag.Diagnostics) {
	s, diags := e.open(ctx, need{state: true, signer: true, gates: true})
	if diags.HasErrors() {
		return nil, diags
	}
	req.Facts = s.facts(req.Facts)
	a := &Application{session: s, req: req}
	a.circumstances()
	ready := false
	defer func() {
		if !ready {
			s.close()
		}
	}()
	faults := s.workspace.Unreached()
	if !faults.HasErrors() {
		faults = s.older(ctx, req.AcceptEphemeralState)
	}
	if !faults.HasErrors() {
		faults = append(faults, a.unspent(ctx)...)
	}
	if !faults.HasErrors() {
		faults = append(faults, a.derive(ctx)...)
	}
	if !faults.HasErrors() {
		faults = append(faults, a.lasting()...)
	}
	diags = append(diags, faults...)
	if diags.HasErrors() {
		return nil, diags
	}
	var answer diag.Diagnostics
	a.Gate, a.Verified, answer = s.consent(ctx, a.question())
	maps.Copy(a.req.Facts, a.Gate.Told)
	answer = append(answer, s.standing(ctx, a.File, req.BreakGlass)...)
	diags = append(diags, answer...)
	if answer.HasErrors() {
		return nil, append(diags, a.evidenceDenial(ctx, answer)...)
	}
	ready = true
	return a, append(diags, a.beside(ctx)...)
}

func (a *Application) question() question {
	return question{
		glass: a.req.glass(), file: a.File, resets: a.planned.Resets, documents: a.req.Approvals, overrides: a.req.Overrides, proofs: a.req.Proofs, operator: a.req.Operator.Name, operators: a.req.Operator.names(), unattended: a.req.Unattended,
		judged: &a.judged,
	}
}

// derive plans again from workspace, trust base and targets. What is in the
// given file decides nothing but what is asked for.
func (a *Application) derive(ctx context.Context) diag.Diagnostics {
	given := a.req.File
	request := a.req.Request
	if faults := ofResets(given); faults.HasErrors() {
		return faults
	}
	if given != nil {
		request = planner.Again(given)
		if faults := madeOffline(given); faults.HasErrors() {
			return faults
		}
	}
	planned, diags := a.session.planner().Plan(ctx, request)
	if planned == nil {
		return diags
	}
	a.planned, a.File = planned, planned.File
	if planned.Judgement != nil {
		a.judged = append(a.judged, *planned.Judgement)
	}
	if given == nil {
		return diags
	}
	// The run is of the plan that people read and approved; what was derived
	// only decides whether it still holds.
	a.File, a.Refused = given, map[string]string{}
	for i, r := range planned.Resets {
		if i < len(given.Plan.Resets) {
			r.Plan = &given.Plan.Resets[i]
		}
	}
	if given.Digest == planned.File.Digest {
		return diags
	}
	return append(diags, a.compare(&given.Plan, &planned.File.Plan)...)
}

// unspent refuses a saved plan that was applied before anybody reads it and says yes;
// whoever applies it at the same moment finds it spent when the run is opened.
func (a *Application) unspent(ctx context.Context) diag.Diagnostics {
	if a.req.File == nil {
		return nil
	}
	runs, err := a.session.journal.Runs(ctx)
	if err != nil {
		return diag.Errored(0, "The state cannot be read", "%s. Nothing was changed.", err)
	}
	for _, run := range runs {
		switch {
		case run.PlanID != a.req.File.ID:
		case run.ClosedAt.IsZero():
			return diag.Errored(diag.ExitStale, "The plan is spent", "It was applied in run %s, which is open: `remint resume %s` goes on with it.", run.ID, run.ID)
		default:
			return spent(run)
		}
	}
	return nil
}

// ofResets refuses a change of the trust base, which has no resets.
func ofResets(f *plan.File) diag.Diagnostics {
	if f == nil || f.Plan.TrustChange == nil {
		return nil
	}
	return diag.Errored(diag.ExitError, "Not a plan of resets", "It is a change of the trust base: `remint trust accept` takes it.")
}

// madeOffline refuses a plan that nobody looked at a target for. A denied one is
// refused by the gates.
func madeOffline(f *plan.File) diag.Diagnostics {
	if f.Plan.Applyable || slices.ContainsFunc(f.Plan.Decisions, func(d plan.Decision) bool { return d.Level == plan.Deny }) {
		return nil
	}
	return diag.Errored(diag.ExitError, "The plan is not applyable", "It was made with -offline. Plan again without that flag.")
}

// compare refuses a plan that no longer holds: as a whole, or the resets whose
// targets drifted.
func (a *Application) compare(stated, derived *plan.Plan) diag.Diagnostics {
	if differs := headDiffers(stated, derived); len(differs) > 0 {
		return stale(differs)
	}
	for i := range stated.Resets {
		if !reflect.DeepEqual(stated.Resets[i], derived.Resets[i]) {
			a.Refused[stated.Resets[i].Address] = "the target is not as it was when this was planned: " + drift(stated.Resets[i], derived.Resets[i])
		}
	}
	if len(a.Refused) < len(stated.Resets) {
		return nil
	}
	var diags diag.Diagnostics
	for _, r := range stated.Resets {
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitStale, Summary: "The plan is stale",
			Address: r.Address, Detail: a.Refused[r.Address] + ". Plan again."})
	}
	return diags
}

// stale refuses a plan as a whole, for what differs.
func stale(differs []string) diag.Diagnostics {
	return diag.Errored(diag.ExitStale, "The plan is stale",
		"What it was made from has changed: %s. Plan again, and have that plan approved.", strings.Join(differs, ", "))
}

// What of a plan as a whole can differ, besides what one word says.
const (
	trustBaseDiffers = "the trust base (approvers, signer, verifiers, providers, notifiers, commands)"
	judgesDiffer     = "where the judges come from (it was planned with -trust or REMINT_TRUST, and this is without)"
	choiceDiffers    = "how the credentials were chosen"
)

// headDiffers names what differs between two plans, apart from what was
// observed at single targets.
func headDiffers(a, b *plan.Plan) []string {
	var out []string
	check := func(name string, same bool) {
		if !same {
			out = append(out, name)
		}
	}
	check("the workspace", a.WorkspaceDigest == b.WorkspaceDigest)
	check("the policies", a.PolicyDigest == b.PolicyDigest)
	check(trustBaseDiffers, a.TrustDigest == b.TrustDigest || a.PolicyDigest != b.PolicyDigest)
	check("what the policies require", reflect.DeepEqual(a.Requirements, b.Requirements))
	check("what the policies decide", reflect.DeepEqual(a.Decisions, b.Decisions))
	check(choiceDiffers, reflect.DeepEqual(a.Selection, b.Selection))
	check("reason, mode, ticket or requester", a.Reason == b.Reason && a.Mode == b.Mode && a.Ticket == b.Ticket && a.Requester == b.Requester)
	check(judgesDiffer, plan.TrustCovers(b.Trust, a.Trust))
	check("which credentials there are", slices.EqualFunc(a.Resets, b.Resets, func(x, y plan.Reset) bool { return x.Address == y.Address }))
	return out
}

// drift says how an observation differs from the planned one.
func drift(planned, now plan.Reset) string {
	p, n := planned.Observed, now.Observed
	switch {
	case p.Target != n.Target:
		return fmt.Sprintf("it is another target (%s, planned %s)", n.Target, p.Target)
	case p.Generation != n.Generation:
		return "it was reset in the meantime"
	case p.Exists != n.Exists:
		return "the credential appeared or disappeared"
	case !slices.Equal(p.Versions, n.Versions):
		return "its versions changed"
	case p.Enabled != n.Enabled:
		return "it was enabled or disabled"
	}
	return "its steps or circumstances changed"
}

// Apply carries the application out. ctx ends calls in flight, soft only keeps
// new steps from beginning.
func (a *Application) Apply(ctx, soft context.Context) (*executor.Result, diag.Diagnostics) {
	if diags := a.session.advance(ctx); diags.HasErrors() {
		return nil, diags
	}
	job, diags := a.job(nil)
	if diags.HasErrors() {
		return nil, diags
	}
	var err error
	if job.Ephemeral, err = a.ephemeral(ctx); err != nil {
		return nil, diag.Errored(0, "The state cannot be read", "%s. Nothing was changed.", err)
	}
	x, diags := a.session.executor(job.Run)
	if diags.HasErrors() {
		return nil, diags
	}
	defer x.close()
	return x.Apply(ctx, soft, job)
}

// beside warns of earlier runs that are still open for the same credentials.
func (a *Application) beside(ctx context.Context) diag.Diagnostics {
	open := map[string][]string{}
	if faults := concerns(ctx, a.session.journal, open); faults.HasErrors() {
		return faults
	}
	n, runs := map[string]int{}, []string{}
	for _, r := range a.File.Plan.Resets {
		for _, id := range open[r.Address] {
			if n[id]++; n[id] == 1 {
				runs = append(runs, id)
			}
		}
	}
	var diags diag.Diagnostics
	for _, id := range runs {
		diags = diags.Warnf("An earlier run is open", "Run %s of %d of these credentials is not finished. `remint resume %s` finishes it; "+
			"what is reset now ends as superseded there.", id, n[id], id)
	}
	return diags
}

// job is what the executor is given; denied is why nothing of it may begin.
func (a *Application) job(denied []string) (*executor.Job, diag.Diagnostics) {
	if a.glass = nil; len(denied) == 0 {
		a.glass = a.session.broken(a.Gate.Glass)
	}
	m, err := a.session.meta(a.File, a.req, a.Gate, a.Refused, denied, a.judged, a.glass)
	if err != nil {
		return nil, diag.Errored(0, "The policies cannot be kept", "%s.", err)
	}
	run := newRunID(a.session.engine.opts.Now().UTC().Format("20060102T150405Z"))
	if a.glass != nil {
		run += executor.Glass
	}
	job := &executor.Job{
		Run: run, BreakGlass: a.glass, File: a.File, Refused: a.Refused, Gate: a.Gate,
		Operator: a.req.Operator.Name, OperatorNames: a.req.Operator.Also, Authors: a.session.base.writers(), Verified: a.Verified, Unattended: a.req.Unattended, Facts: a.req.Facts, Meta: m,
		Generations: a.session.generations(), Judged: a.judged,
	}
	for _, r := range a.planned.Resets {
		if _, no := a.Refused[r.Plan.Address]; !no {
			job.Resets = append(job.Resets, r)
		}
	}
	return job, nil
}

// newRunID is unique, and sorts by time.
func newRunID(stamp string) string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // crypto/rand.Read never fails: it ends the program instead
	return strings.ToLower(stamp) + "-" + hex.EncodeToString(b)
}
