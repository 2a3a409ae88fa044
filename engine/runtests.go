package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/mocked"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// TestOutcome is what came of one run of a test file.
type TestOutcome struct {
	File, Name string
	// Faults say why it failed; none means that it passed.
	Faults diag.Diagnostics
	Took   time.Duration
}

// Test runs the workspace's tests: plans against mocked targets, judged by the
// real runbooks and policies. Nothing real is opened, and no state is read. filter
// names files; none means all.
func (e *Engine) Test(ctx context.Context, filter []string) ([]TestOutcome, diag.Diagnostics) {
	files, diags := config.LoadTests(e.opts.Dir)
	if diags.HasErrors() {
		return nil, diags
	}
	for _, name := range filter {
		if !slices.ContainsFunc(files, func(f *config.TestFile) bool { return f.Name == name }) {
			diags = diags.Errorf("There is no such test file", "-filter names %q, and the workspace has no such *.reminttest.hcl file.", name)
		}
	}
	if len(files) == 0 {
		diags = diags.Errorf("No tests here", "The workspace has no *.reminttest.hcl file. docs/testing.md shows one.")
	}
	if diags.HasErrors() {
		return nil, diags
	}
	var out []TestOutcome
	for _, f := range files {
		if len(filter) > 0 && !slices.Contains(filter, f.Name) {
			continue
		}
		for _, run := range f.Runs {
			began := time.Now()
			faults := e.testRun(ctx, f, run)
			out = append(out, TestOutcome{File: f.Name, Name: run.Name, Faults: faults, Took: time.Since(began)})
		}
	}
	return out, diags
}

// testRun makes one plan, and finds fault with it.
func (e *Engine) testRun(ctx context.Context, f *config.TestFile, run *config.TestRun) diag.Diagnostics {
	t := &trial{run: run, now: e.opts.Now()}
	t.mock(e)
	t.judge(ctx)
	faults := t.unexpected()
	if len(faults) > 0 || len(run.Errors) > 0 {
		return faults
	}
	return append(faults, f.Assert(run, t.found())...)
}

// trial is one run of a test under way.
type trial struct {
	run    *config.TestRun
	engine *Engine
	now    time.Time
	// What came of it.
	diags        diag.Diagnostics
	planned      *planner.Planned
	decisions    []plan.Decision
	requirements plan.Requirements
}

// mock is the engine with the run's variables, over mocked targets.
func (t *trial) mock(e *Engine) {
	opts := e.opts
	opts.Events = event.Discard
	opts.Vars = map[string]string{}
	for _, from := range []map[string]string{e.opts.Vars, t.run.Variables} {
		for k, v := range from {
			opts.Vars[k] = v
		}
	}
	opts.Registry = mocked.Registry(e.opts.Registry, t.observe)
	t.engine = New(opts)
}

// observe answers as the last mock that is about the credential says.
func (t *trial) observe(c provider.Credential) (provider.Observation, error) {
	obs := provider.Observation{Exists: true, Enabled: true, Versions: []provider.Version{{ID: "mocked"}}, Now: t.now}
	m, ok := t.mockOf(c.Address)
	if !ok {
		return obs, nil
	}
	if m.Fails != "" {
		return obs, errors.New(m.Fails)
	}
	obs.Exists, obs.Enabled, obs.Fenced, obs.Sessions, obs.InUseBy = m.Exists, m.Enabled, m.Fenced, m.Sessions, m.InUseBy
	obs.Versions = nil
	for _, v := range m.Versions {
		obs.Versions = append(obs.Versions, provider.Version{ID: v})
	}
	return obs, nil
}

func (t *trial) mockOf(address string) (config.TestMock, bool) {
	a, err := addrs.ParseCredential(address)
	if err != nil {
		return config.TestMock{}, false
	}
	for _, m := range slices.Backward(t.run.Mocks) {
		if m.Address == a || m.Address == a.Block() {
			return m, true
		}
	}
	return config.TestMock{}, false
}

// judge plans, and asks the policies of every stage that the run speaks of.
func (t *trial) judge(ctx context.Context) {
	w, base, diags := t.engine.load(false)
	if t.diags = diags; w == nil || diags.HasErrors() {
		return
	}
	if t.diags = append(t.diags, t.strangers(w)...); t.diags.HasErrors() {
		return
	}
	policies, diags := t.engine.policies(ctx, w)
	defer policies.Close()
	if t.diags = append(t.diags, diags...); t.diags.HasErrors() {
		return
	}
	known := planner.Known{}
	for _, c := range w.Credentials {
		if m, ok := t.mockOf(c.Addr.String()); ok && m.Age >= 0 {
			known[c.Addr.String()] = journal.Credential{Generation: 1, Finished: journal.Finished{At: t.now.Add(-m.Age)}}
		}
	}
	targets := fleet.New(t.engine.opts.Registry)
	defer func() { _ = targets.Close() }() // mocked: there is nothing that could fail
	p := &planner.Planner{
		Workspace: w, Fleet: targets, Policies: policies, Known: known,
		Events: event.Discard, Now: func() time.Time { return t.now }, Parallelism: t.engine.opts.Parallelism,
		Trust: t.engine.trustWord(),
	}
	if base != nil {
		p.Base = base.workspace
	}
	t.planned, diags = p.Plan(ctx, planner.Request{
		Reason: t.run.Reason, Ticket: t.run.Ticket, Requester: t.run.Requester, Addresses: t.run.Addresses, Where: t.run.Where, All: t.run.All,
	})
	if t.diags = append(t.diags, diags...); t.planned == nil {
		return
	}
	t.decisions, t.requirements = t.planned.File.Plan.Decisions, t.planned.File.Plan.Requirements
	t.gates(ctx, w, policies)
}

// strangers are mocks and results of credentials that do not exist.
func (t *trial) strangers(w *config.Workspace) diag.Diagnostics {
	var diags diag.Diagnostics
	check := func(a addrs.Credential) {
		if !slices.ContainsFunc(w.Credentials, func(c *config.Credential) bool { return c.Addr == a || c.Addr.Block() == a }) {
			diags = diags.Errorf("No such credential", "The run is about %s, which this workspace does not have.", a)
		}
	}
	for _, m := range t.run.Mocks {
		check(m.Address)
	}
	for _, r := range t.run.Results {
		check(r.Address)
	}
	return diags
}

func (t *trial) ask(ctx context.Context, policies *policy.Set, in *policy.Input, before ...*policy.Input) {
	verdict, diags := policies.Eval(ctx, in, before...)
	t.diags = append(t.diags, diags...)
	t.decisions = append(slices.Clone(t.decisions), verdict.Decisions...)
	if in.Stage == policy.StageApproval {
		t.requirements.Approvals = append(slices.Clone(t.requirements.Approvals), verdict.Requirements.Approvals...)
		if verdict.Requirements.Strength.AtLeast(t.requirements.Strength) {
			t.requirements.Strength = verdict.Requirements.Strength
		}
	}
}

// of lists the decisions of a level as SOURCE/ID, each once.
func (t *trial) of(level plan.Level) []string {
	out := []string{}
	for _, d := range t.decisions {
		if name := d.Source + "/" + d.Rule; d.Level == level && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// unexpected compares faults and denials with what the run expects.
func (t *trial) unexpected() diag.Diagnostics {
	var out diag.Diagnostics
	met := make([]bool, len(t.run.Errors))
	for _, d := range t.diags {
		if d.Severity != diag.Error {
			continue
		}
		expected := false
		for i, text := range t.run.Errors {
			if strings.Contains(d.Summary+": "+d.Detail, text) {
				met[i], expected = true, true
			}
		}
		if !expected {
			out = append(out, d)
		}
	}
	fault := func(summary, detail string, args ...any) {
		out = out.Errorf(summary, detail, args...)
		out[len(out)-1].Range = &t.run.Range
	}
	if mode := t.run.Reason.Mode(); t.run.Mode != "" && t.run.Mode != mode {
		fault("Another mode", "The run expects the mode %s, and the reason %s makes it %s.", t.run.Mode, t.run.Reason, mode)
	}
	for i, ok := range met {
		if !ok {
			fault("An expected fault is missing", "No fault contains %q.", t.run.Errors[i])
		}
	}
	if t.planned == nil {
		return out
	}
	denied := t.of(plan.Deny)
	for _, rule := range t.run.Denied {
		if !slices.Contains(denied, rule) {
			fault("An expected denial is missing", "%s does not deny.", rule)
		}
	}
	for _, d := range t.decisions {
		if name := d.Source + "/" + d.Rule; d.Level == plan.Deny && !slices.Contains(t.run.Denied, name) {
			fault("Denied, and not expected", "%s denies: %s Add it to expect_denied if it should.", name, d.Message)
		}
	}
	return out
}

// found is what assertions speak of.
func (t *trial) found() map[string]any {
	resets := map[string]any{}
	for _, r := range t.planned.File.Plan.Resets {
		order, phases, position := []string{}, []string{}, map[string]int{}
		for i, st := range r.Steps {
			order, phases = append(order, st.Address), append(phases, string(st.Phase))
			position[st.Address] = i
		}
		one := asDocument(r)
		one["order"], one["phases"], one["position"] = order, phases, position
		resets[r.Address] = one
	}
	diagnostics := []any{}
	for _, d := range t.diags {
		diagnostics = append(diagnostics, asDocument(d))
	}
	return map[string]any{
		"plan": t.planned.File.Plan, "resets": resets, "denied": t.of(plan.Deny), "warned": t.of(plan.Warn),
		"required": t.requirements, "diagnostics": diagnostics,
	}
}

// asDocument is v as JSON has it. v is one of the engine's own structs.
func asDocument(v any) map[string]any {
	out := map[string]any{}
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return map[string]any{}
	}
	return out
}
