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
	// Command forgets it, where it was replaced; an old one that was not, it takes out.
	Command string `json:"command,omitempty"`

	sealed journal.Sealed
	// old is set for a secret that the run was to kill, or that may be it.
	old bool
}

// sealedCopies are the secrets that the state keeps sealed, by address, those of the
// newest run first, and of a run the surest first.
func sealedCopies(ctx context.Context, j journal.Journal) (map[string][]SealedCopy, error) {
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
		if s.Address == "" || !known {
			continue
		}
		c := SealedCopy{Run: s.Run, OpenedAt: runs[i].OpenedAt, sealed: s, old: executor.IsOld(s.Name)}
		if err := c.judge(ctx, j, runs[i], last[s.Address], func(run string) bool { n, known := at[run]; return known && n < i }); err != nil {
			return nil, err
		}
		out[s.Address] = append(out[s.Address], c)
	}
	for _, copies := range out {
		slices.SortFunc(copies, func(a, b SealedCopy) int {
			return cmp.Or(cmp.Compare(at[a.Run], at[b.Run]), cmp.Compare(a.sealed.Name, b.sealed.Name))
		})
	}
	return out, nil
}

// judge finds out how the reset ended that made c, and whether it was replaced: by the
// run that finished one last, if later says that it is a later one, or by somebody else,
// who may have put the old one back.
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
		switch {
		case c.old:
			c.Command = c.command("-out=FILE")
			return nil
		case c.Outcome != string(executor.Superseded):
			return nil
		}
		c.Replaced = "somebody else reset the credential"
	}
	c.Command = c.command("-erase")
	return nil
}

// command is what does to c as the flag says.
func (c *SealedCopy) command(flag string) string {
	if c.old {
		flag = "-old " + flag
	}
	return "remint recover " + flag + " -run=" + c.Run + " " + event.Shell(c.sealed.Address)
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
	if n := len(live); live[0].Run == live[n-1].Run {
		return live[0], diag.Diagnostics{}.Warnf("There are others", "Run %s keeps %d secrets of %s sealed; this is the first. "+
			"The next one comes once this one is forgotten: -erase.", live[0].Run, n, address)
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
