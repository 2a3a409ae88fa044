package executor

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// With the end of a reset the secrets that nobody needs any more are erased: none
// while it may go on, not the old one, nor what may be it, where that may be the one
// that works, and not the new one while no store has it.
func TestWhatIsErasedAtTheEnd(t *testing.T) {
	t.Parallel()
	const old, maybe, made = OldSecret, "old.0", "issue.it"
	for outcome, tc := range map[Outcome]struct {
		issued, stored, nothing []string // what is erased: with a new secret, with one in a store, without
		sealed, sealedOld       bool     // whether the new one stays where no store has it, and the old one
	}{
		Halted:     {},
		Abandoned:  {issued: nil, stored: []string{made}, sealed: true, sealedOld: true},
		Superseded: {sealed: true, sealedOld: true},
		Finished:   {issued: []string{old, maybe}, stored: []string{old, maybe, made}, nothing: []string{old, maybe}, sealed: true},
		Denied:     {issued: []string{old, maybe}, stored: []string{old, maybe, made}, nothing: []string{old, maybe}, sealed: true},
		Failed:     {issued: []string{old, maybe, made}, stored: []string{old, maybe, made}, nothing: []string{old, maybe}},
		Refused:    {issued: []string{old, maybe, made}, stored: []string{old, maybe, made}, nothing: []string{old, maybe}},
		RolledBack: {issued: []string{old, maybe, made}, stored: []string{old, maybe, made}, nothing: []string{old, maybe}},
	} {
		for what, want := range map[string][]string{"a new one": tc.issued, "a stored one": tc.stored, "nothing": tc.nothing} {
			b := &book{}
			r := ending(t, b)
			r.past.sealed(&entry{OldKnown: true, Doubted: 1})
			if what != "nothing" {
				r.past.steps[made] = progress{kind: journal.Done}
			}
			if what == "a stored one" {
				r.past.steps["distribute.it"] = progress{kind: journal.Done}
			}
			out, err := r.finish(t.Context(), outcome, errors.New("because"))
			if err != nil || len(b.batches) != 1 {
				t.Fatalf("%s, %s: %v, %d batches", outcome, what, err, len(b.batches))
			}
			var erased []string
			for _, s := range b.batches[0].Erase {
				erased = append(erased, s.Name)
			}
			if !slices.Equal(erased, want) {
				t.Errorf("%s, %s: erased %v, want %v", outcome, what, erased, want)
			}
			sealed := tc.sealed && (what == "a new one" || what == "a stored one" && outcome == Superseded)
			if e := b.entries()[0]; out.Sealed != sealed || e.Sealed != sealed || out.Open != (outcome == Halted) || e.Outcome != outcome || e.Error != "because" {
				t.Errorf("%s, %s: %+v, %+v", outcome, what, out, e)
			}
			if e := b.entries()[0]; out.SealedOld != tc.sealedOld || e.SealedOld != tc.sealedOld {
				t.Errorf("%s, %s: the old one is sealed: %+v, %+v", outcome, what, out, e)
			}
			if finished := b.batches[0].Finished; (len(finished) == 1) != (outcome == Finished) {
				t.Errorf("%s, %s: finished %+v", outcome, what, finished)
			}
		}
	}
}

// A reset that was superseded forgets the old secret only where it had proven it dead and
// the target did not change since: nothing that was not sealed is said to be.
func TestWhatASupersededResetKeeps(t *testing.T) {
	t.Parallel()
	refused := notOurs(provider.Probe{Verdict: provider.Refused, Endpoint: "there"})
	for name, tc := range map[string]struct {
		cause         error
		proof         lifecycle.Proof
		unknown, made bool
		kept          bool
		says          string
	}{
		"somebody set another":                     {cause: refused, made: true, kept: true, says: bothKept},
		"somebody set another, after the proof":    {cause: refused, proof: lifecycle.Tested, made: true, kept: true, says: bothKept},
		"another run":                              {cause: errAnother, made: true, kept: true, says: bothKept},
		"another run, after the proof":             {cause: errAnother, proof: lifecycle.Reported, made: true, says: "What this run made stays sealed (`remint recover`)"},
		"another run, before there was a new one":  {cause: errAnother, kept: true, says: "The old secret stays sealed, since it may work (`remint recover -old`)"},
		"the old one was never known":              {cause: refused, unknown: true, made: true, says: "What this run made stays sealed (`remint recover`)"},
		"the old one was never known, nothing new": {cause: errAnother, unknown: true},
	} {
		b := &book{}
		r := ending(t, b)
		r.steps = append(r.steps, step(lifecycle.Prove))
		if !tc.unknown {
			r.past.sealed(&entry{OldKnown: true})
		}
		if tc.made {
			r.past.steps["issue.it"] = progress{kind: journal.Done}
		}
		if tc.proof != "" {
			r.past.steps["prove.it"] = progress{kind: journal.Done, entry: entry{Proof: tc.proof}}
		}
		out, err := r.settle(t.Context(), &stepError{"notify.it", tc.cause})
		if err != nil || out.Outcome != Superseded || out.Step != "notify.it" || out.SealedOld != tc.kept {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		want := tc.cause.Error()
		if tc.says != "" {
			want += ". " + tc.says
		}
		if out.Error != want {
			t.Errorf("%s: it says %q", name, out.Error)
		}
		erased := slices.ContainsFunc(b.batches[len(b.batches)-1].Erase, func(s journal.Sealed) bool { return s.Name == OldSecret })
		if erased != (!tc.kept && tc.proof != "") {
			t.Errorf("%s: the old one is erased: %v", name, erased)
		}
	}
}

const bothKept = "What this run made stays sealed (`remint recover`), and so does the old secret, which may work again (`remint recover -old`)"

// The end of a reset says why overrides are void where they are, and says nothing of
// them where they are not.
func TestTheEndSaysWhatIsVoid(t *testing.T) {
	t.Parallel()
	for void, want := range map[string]map[string]string{"": nil, "it is void": {"override_void": "it is void"}} {
		b := &book{}
		r := ending(t, b)
		r.void = void
		if _, err := r.finish(t.Context(), Failed, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.entries()[0].Facts); diff != "" {
			t.Errorf("%q (-want +got):\n%s", void, diff)
		}
		if r, ok := b.signed[0].(evidence.Reset); !ok || r.Outcome != string(Failed) {
			t.Errorf("%+v", b.signed)
		}
	}
}

// ending is a reset that makes one field and has one store for it.
func ending(t *testing.T, b *book) *reset {
	t.Helper()
	r := bare(lifecycle.Cutover, lifecycle.Overlapping)
	run, _ := booked(b, r.address)
	r.x, r.soft = run.x, t.Context()
	r.Credential.Type.Fields = []provider.Field{{Name: "value"}}
	r.steps = []config.Step{
		{Phase: lifecycle.Issue, Addr: addrs.Step{Phase: "issue", Name: "it"}},
		{Phase: lifecycle.Distribute, Addr: addrs.Step{Phase: "distribute", Name: "it"}, Store: &config.Block{Type: "mem", Name: "s", Field: "value"}},
	}
	return r
}
