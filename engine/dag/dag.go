// Package dag is a directed graph and a walk over it: independent nodes side by
// side, dependent ones after what they depend on, failures confined to what
// depends on them.
package dag

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Graph is a directed graph. It is built by one goroutine and then only read.
type Graph[N comparable] struct {
	order []N
	needs map[N][]N // node to what it depends on
}

// New is an empty graph.
func New[N comparable]() *Graph[N] { return &Graph[N]{needs: map[N][]N{}} }

// Add adds a node; adding it again changes nothing.
func (g *Graph[N]) Add(n N) {
	if _, there := g.needs[n]; !there {
		g.order = append(g.order, n)
		g.needs[n] = nil
	}
}

// Connect says that node depends on other; both are added if need be.
func (g *Graph[N]) Connect(node, other N) {
	g.Add(node)
	g.Add(other)
	g.needs[node] = append(g.needs[node], other)
}

// CycleError names the nodes of a cycle, the first one again at the end.
type CycleError[N comparable] struct{ Path []N }

// Error shows the path.
func (e *CycleError[N]) Error() string {
	parts := make([]string, len(e.Path))
	for i, n := range e.Path {
		parts[i] = fmt.Sprint(n)
	}
	return "they depend on each other in a cycle: " + strings.Join(parts, " → ")
}

// Check finds a cycle: the error is a *CycleError, or nil. It does not recurse,
// so that depth is no limit.
func (g *Graph[N]) Check() error {
	const onPath, finished = 1, 2
	state := make(map[N]int, len(g.order))
	type frame struct {
		node N
		next int
	}
	for _, root := range g.order {
		if state[root] != 0 {
			continue
		}
		path := []frame{{node: root}}
		state[root] = onPath
		for len(path) > 0 {
			f := &path[len(path)-1]
			if f.next == len(g.needs[f.node]) {
				state[f.node] = finished
				path = path[:len(path)-1]
				continue
			}
			n := g.needs[f.node][f.next]
			f.next++
			switch state[n] {
			case finished:
			case onPath:
				cycle := []N{n}
				for i := len(path) - 1; i >= 0 && path[i].node != n; i-- {
					cycle = append(cycle, path[i].node)
				}
				// cycle is n and then the path backwards: turn it round.
				out := []N{n}
				for i := len(cycle) - 1; i >= 1; i-- {
					out = append(out, cycle[i])
				}
				return &CycleError[N]{Path: append(out, n)}
			default:
				state[n] = onPath
				path = append(path, frame{node: n})
			}
		}
	}
	return nil
}

// Slot is the worker that a visit holds.
type Slot struct {
	mu      sync.Mutex
	workers chan struct{}
}

// Wait lets time pass without holding the worker, and takes one again before it
// returns. It ends early, with ctx's error, when ctx does.
func (s *Slot) Wait(ctx context.Context, d time.Duration) error {
	s.mu.Lock() // a slot is one worker, even if a visit has several goroutines
	defer s.mu.Unlock()
	<-s.workers
	t := time.NewTimer(d)
	defer t.Stop()
	var err error
	select {
	case <-t.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.workers <- struct{}{}
	return err
}

// Skipped says why a node was not visited.
type Skipped struct {
	// On is what it depends on, as text; empty when the walk was ended.
	On    string
	Cause error
}

// Error names the cause.
func (e *Skipped) Error() string {
	if e.On == "" {
		return e.Cause.Error()
	}
	return fmt.Sprintf("it depends on %s, which did not finish: %v", e.On, e.Cause)
}

// Unwrap gives the cause.
func (e *Skipped) Unwrap() error { return e.Cause }

// Walk visits every node after those that it depends on, at most parallelism at
// a time, in the order of adding where there is a choice. A node whose visit
// fails keeps what depends on it, directly or not, from being visited; those are
// returned, each with its reason (*Skipped). When ctx ends no further node is
// begun; visits in flight get the same ctx and are waited for. The graph must
// have no cycle.
func (g *Graph[N]) Walk(ctx context.Context, parallelism int, visit func(context.Context, N, *Slot) error) map[N]error {
	w := &walk[N]{
		graph: g, visit: visit, workers: make(chan struct{}, max(parallelism, 1)),
		missing: make(map[N]int, len(g.order)), waiting: make(map[N][]N, len(g.order)), skipped: map[N]error{},
		done: make(chan result[N]),
	}
	return w.run(ctx)
}

type result[N comparable] struct {
	node N
	err  error
}

type walk[N comparable] struct {
	graph   *Graph[N]
	visit   func(context.Context, N, *Slot) error
	workers chan struct{}
	missing map[N]int // how many dependencies are not finished
	waiting map[N][]N // node to those that depend on it
	skipped map[N]error
	done    chan result[N]
	ready   []N
	flying  int
}

func (w *walk[N]) run(ctx context.Context) map[N]error {
	for _, n := range w.graph.order {
		w.missing[n] = len(w.graph.needs[n])
		for _, d := range w.graph.needs[n] {
			w.waiting[d] = append(w.waiting[d], n)
		}
		if w.missing[n] == 0 {
			w.ready = append(w.ready, n)
		}
	}
	for len(w.ready) > 0 || w.flying > 0 {
		if len(w.ready) > 0 && ctx.Err() != nil {
			for _, n := range w.ready {
				w.skip(n, &Skipped{Cause: ctx.Err()})
			}
			w.ready = nil
			continue
		}
		// Begin the next one when there is a worker, unless something ends first.
		var free chan struct{}
		if len(w.ready) > 0 {
			free = w.workers
		}
		var ended <-chan struct{}
		if len(w.ready) > 0 {
			ended = ctx.Done()
		}
		select {
		case free <- struct{}{}:
			n := w.ready[0]
			w.ready = w.ready[1:]
			w.flying++
			go func() {
				slot := &Slot{workers: w.workers}
				err := w.visit(ctx, n, slot)
				<-w.workers
				w.done <- result[N]{n, err}
			}()
		case r := <-w.done:
			w.flying--
			w.settle(r)
		case <-ended:
		}
	}
	return w.skipped
}

// settle frees, or skips, what waited for a node.
func (w *walk[N]) settle(r result[N]) {
	for _, n := range w.waiting[r.node] {
		if r.err != nil {
			w.skip(n, &Skipped{On: fmt.Sprint(r.node), Cause: r.err})
			continue
		}
		if w.missing[n]--; w.missing[n] == 0 && w.skipped[n] == nil {
			w.ready = append(w.ready, n)
		}
	}
}

// skip marks a node and all that depends on it; each names what it waited for itself.
func (w *walk[N]) skip(n N, why *Skipped) {
	type item struct {
		node N
		why  *Skipped
	}
	for list := []item{{n, why}}; len(list) > 0; {
		it := list[len(list)-1]
		list = list[:len(list)-1]
		if w.skipped[it.node] != nil {
			continue
		}
		w.skipped[it.node] = it.why
		for _, d := range w.waiting[it.node] {
			on := &Skipped{On: fmt.Sprint(it.node), Cause: errors.New("it was not begun")}
			list = append(list, item{d, on})
		}
	}
}
