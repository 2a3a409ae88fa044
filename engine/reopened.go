package engine

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// reopened is what the gates are asked about a run that is open: what is given now,
// beside what the run keeps.
type reopened struct {
	question
	// kept are the approvals that the run keeps, keptOverrides its overrides.
	kept, keptOverrides []gate.Document
}

// reopened finds what a resume of a run asks the gates. Resets and judged are left to
// the caller.
func (s *session) reopened(ctx context.Context, run journal.Run, file *plan.File, m meta, req ResumeRequest) (*reopened, error) {
	later, laterProofs, err := executor.Kept(ctx, s.journal, run.ID)
	if err != nil {
		return nil, err
	}
	out := &reopened{kept: slices.Concat(m.Approvals, later), question: question{file: file, proofs: req.Proofs, unattended: req.Unattended}}
	out.documents = slices.Concat(out.kept, req.Approvals)
	out.proofs.Documents = slices.Concat(m.Verifications, laterProofs, req.Proofs.Documents)
	if out.keptOverrides, out.voided, err = s.keptOverrides(ctx, run.ID, m); err != nil {
		return nil, err
	}
	out.overrides = slices.Concat(out.keptOverrides, req.Overrides)
	if out.glass, err = s.keptGlass(ctx, run.ID, m, req.Glass); err != nil {
		return nil, err
	}
	parties, err := executor.PartiesOf(ctx, s.journal, run)
	if err != nil {
		return nil, err
	}
	out.operator = req.Operator.Name
	out.operators = eachOnce(parties.Operators, m.OperatorNames, req.Operator.names())
	// Whoever wrote the change when the run began did so, wherever it was merged since.
	out.authors = eachOnce(m.Authors, parties.Authors, s.base.writers())
	return out, nil
}
