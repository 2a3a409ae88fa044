package executor

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/journal"
)

// Parties are who has a part in a run by what they did before it, or to it, whoever
// resumes it next: as the run's own records say, in that order and once each.
type Parties struct {
	// Operators are all names of all who began the run or resumed it.
	Operators []string
	// Authors are who had written the change of the workspace by then.
	Authors []string
}

// PartiesOf reads the parties of a run. Names of who opened it stand in its Meta as
// well, which is there before the first record.
func PartiesOf(ctx context.Context, j journal.Journal, run journal.Run) (Parties, error) {
	out := Parties{Operators: []string{run.Operator}}
	add := func(to *[]string, names ...string) {
		for _, n := range names {
			if n != "" && !slices.Contains(*to, n) {
				*to = append(*to, n)
			}
		}
	}
	for rec, err := range j.Records(ctx, run.ID, "") {
		if err != nil {
			return Parties{}, err
		}
		e, err := decodeEntry(rec)
		if err != nil {
			return Parties{}, err
		}
		add(&out.Operators, e.Operator)
		add(&out.Operators, e.OperatorNames...)
		add(&out.Authors, e.Authors...)
	}
	return out, nil
}
