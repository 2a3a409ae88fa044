package evidence

import (
	"bytes"
	"crypto"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/transparency-dev/tessera/api/layout"
)

// Glass ends the ids of runs that broke the glass, and ReviewRun those of reviews.
const (
	Glass     = "-breakglass"
	ReviewRun = "-review"
)

// Debt is a review that is owed for a run that broke the glass.
type Debt struct {
	Run    string `json:"run"`
	Member string `json:"member"`
	Reason string `json:"reason"`
	// Due is zero where the evidence of the run is gone: it is owed at once.
	Due time.Time `json:"due,omitzero"`
	// Overdue is whether Due is over.
	Overdue bool `json:"overdue"`
}

// Debts finds the reviews that are owed, as the ledger and the evidence directory
// tell: of every run that broke the glass and is in either, but for those that a
// review speaks of which is signed with one of the keys.
func Debts(dir string, keys []crypto.PublicKey, now time.Time) ([]Debt, error) {
	runs, err := exceptional(dir)
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	ring, err := newKeyring(keys)
	if err != nil {
		return nil, err
	}
	owed := map[string]Debt{}
	for run := range runs {
		if strings.HasSuffix(run, Glass) {
			owed[run] = Debt{Run: run, Overdue: true}
		}
	}
	paid := map[string]bool{}
	for run := range runs {
		for e, err := range showFile(dir, run, RunFile) {
			if err != nil {
				break // damage is evidence verify's to tell; a review that cannot be read pays nothing
			}
			r, ok := e.Record.(*Run)
			switch {
			case !ok:
			case r.Event == "break_glass" && strings.HasSuffix(run, Glass):
				if owed[run].Due.IsZero() {
					owed[run] = debtOf(r, now)
				}
			case r.Event == "review":
				if _, _, _, err := ring.open(e.raw); err == nil {
					if said, _, err := parseStatementOf[Review](aReview(), r.Review); err == nil {
						paid[said.Run] = true
					}
				}
			}
		}
	}
	maps.DeleteFunc(owed, func(run string, _ Debt) bool { return paid[run] })
	return slices.SortedFunc(maps.Values(owed), func(a, b Debt) int { return strings.Compare(a.Run, b.Run) }), nil
}

func debtOf(r *Run, now time.Time) Debt {
	d := Debt{Run: r.Run, Due: r.ReviewDue, Overdue: !now.Before(r.ReviewDue)}
	if said, err := ParseBreakGlass(r.BreakGlass); err == nil {
		d.Member, d.Reason = said.Member, said.Reason
	}
	return d
}

// exceptional names the runs of either kind that the ledger or the directory has.
func exceptional(dir string) (map[string]bool, error) {
	out := map[string]bool{}
	special := func(run string) {
		if safeName(run) && (strings.HasSuffix(run, Glass) || strings.HasSuffix(run, ReviewRun)) {
			out[run] = true
		}
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		special(e.Name())
	}
	size, err := ledgerSize(filepath.Join(dir, ledgerDir))
	if err != nil {
		return out, nil // it is damaged, or there is none: told where it is opened
	}
	marks := [][]byte{[]byte(Glass + "/run/break_glass#"), []byte(ReviewRun + "/run/review#")}
	for index := uint64(0); index*layout.EntryBundleWidth < size; index++ {
		entries, err := readEntries(filepath.Join(dir, ledgerDir), index, int(min(size-index*layout.EntryBundleWidth, layout.EntryBundleWidth)))
		if err != nil {
			return out, nil
		}
		for _, entry := range entries {
			if !bytes.Contains(entry, marks[0]) && !bytes.Contains(entry, marks[1]) {
				continue
			}
			if l, err := parseLeaf(entry); err == nil {
				special(l.Run)
			}
		}
	}
	return out, nil
}
