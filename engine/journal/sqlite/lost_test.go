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
	for _, by := range []string{"r1", "r2"} {
		path := filepath.Join(t.TempDir(), "s", "state.db")
		a, b := open(t, path), open(t, path)
		keys := []journal.Key{{Name: "k1"}, {Name: "k2"}}
		first, err := a.Acquire(t.Context(), "r1", "ann", keys)
		if err == nil {
			err = a.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p"})
		}
		if err == nil {
			err = os.RemoveAll(path + ".d")
		}
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.Acquire(t.Context(), by, "bob", keys[1:])
		if err != nil || second[0].Fence <= first[1].Fence {
			t.Fatalf("%+v, %v", second, err)
		}
		for what, err := range map[string]error{
			"Append": a.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}}),
			"Holds":  a.Holds(t.Context(), "r1"),
		} {
			if !errors.Is(err, journal.ErrLost) {
				t.Errorf("taken over by %s, %s gives %v, want ErrLost", by, what, err)
			}
		}
		_ = a.Release(t.Context(), "r1") // its lock's file is gone
		if err := b.Holds(t.Context(), by); err != nil {
			t.Errorf("%s was given back by the one that lost it: %v", by, err)
		}
		if err := b.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}}); err != nil {
			t.Errorf("the one that took it: %v", err)
		}
	}
}
