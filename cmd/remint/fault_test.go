//go:build !race

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// faults sums up what faults from outside led to.
type faults struct {
	mu                                     sync.Mutex
	cases, missed, atOnce, violations      int
	ways                                   map[string]int
	resumed, again, questions, mostResumes int
}

func newFaults() *faults { return &faults{ways: map[string]int{}} }

// report prints the figures.
func (f *faults) report(t *testing.T, what string) {
	t.Helper()
	figure(t, fmt.Sprintf("faults from outside, %s: %d ways (%s) = %d cases, violations %d, not reached %d; %d finished at once, %d by resume (%d tries at most), "+
		"%d never began and were applied again, %d ended in a question", what, len(f.ways), strings.Join(slices.Sorted(maps.Keys(f.ways)), " "),
		f.cases, f.violations, f.missed, f.atOnce, f.resumed, f.mostResumes, f.again, f.questions))
}

// faultCase is a reset with a fault from outside.
type faultCase struct {
	*crash
	env, later []string // of apply, and of what comes after it
	// lasts is set where a resume is to be tried before heal, killed where apply is.
	lasts, killed bool
	heal          func() error
}

func (c *faultCase) remint(args ...string) (string, int) {
	out, code := child(c.dir, append([]string{"REMINT_TEST_LOG=" + c.log}, c.env...), args...)
	fmt.Fprintf(&c.trail, "$ remint %s: exit %d\n%s\n", strings.Join(args, " "), code, out)
	return out, code
}

// run breaks a reset, mends what was broken, finishes the reset, and checks the
// promises from outside at each stop.
func (c *faultCase) run(t *testing.T, f *faults, way string, reached func() bool) {
	t.Helper()
	err := c.through(t, f, reached)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cases++
	f.ways[way]++
	if !reached() {
		f.missed++
	}
	if err != nil {
		f.violations++
		t.Errorf("%v\n%s%s", err, c.trail.String(), readFile(c.log))
	}
}

// maxResumes is how often a resume is tried before a reset counts as stuck.
const maxResumes = 8

func (c *faultCase) through(t *testing.T, f *faults, reached func() bool) error {
	t.Helper()
	_, first := c.remint("apply", "-auto-approve", "-reason="+c.reason, "-all")
	c.env = c.later // what breaks at an operation breaks once
	code := first
	if c.lasts && code != 0 && reached() {
		if _, code = c.remint("resume"); code == 1 {
			code = first // it did nothing, so that what apply did is looked at
		}
	}
	if err := c.heal(); err != nil {
		return err
	}
	if c.killed && code == -1 {
		code = 6
	}
	if err := c.stood(t, code); err != nil {
		return fmt.Errorf("right after: %w", err)
	}
	tries := 0
	for ; code != 0 || tries == 0; tries++ {
		var out string
		if out, code = c.remint("resume"); code != 0 && strings.Contains(out, "remint resolve") {
			f.count(&f.questions, 0)
			return c.stood(t, code)
		}
		if err := c.stood(t, code); err != nil {
			return fmt.Errorf("after a resume: %w", err)
		}
		if code != 0 && tries == maxResumes {
			return errors.New("resume never finishes, and asks nothing")
		}
	}
	switch {
	case c.outside(t) == c.before:
		f.count(&f.again, 0)
		if _, code := c.remint("apply", "-auto-approve", "-reason="+c.reason, "-all"); code != 0 {
			return fmt.Errorf("applied again: exit %d", code)
		}
	case first == 0:
		f.count(&f.atOnce, 0)
	default:
		f.count(&f.resumed, tries)
	}
	if err := c.finished(t); err != nil {
		return err
	}
	if out, code := c.remint("resume"); code != 0 || !strings.Contains(out, "Nothing is open") {
		return fmt.Errorf("resuming again: exit %d", code)
	}
	return nil
}

func (f *faults) count(n *int, tries int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
	f.mostResumes = max(f.mostResumes, tries)
}

// stood checks what holds at every stop, and that nothing is called dead that
// lives.
func (c *faultCase) stood(t *testing.T, code int) error {
	t.Helper()
	if err := c.stopped(t, code, ""); err != nil {
		return err
	}
	if old, _ := c.works(t, c.dir); old {
		out, status := child(c.dir, nil, "status", "-json")
		if status != 0 || !strings.Contains(out, `"generation":0`) && !strings.Contains(out, `"generation": 0`) {
			return fmt.Errorf("the old secret works, but status says (exit %d): %s", status, out)
		}
	}
	return nil
}

// abreast are subtests that mostly wait: more of them run side by side than
// there are processors.
type abreast []func(t *testing.T)

func (a *abreast) add(name string, do func(t *testing.T)) {
	*a = append(*a, func(t *testing.T) { t.Run(name, do) })
}

func (a *abreast) run(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	places := make(chan struct{}, 8)
	for _, do := range *a {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(t)
		})
	}
	all.Wait()
}
