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
// while it may go on, not the old one where it may still be the one that works, and
// not the new one while no store has it.
func TestWhatIsErasedAtTheEnd(t *testing.T) {
	t.Parallel()
	const old, made = OldSecret, "issue.it"
	for outcome, tc := range map[Outcome]struct {
		issued, stored, nothing []string // what is erased: with a new secret, with one in a store, without
		sealed                  bool     // whether the new one stays where no store has it
	}{
		Halted:     {},
		Abandoned:  {issued: nil, stored: []string{made}, sealed: true},
		Superseded: {issued: []string{old}, stored: []string{old}, nothing: []string{old}, sealed: true},
		Finished:   {issued: []string{old}, stored: []string{old, made}, nothing: []string{old}, sealed: true},
		Denied:     {issued: []string{old}, stored: []string{old, made}, nothing: []string{old}, sealed: true},
		Failed:     {issued: []string{old, made}, stored: []string{old, made}, nothing: []string{old}},
		Refused:    {issued: []string{old, made}, stored: []string{old, made}, nothing: []string{old}},
		RolledBack: {issued: []string{old, made}, stored: []string{old, made}, nothing: []string{old}},
	} {
		for what, want := range map[string][]string{"a new one": tc.issued, "a stored one": tc.stored, "nothing": tc.nothing} {
			b := &book{}
			r := ending(t, b)
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
			if finished := b.batches[0].Finished; (len(finished) == 1) != (outcome == Finished) {
				t.Errorf("%s, %s: finished %+v", outcome, what, finished)
			}
		}
	}
}

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
