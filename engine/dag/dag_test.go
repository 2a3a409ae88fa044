package dag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func graph(edges ...[2]string) *Graph[string] {
	g := New[string]()
	for _, e := range edges {
		g.Connect(e[0], e[1])
	}
	return g
}

func TestCheckNamesTheCycle(t *testing.T) {
	for name, tc := range map[string]struct {
		g    *Graph[string]
		want []string
	}{
		"none":    {graph([2]string{"a", "b"}, [2]string{"b", "c"}, [2]string{"a", "c"}), nil},
		"itself":  {graph([2]string{"a", "a"}), []string{"a", "a"}},
		"two":     {graph([2]string{"a", "b"}, [2]string{"b", "a"}), []string{"a", "b", "a"}},
		"behind":  {graph([2]string{"x", "a"}, [2]string{"a", "b"}, [2]string{"b", "c"}, [2]string{"c", "a"}), []string{"a", "b", "c", "a"}},
		"diamond": {graph([2]string{"a", "b"}, [2]string{"a", "c"}, [2]string{"b", "d"}, [2]string{"c", "d"}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.g.Check()
			var cycle *CycleError[string]
			if !errors.As(err, &cycle) {
				if tc.want != nil || err != nil {
					t.Fatalf("got %v, want the cycle %v", err, tc.want)
				}
				return
			}
			if diff := cmp.Diff(tc.want, cycle.Path); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckIsNotRecursive(t *testing.T) {
	g := New[int]()
	for i := range 1_000_000 {
		g.Connect(i, i+1)
	}
	if err := g.Check(); err != nil {
		t.Error(err)
	}
}

func TestWalkOrder(t *testing.T) {
	g := graph([2]string{"c", "b"}, [2]string{"b", "a"}, [2]string{"d", "a"})
	var mu sync.Mutex
	var got []string
	skipped := g.Walk(t.Context(), 4, func(_ context.Context, n string, _ *Slot) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, n)
		return nil
	})
	if len(skipped) > 0 || len(got) != 4 {
		t.Fatalf("visited %v, skipped %v", got, skipped)
	}
	for _, e := range [][2]string{{"a", "b"}, {"b", "c"}, {"a", "d"}} {
		if slices.Index(got, e[0]) > slices.Index(got, e[1]) {
			t.Errorf("%s came before %s in %v", e[1], e[0], got)
		}
	}
}

func TestFailureKeepsOnlyDependentsFromBeginning(t *testing.T) {
	g := graph([2]string{"b", "a"}, [2]string{"c", "b"}, [2]string{"e", "d"}, [2]string{"c", "d"})
	boom := errors.New("boom")
	var mu sync.Mutex
	visited := map[string]bool{}
	skipped := g.Walk(t.Context(), 2, func(_ context.Context, n string, _ *Slot) error {
		mu.Lock()
		visited[n] = true
		mu.Unlock()
		if n == "a" {
			return boom
		}
		return nil
	})
	if diff := cmp.Diff(map[string]bool{"a": true, "d": true, "e": true}, visited); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(skipped["b"], boom) || skipped["c"] == nil || len(skipped) != 2 {
		t.Errorf("skipped %v", skipped)
	}
}

// A visit that waits lets others work: with one worker all of many waiting
// visits are in flight together.
func TestWaitHoldsNoWorker(t *testing.T) {
	const n = 50
	g := New[int]()
	for i := range n {
		g.Add(i)
	}
	var flying atomic.Int32
	all := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	skipped := g.Walk(ctx, 1, func(ctx context.Context, _ int, s *Slot) error {
		if flying.Add(1) == n {
			close(all)
		}
		for {
			select {
			case <-all:
				return nil
			default:
				if err := s.Wait(ctx, time.Millisecond); err != nil {
					return err
				}
			}
		}
	})
	if len(skipped) > 0 {
		t.Error(skipped)
	}
}

func TestParallelismIsBounded(t *testing.T) {
	g := New[int]()
	for i := range 200 {
		g.Add(i)
	}
	var now, most atomic.Int32
	g.Walk(t.Context(), 3, func(ctx context.Context, _ int, s *Slot) error {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		now.Add(-1)
		_ = s.Wait(ctx, 0)
		return nil
	})
	if most.Load() > 3 {
		t.Errorf("%d at once", most.Load())
	}
}

func TestEndedContextBeginsNothingMore(t *testing.T) {
	g := New[int]()
	for i := range 1000 {
		g.Add(i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var visited atomic.Int32
	skipped := g.Walk(ctx, 1, func(context.Context, int, *Slot) error {
		if visited.Add(1) == 3 {
			cancel()
		}
		return nil
	})
	if int(visited.Load())+len(skipped) != 1000 || len(skipped) == 0 || !errors.Is(skipped[999], context.Canceled) {
		t.Errorf("%d visited, %d skipped", visited.Load(), len(skipped))
	}
}

func BenchmarkWalk(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := New[int]()
			for i := range n {
				g.Connect(i, i/2+n)
			}
			for b.Loop() {
				g.Walk(b.Context(), 10, func(context.Context, int, *Slot) error { return nil })
			}
		})
	}
}
