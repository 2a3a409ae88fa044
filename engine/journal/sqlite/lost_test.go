package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
)

// Somebody removes the files that say who is alive, and the run is taken over: by
// another one, or by itself in another process. The one that lost it cannot write,
// and cannot give back what is another's.
func TestLostRun(t *testing.T) {
	for _, tc := range []struct {
		by   string
		keys []string
		bare bool // the one that loses it asked for no more keys in between
	}{{"r1", []string{"k2"}, false}, {"r2", []string{"k2"}, true}, {"r1", []string{"k1", "k2"}, true}, {"r2", []string{"k1", "k2"}, false}} {
		by := tc.by
		path := filepath.Join(t.TempDir(), "s", "state.db")
		a, b := open(t, path), open(t, path)
		keys := []journal.Key{{Name: "k1"}, {Name: "k2"}}
		first, err := a.Acquire(t.Context(), "r1", "ann", keys)
		if err == nil {
			err = a.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p"})
		}
		if err == nil && tc.bare {
			_, err = a.Acquire(t.Context(), "r1", "ann", nil)
		}
		if err == nil {
			err = os.RemoveAll(path + ".d")
		}
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.Acquire(t.Context(), by, "bob", keyList(tc.keys...))
		if err != nil || second[len(second)-1].Fence <= first[1].Fence {
			t.Fatalf("%+v, %v", second, err)
		}
		for what, err := range map[string]error{
			"Append": a.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}}),
			"Holds":  a.Holds(t.Context(), "r1"),
			"Open":   a.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p2"}),
		} {
			if !errors.Is(err, journal.ErrLost) {
				t.Errorf("taken over by %s (%s), %s gives %v, want ErrLost", by, tc.keys, what, err)
			}
		}
		if err := a.Release(t.Context(), "r1"); errors.Is(err, journal.ErrLost) { // its lock's file is gone
			t.Errorf("what is another's was to be given back: %v", err)
		}
		if err := b.Holds(t.Context(), by); err != nil {
			t.Errorf("%s was given back by the one that lost it: %v", by, err)
		}
		if err := b.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}}); err != nil {
			t.Errorf("the one that took it: %v", err)
		}
	}
}
