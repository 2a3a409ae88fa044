package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/verify"
)

// ApprovalsReport is who has approved a plan, who may, and what is missing.
type ApprovalsReport struct {
	Answer   gate.Answer
	Verified verify.Outcome
	// Rest is the -where of the resets that nothing holds up, "" where that is all
	// or none of them.
	Rest string
}

// Approvals says how far a plan's gate is open, as apply would ask it now when
// operator runs it. It needs no variables, starts no provider, and spends nothing:
// what the state remembers of codes does not count in it.
func (e *Engine) Approvals(ctx context.Context, file *plan.File, documents, overrides []gate.Document, proofs Proofs, operator string) (*ApprovalsReport, diag.Diagnostics) {
	w, base, diags := e.load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	if file.Plan.TrustChange != nil {
		return nil, diags.Errorf("Not a plan of resets", "The file proposes another trust base: `remint trust accept` says what that lacks.")
	}
	if diags = append(diags, e.judgedBy(file, base)...); diags.HasErrors() {
		return nil, diags
	}
	var shown []*verify.Document
	for _, d := range proofs.Documents {
		doc, err := verify.Read(d.Content, file)
		if err != nil {
			diags = diags.Warnf("A verification does not count", "%s: %s.", addrs.Visible(d.Name), err)
			continue
		}
		shown = append(shown, doc)
	}
	verified, refused := e.checker(w, verify.Forgetful{}, proofs.Getenv).Check(ctx, file, shown, nil)
	for _, r := range refused {
		diags = diags.Warnf("A verification does not count", "%s", r)
	}
	decided, faults := e.decidedSoFar(ctx, w, file)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	by, faults := authority(w.Settings.Approvals.TrustedRoot)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	q := gate.Question{
		File: file, Requirements: file.Plan.Requirements, Approvers: w.Approvers, Documents: besides(documents, decided),
		Operators: []string{operator}, Authors: base.writers(), Verified: verified, MaxExpires: w.Settings.Approvals.MaxExpires, Authority: by, Now: e.opts.Now().UTC(),
	}
	answer := gate.Ask(q)
	answer.Lifting = q.Lift(w.Override, overrides, gate.Denials(string(policy.StagePlan), file.Plan.Decisions))
	return &ApprovalsReport{Answer: answer, Verified: verified, Rest: rest(file, answer.Needs)}, diags
}

// rest selects the resets that no unmet need is about.
func rest(file *plan.File, needs []gate.Need) string {
	held := map[string]bool{}
	for _, n := range needs {
		if n.Met() {
			continue
		}
		if len(n.Addresses) == 0 {
			return ""
		}
		for _, a := range n.Addresses {
			held[a] = true
		}
	}
	if len(held) == 0 || len(held) >= len(file.Plan.Resets) {
		return ""
	}
	var quoted []string
	for a := range held {
		quoted = append(quoted, fmt.Sprintf("%q", a))
	}
	slices.Sort(quoted)
	return "!contains([" + strings.Join(quoted, ", ") + "], address)"
}
