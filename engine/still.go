package engine

import (
	"context"
	"reflect"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
)

// runOf is the open run of a plan, nil where it was not begun. A plan whose run is
// closed is spent.
func (s *session) runOf(ctx context.Context, file *plan.File) (*journal.Run, diag.Diagnostics) {
	if len(s.unopened) > 0 {
		return nil, s.unopened
	}
	if s.journal == nil {
		return nil, s.elsewhere()
	}
	if faults := s.older(ctx, false); faults.HasErrors() {
		return nil, faults
	}
	runs, err := s.journal.Runs(ctx)
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for _, run := range runs {
		switch {
		case run.PlanID != file.ID:
		case run.ClosedAt.IsZero():
			return &run, nil
		default:
			return nil, spent(run)
		}
	}
	return nil, nil
}

// elsewhere warns where the evidence says that there is a state, and it is not here.
func (s *session) elsewhere() diag.Diagnostics {
	last, err := evidence.LastRecord(s.workspace.Settings.EvidenceDir.Absolute)
	if err != nil || last == "" {
		return nil
	}
	return diag.Diagnostics{}.Warnf("The state is not here", "What it remembers is not counted: codes that `verify` took, whether the plan is spent, who judged before. Ask where plans are applied.")
}

// spent says that a plan's run is closed.
func spent(run journal.Run) diag.Diagnostics {
	return diag.Errored(diag.ExitStale, "The plan is spent", "It was applied in run %s, and a plan is applied once. Plan again. (`remint runs %s` shows what became of it.)", run.ID, run.ID)
}

// still finds what a plan was made from, as far as that can be told without looking at
// a target, and refuses one that does not hold any more. Apply derives the plan again,
// and sees more. run is its run where that is open.
func (s *session) still(file *plan.File, run *journal.Run) ([]*planner.Reset, diag.Diagnostics) {
	doc := &file.Plan
	resets, faults := s.planner().Restore(file)
	if faults.HasErrors() && s.unknown(file) {
		return nil, diag.Errored(0, "The gates cannot be asked", "What the plan is about depends on variables that have no value here. Give them their values, with -var, -var-file or REMINT_VAR_name.")
	}
	var differs []string
	check := func(name string, same bool) {
		if !same {
			differs = append(differs, name)
		}
	}
	policies := s.policies.Digest() == doc.PolicyDigest
	check("the workspace", !faults.HasErrors())
	check("the policies", policies)
	check(trustBaseDiffers, !policies || !s.comparable() || s.trustDigest == doc.TrustDigest)
	check(judgesDiffer, plan.TrustCovers(s.engine.trustWord(), doc.Trust))
	if !faults.HasErrors() && doc.Selection != nil {
		now := planner.Input(policy.StagePlan, doc, resets).Targets
		check(choiceDiffers, reflect.DeepEqual(*doc.Selection, plan.Selection{By: now.By, Where: now.Where, Addresses: now.Addresses}))
	}
	if len(differs) > 0 {
		return nil, stale(differs)
	}
	var diags diag.Diagnostics
	if !s.comparable() && s.base == nil { // of a base it is said before
		diags = diags.Warnf("The trust base is not compared", "Some of it depends on variables that have no value here, or the evidence key's public half is not here, so whether the plan was made under it is not known.")
	}
	if run == nil && s.journal != nil {
		diags = append(diags, s.resetSince(doc)...)
	}
	return resets, diags
}

// comparable reports whether the digest of the judges at hand is the one that apply
// has where plans are applied.
func (s *session) comparable() bool {
	return s.trust.Known() && (s.base != nil || s.trust.Signer != "")
}

// unknown reports whether what a plan is about depends on variables without a value.
func (s *session) unknown(file *plan.File) bool {
	in := map[string]bool{}
	for _, r := range file.Plan.Resets {
		in[r.Address] = true
	}
	open := func(b *config.Block) bool { return b != nil && !b.Attrs.Known() }
	return slices.ContainsFunc(s.workspace.Credentials, func(c *config.Credential) bool {
		return in[c.Addr.String()] && (!c.Attrs.Known() || c.Provider != nil && !c.Provider.Attrs.Known() || slices.ContainsFunc(c.Stores, open) || slices.ContainsFunc(c.Consumers, open))
	})
}

// resetSince finds the credentials that were reset since the plan was made, as far as
// the state knows: apply refuses those, and a plan of none but those.
func (s *session) resetSince(doc *plan.Plan) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, r := range doc.Resets {
		if s.known[r.Address].Generation != r.Observed.Generation {
			diags = append(diags, diag.Diagnostic{Severity: diag.Warning, Summary: "This reset would be refused", Address: r.Address, Detail: "It was reset since the plan was made. Plan again."})
		}
	}
	if len(diags) == 0 || len(diags) < len(doc.Resets) {
		return diags
	}
	return diag.Errored(diag.ExitStale, "The plan is stale", "All that it is about was reset since it was made. Plan again.")
}
