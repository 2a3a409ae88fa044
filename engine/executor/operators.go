package executor

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/journal"
)

// Operators are all who began a run or resumed it, in that order and once each, as the
// run's own records say: who is on that list has a part in it, whoever resumes it next.
func Operators(ctx context.Context, j journal.Journal, run journal.Run) ([]string, error) {
	out := []string{run.Operator}
	for rec, err := range j.Records(ctx, run.ID, "") {
		if err != nil {
			return nil, err
		}
		e, err := decodeEntry(rec)
		if err != nil {
			return nil, err
		}
		if e.Operator != "" && !slices.Contains(out, e.Operator) {
			out = append(out, e.Operator)
		}
	}
	return out, nil
}
