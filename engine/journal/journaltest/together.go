package journaltest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

// Reading inside a loop over records must work however many do so at once.
func readersNest(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	add(t, j, journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done, At: at}, {Run: "r1", Kind: journal.Done, At: at}}})
	const readers = 16
	var inside, all sync.WaitGroup
	inside.Add(readers)
	for range readers {
		all.Go(func() {
			for _, err := range j.Records(t.Context(), "r1", "*") {
				if err != nil {
					t.Error(err)
				}
				inside.Done()
				inside.Wait()
				if _, err := j.Run(t.Context(), "r1"); err != nil {
					t.Error(err)
				}
				break
			}
		})
	}
	all.Wait()
}

func failedAttemptKeepsLeases(t *testing.T, open func(*testing.T) journal.Journal) {
	a, b := open(t), open(t)
	if _, err := a.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Acquire(t.Context(), "r2", "bob", []journal.Key{{Name: "k2"}}); err != nil {
		t.Fatal(err)
	}
	var held *journal.HeldError
	if _, err := a.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k2"}}); !errors.As(err, &held) {
		t.Fatalf("a key that is taken gives %v", err)
	}
	if _, err := b.Acquire(t.Context(), "r3", "bob", []journal.Key{{Name: "k1"}}); !errors.As(err, &held) || held.Run != "r1" {
		t.Errorf("k1 was taken from a live run: %v", err)
	}
	if _, err := b.Acquire(t.Context(), "r1", "bob", nil); !errors.As(err, &held) || !strings.HasPrefix(held.Holder, "ann") {
		t.Errorf("a run that is at work elsewhere gives %v, want a HeldError that names ann", err)
	}
}

func heldUntilReleased(t *testing.T, open func(*testing.T) journal.Journal) {
	a, b := open(t), open(t)
	begin(t, a, "r1")
	if err := a.Holds(t.Context(), "r1"); !errors.Is(err, journal.ErrLost) {
		t.Errorf("a run that nobody took: %v, want ErrLost", err)
	}
	for _, keys := range [][]journal.Key{nil, {{Name: "k1"}, {Name: "k2", Fenced: true}}} {
		if _, err := a.Acquire(t.Context(), "r1", "ann", keys); err != nil {
			t.Fatal(err)
		}
		if err := a.Holds(t.Context(), "r1"); err != nil {
			t.Errorf("the holder of %v: %v", keys, err)
		}
		if err := b.Holds(t.Context(), "r1"); !errors.Is(err, journal.ErrLost) {
			t.Errorf("another one: %v, want ErrLost", err)
		}
		add(t, a, journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Note, At: at}}})
	}
	if err := a.Release(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	if err := a.Holds(t.Context(), "r1"); !errors.Is(err, journal.ErrLost) {
		t.Errorf("after the release: %v, want ErrLost", err)
	}
	if _, err := b.Acquire(t.Context(), "r1", "bob", []journal.Key{{Name: "k1"}}); err != nil {
		t.Errorf("a run that was released: %v", err)
	}
	if err := a.Release(t.Context(), "r1"); err != nil { // it is another's, and stays so
		t.Error(err)
	}
	if err := b.Holds(t.Context(), "r1"); err != nil {
		t.Errorf("released by one that does not hold it: %v", err)
	}
}

func closedSaysSo(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Open":        func() error { return j.Open(ctx, journal.Run{ID: "r2", PlanID: "p2"}) },
		"Append":      func() error { return j.Append(ctx, &journal.Batch{}) },
		"Acquire":     func() error { _, err := j.Acquire(ctx, "r1", "ann", []journal.Key{{Name: "k"}}); return err },
		"Holds":       func() error { return j.Holds(ctx, "r1") },
		"HasBundle":   func() error { _, err := j.HasBundle(ctx, "x"); return err },
		"Release":     func() error { return j.Release(ctx, "r1") },
		"Run":         func() error { _, err := j.Run(ctx, "r1"); return err },
		"Runs":        func() error { _, err := j.Runs(ctx); return err },
		"Secret":      func() error { _, err := j.Secret(ctx, "r1", "a", "n"); return err },
		"Secrets":     func() error { _, err := j.Secrets(ctx, ""); return err },
		"Credential":  func() error { _, err := j.Credential(ctx, "a"); return err },
		"Credentials": func() error { _, err := j.Credentials(ctx); return err },
		"Records": func() (last error) {
			for _, err := range j.Records(ctx, "r1", "*") {
				last = err
			}
			return last
		},
		"Unfiled": func() (last error) {
			for _, err := range j.Unfiled(ctx, "") {
				last = err
			}
			return last
		},
	} {
		if err := call(); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s gives %v, want ErrClosed", name, err)
		}
	}
}

func thousandsAreFiled(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	var b journal.Batch
	var ids []string
	for i := range 2001 {
		ids = append(ids, fmt.Sprint("b", i))
		b.Bundles = append(b.Bundles, journal.Bundle{ID: ids[i], Run: "r1", File: "f", Line: []byte("{}")})
	}
	add(t, j, b)
	add(t, j, journal.Batch{Filed: append([]string{"never there"}, ids[:2000]...)})
	var left []string
	for b, err := range j.Unfiled(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, b.ID)
	}
	if diff := cmp.Diff([]string{"b2000"}, left); diff != "" {
		t.Error(diff)
	}
	next := add(t, j, journal.Batch{Bundles: []journal.Bundle{{ID: "next", Run: "r1", File: "f", Line: []byte("{}")}}})
	if next.Bundles[0].Seq <= b.Bundles[2000].Seq {
		t.Errorf("sequence %d after %d", next.Bundles[0].Seq, b.Bundles[2000].Seq)
	}
}
