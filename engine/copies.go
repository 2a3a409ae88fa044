package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
)

// SealedCopy is a secret that the state keeps sealed for one run.
type SealedCopy struct {
	Run      string    `json:"run"`
	OpenedAt time.Time `json:"opened_at"`
	// Outcome is how the run's reset ended, "open" while it has not; it is not looked up
	// where a later run replaced the secret.
	Outcome string `json:"outcome,omitempty"`
	// Replaced says by what, "" for a copy that may be the secret that works.
	Replaced string `json:"replaced,omitempty"`
	// Command forgets it, where it was replaced.
	Command string `json:"command,omitempty"`

	sealed journal.Sealed
}

// sealedCopies are the secrets that the state keeps sealed, by address, those of the
// newest run first; old asks for the old ones instead of the new.
func sealedCopies(ctx context.Context, j journal.Journal, old bool) (map[string][]SealedCopy, error) {
	list, err := j.Secrets(ctx, "")
	if err != nil || len(list) == 0 {
		return nil, err
	}
	runs, err := j.Runs(ctx) // newest first
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(runs))
	for i, r := range runs {
		at[r.ID] = i
	}
	credentials, err := j.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	last := make(map[string]string, len(credentials)) // who finished a reset last
	for _, c := range credentials {
		last[c.Address] = c.Run
	}
	out := map[string][]SealedCopy{}
	for _, s := range list {
		i, known := at[s.Run]
		if s.Address == "" || old != (s.Name == executor.OldSecret) || executor.IsDoubted(s.Name) || !known {
			continue
		}
		c := SealedCopy{Run: s.Run, OpenedAt: runs[i].OpenedAt, sealed: s}
		if err := c.judge(ctx, j, runs[i], last[s.Address], func(run string) bool { n, known := at[run]; return known && n < i }); err != nil {
			return nil, err
		}
		out[s.Address] = append(out[s.Address], c)
	}
	for _, copies := range out {
		slices.SortFunc(copies, func(a, b SealedCopy) int { return cmp.Compare(at[a.Run], at[b.Run]) })
	}
	return out, nil
}

// judge finds out how the reset ended that made c, and whether it was replaced: by the
// run that finished one last, if later says that it is a later one, or by somebody else.
func (c *SealedCopy) judge(ctx context.Context, j journal.Journal, r journal.Run, last string, later func(string) bool) error {
	switch c.Outcome = r.Outcome; {
	case r.ClosedAt.IsZero():
		c.Outcome = "open"
		return nil
	case later(last):
		c.Outcome, c.Replaced = "", "run "+last+" finished a reset later"
	case last == r.ID:
		c.Outcome = string(executor.Finished)
		return nil
	default: // many are sealed, and few of them need to be looked up
		for rec, err := range j.Records(ctx, r.ID, c.sealed.Address) {
			if err != nil {
				return err
			}
			if rec.Kind == journal.Ended {
				c.Outcome = executor.Summary(rec).Outcome
			}
		}
		if c.Outcome != string(executor.Superseded) {
			return nil
		}
		c.Replaced = "somebody else reset the credential"
	}
	if c.sealed.Name != executor.OldSecret {
		c.Command = "remint recover -erase -run=" + c.Run + " " + event.Shell(c.sealed.Address)
	}
	return nil
}

// theOne is the one copy that is meant: the only one that may be the secret that
// works; where none may, the newest, unless it is to be erased.
func theOne(copies []SealedCopy, address string, erase bool) (SealedCopy, diag.Diagnostics) {
	var live []SealedCopy
	for _, c := range copies {
		if c.Replaced == "" {
			live = append(live, c)
		}
	}
	if len(live) == 1 || len(copies) == 1 {
		return slices.Concat(live, copies)[0], nil
	}
	if len(live) == 0 {
		live = copies
		if !erase {
			return copies[0], diag.Diagnostics{}.Warnf("There are others", "The state keeps %d secrets of %s sealed, of which none should work; this is the newest. Others: %s.", len(copies), address, candidates(copies[1:]))
		}
	}
	return SealedCopy{}, diag.Errored(0, "Which run?", "The state keeps more than one secret of %s sealed, and nothing tells which one is meant. Name its run: %s.", address, candidates(live))
}

// candidates lists copies, as they are chosen.
func candidates(copies []SealedCopy) string {
	var list []string
	for i, c := range copies {
		if i == maxNamed {
			list = append(list, fmt.Sprintf("and %d more", len(copies)-i))
			break
		}
		list = append(list, fmt.Sprintf("-run=%s, opened %s: %s", c.Run, c.OpenedAt.UTC().Format(time.RFC3339), cmp.Or(c.Replaced, c.Outcome)))
	}
	return strings.Join(list, "; ")
}
