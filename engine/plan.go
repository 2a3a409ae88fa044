package engine

import (
	"context"
	"os"
	"strings"
	"syscall"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
)

// Plan makes a plan. Offline starts no provider, needs no variables, and gives
// one that can never be applied. A plan that policies deny comes back together
// with faults that say so.
func (e *Engine) Plan(ctx context.Context, req planner.Request, offline bool) (*plan.File, diag.Diagnostics) {
	s, diags := e.open(ctx, need{offline: offline})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	if diags = append(diags, s.workspace.Unreached()...); diags.HasErrors() {
		return nil, diags
	}
	diags = append(diags, s.base.anonymous()...)
	planned, faults := s.planner().Plan(ctx, req)
	diags = append(diags, faults...)
	if planned == nil {
		return nil, diags
	}
	diags = append(diags, s.doubtful(planned.File)...)
	for _, d := range s.familiar(ctx) { // as with approvals: a plan may be made, and not yet applied
		if d.Exit == diag.ExitMissing {
			d.Severity = diag.Warning
		}
		diags = append(diags, d)
	}
	if !offline {
		diags = append(diags, s.owing(ctx, false)...)
	}
	return planned.File, append(diags, s.denied(&planned.File.Plan)...)
}

// denials turns denying decisions into faults with exit code 3.
func denials(p *plan.Plan) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, d := range p.Decisions {
		if d.Level == plan.Deny {
			text := strings.ReplaceAll(d.Message, "\n", " ") // a rule says one thing
			if d.Overridable {
				text += " (The policy is overridable: `remint override` signs that this does not stop the plan.)"
			}
			diags = append(diags, diag.Diagnostic{
				Severity: diag.Error, Exit: diag.ExitDenied, Address: d.Address,
				Summary: "Denied by policy " + d.Source + "/" + d.Rule, Detail: text,
			})
		}
	}
	return diags
}

// ReadPlan reads and checks a plan file. It starts no provider and needs no workspace.
func ReadPlan(path string) (*plan.File, diag.Diagnostics) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is refused below, not waited for
	if err != nil {
		return nil, diag.Errored(0, "The plan cannot be read", "%s cannot be opened: %s.", path, reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, diag.Errored(0, "The plan cannot be read", "%s is not a regular file.", path)
	}
	file, err := plan.Read(f)
	if err != nil {
		return nil, diag.Errored(diag.ExitStale, "The plan cannot be used", "%s: %s. Plan again.", path, err)
	}
	return file, nil
}
