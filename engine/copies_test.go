package engine

import (
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/journal"
)

// Which of several sealed secrets is meant: the one that may work, whoever made it; of
// several that one run kept, since any of them may be its old one, the first, and that
// there are more is said; of several runs none is guessed.
func TestWhichSealedSecretIsMeant(t *testing.T) {
	t.Parallel()
	sealed := func(run, name, replaced string) SealedCopy {
		return SealedCopy{Run: run, Replaced: replaced, old: true, sealed: journal.Sealed{Run: run, Name: name}}
	}
	const by = "run r3 finished a reset later"
	for name, tc := range map[string]struct {
		copies []SealedCopy
		erase  bool
		want   string // "" for none
		says   string
	}{
		"one":                           {[]SealedCopy{sealed("r1", "old", "")}, false, "r1 old", ""},
		"one, replaced":                 {[]SealedCopy{sealed("r1", "old", by)}, true, "r1 old", ""},
		"one that may work":             {[]SealedCopy{sealed("r2", "old", ""), sealed("r1", "old", by)}, true, "r2 old", ""},
		"three of one run":              {[]SealedCopy{sealed("r1", "old", ""), sealed("r1", "old.0", ""), sealed("r1", "old.1", "")}, true, "r1 old", "keeps 3 secrets"},
		"two of one run, and others":    {[]SealedCopy{sealed("r2", "old.0", ""), sealed("r2", "old.1", ""), sealed("r1", "old", by)}, false, "r2 old.0", "keeps 2 secrets"},
		"two of one run, replaced":      {[]SealedCopy{sealed("r1", "old", by), sealed("r1", "old.0", by)}, true, "r1 old", "keeps 2 secrets"},
		"none should work":              {[]SealedCopy{sealed("r2", "old", by), sealed("r1", "old", by)}, false, "r2 old", "There are others"},
		"none should work, to be gone":  {[]SealedCopy{sealed("r2", "old", by), sealed("r1", "old", by)}, true, "", "Which run?"},
		"of two runs, each of them may": {[]SealedCopy{sealed("r2", "old", ""), sealed("r1", "old", "")}, false, "", "Which run?"},
	} {
		got, diags := theOne(tc.copies, "credential.t.a", tc.erase)
		said := ""
		for _, d := range diags {
			said += d.Summary + ": " + d.Detail
		}
		if diags.HasErrors() != (tc.want == "") || strings.TrimSpace(got.Run+" "+got.sealed.Name) != tc.want || !strings.Contains(said, tc.says) || (said == "") != (tc.says == "") {
			t.Errorf("%s: %q, %q", name, got.Run+" "+got.sealed.Name, said)
		}
	}
}

// What nothing shows to be replaced is not erased unseen, nor what an open run needs.
func TestWhatIsNotErasedUnseen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request RecoverRequest
		copy    SealedCopy
		says    string
	}{
		"of an open run":           {RecoverRequest{Out: "f"}, SealedCopy{Outcome: "open"}, "The run still needs it"},
		"a new one":                {RecoverRequest{}, SealedCopy{Outcome: "abandoned"}, "was replaced"},
		"an old one":               {RecoverRequest{Old: true}, SealedCopy{Outcome: "superseded"}, "Nothing shows that the old secret"},
		"an old one, into a file":  {RecoverRequest{Old: true, Out: "f"}, SealedCopy{Outcome: "superseded"}, ""},
		"an old one, by a run":     {RecoverRequest{Old: true}, SealedCopy{Replaced: "run r3 finished a reset later"}, ""},
		"a new one, by a stranger": {RecoverRequest{}, SealedCopy{Outcome: "superseded", Replaced: "somebody else reset the credential"}, ""},
	} {
		diags := tc.request.erasable(tc.copy)
		said := ""
		for _, d := range diags {
			said += d.Summary + ": " + d.Detail
		}
		if !strings.Contains(said, tc.says) || (said == "") != (tc.says == "") || diags.HasErrors() && diags.Exit() != diag.ExitError {
			t.Errorf("%s: %q", name, said)
		}
	}
}
