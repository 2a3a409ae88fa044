package executor

import (
	"context"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// voidFact is the fact, in the end of a reset, that says why the run's overrides
// are worth nothing any more.
const voidFact = "override_void"

// held says why gated steps may not begin, nil if they may.
func (j *Job) held() *Held {
	if void := j.void.Load(); void != nil {
		return void
	}
	return j.Held
}

// voids makes the overrides that the run rests on worth nothing, since a result
// policy denies what nobody had named: no gated step of any reset begins any more,
// in this process or in a resume. It gives what there is to say, "" where the run
// rests on no override.
func (r *reset) voids(decisions []plan.Decision) string {
	lifting := r.job.Gate.Lifting
	if len(lifting.Lifted) == 0 || len(lifting.Overrides) == 0 {
		return ""
	}
	var text []string
	for _, o := range lifting.Overrides {
		text = append(text, o.VoidedBy(gate.Denials(string(policy.StageResult), decisions)))
	}
	r.void = strings.Join(text, " ")
	r.job.void.CompareAndSwap(nil, &Held{Exit: diag.ExitDenied, Why: r.void + " What rested on it does not begin"})
	return r.void
}

// KeptOverrides gives the overrides that were given to earlier resumes of a run.
func KeptOverrides(ctx context.Context, j journal.Journal, run string) ([]gate.Document, error) {
	return documentsOf(ctx, j, run, func(e *entry) *gate.Document { return e.Override })
}

// Voided says why all overrides of a run are worth nothing, "" while they are not.
func Voided(ctx context.Context, j journal.Journal, run string) (string, error) {
	for rec, err := range j.Records(ctx, run, "*") {
		if err != nil {
			return "", err
		}
		if rec.Kind != journal.Ended {
			continue
		}
		e, err := decodeEntry(rec)
		if err != nil {
			return "", err
		}
		if why := e.Facts[voidFact]; why != "" {
			return why, nil
		}
	}
	return "", nil
}
