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
	mu                                sync.Mutex
	cases, missed, atOnce, violations int
	ways                              map[string]int
	resumed, again, mostResumes       int
	mended, givenUp                   int // once more was mended than heals, and not even then
	// questions is how many cases ended in one about a step; of their answers, both
	// were given where the target could be put back, and one elsewhere.
	questions, both, one int
}

func newFaults() *faults { return &faults{ways: map[string]int{}} }

// report prints the figures, and fails where too many cases show nothing: the
// limit is that of the crash tally, and one case may always miss.
func (f *faults) report(t *testing.T, what string) {
	t.Helper()
	var ways []string
	for _, w := range slices.Sorted(maps.Keys(f.ways)) {
		ways = append(ways, fmt.Sprintf("%s %d", w, f.ways[w]))
	}
	figure(t, fmt.Sprintf("faults from outside, %s: %d ways (%s) = %d cases, violations %d, not reached %d; %d finished at once, %d by resume (%d tries at most), "+
		"%d never began and were applied again, %d only once all was mended (%d of them given up by an answer, and done anew), %d asked about a step (%d answered in both ways, %d in one)", what, len(f.ways), strings.Join(ways, ", "),
		f.cases, f.violations, f.missed, f.atOnce, f.resumed, f.mostResumes, f.again, f.mended, f.givenUp, f.questions, f.both, f.one))
	if f.missed > max(1, f.cases*maxMissed/100) {
		t.Errorf("%d of %d cases did not reach what they were to break", f.missed, f.cases)
	}
}

// faultCase is a reset with a fault from outside.
type faultCase struct {
	*crash
	env, later []string // of apply, and of what comes after it
	// lasts is set where a resume is to be tried before heal, killed where apply is.
	lasts, killed bool
	heal          func() error
	targetBefore  string // the target, untouched
	// mend, if set, mends what healing does not. Where a reset goes on with one of these
	// words then, it is given up by an answer, and another is done.
	mend    func()
	refuses []string
	// as, if set, runs remint in another way than child.
	as func(env []string, args ...string) (string, int)
}

// newFault is a case with an approver, who can answer questions.
func newFault(t *testing.T, w world, template, reason string) *faultCase {
	t.Helper()
	w.hcl += approverHCL
	c := &faultCase{crash: newCase(t, w, template, reason)}
	c.targetBefore = c.target(t, c.dir)
	approverKeys(t, c.dir)
	return c
}

func (c *faultCase) remint(args ...string) (string, int) {
	run := c.as
	if run == nil {
		run = func(env []string, args ...string) (string, int) { return child(c.dir, env, args...) }
	}
	out, code := run(append([]string{"REMINT_TEST_LOG=" + c.log}, c.env...), args...)
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

// nothingOpen is what a resume says that had nothing to do.
const nothingOpen = "Nothing is open"

// maxResumes is how often a resume is tried before a reset counts as stuck.
const maxResumes = 8

func (c *faultCase) through(t *testing.T, f *faults, reached func() bool) error {
	t.Helper()
	_, first := c.apply()
	c.env = c.later // what breaks at an operation breaks once
	code := first
	if c.lasts && code != 0 && reached() {
		var out string
		if out, code = c.remint("resume"); code == 1 || code == 0 && strings.Contains(out, nothingOpen) {
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
	if code == 0 {
		if err := c.finished(t); err != nil {
			return fmt.Errorf("after exit 0: %w", err)
		}
	}
	end, err := c.resumed(t)
	if c.refused(end, err) {
		f.count(&f.mended, 0)
		c.mend()
		end, err = c.resumed(t)
		if c.refused(end, err) {
			f.count(&f.givenUp, 0)
			return c.anew(t)
		}
	}
	switch {
	case err != nil:
		return err
	case end.asks != nil:
		return c.answered(t, f, end.asks)
	case first == 0:
		f.count(&f.atOnce, 0)
	case end.nothing && c.outside(t) == c.before:
		f.count(&f.again, 0)
		_, code := c.apply()
		if code == 1 && c.mend != nil {
			f.count(&f.mended, 0)
			c.mend()
			_, code = c.apply()
		}
		if code != 0 {
			return fmt.Errorf("applied again: exit %d", code)
		}
	default:
		f.count(&f.resumed, end.tries)
	}
	return c.over(t)
}

func (c *faultCase) apply() (string, int) {
	return c.remint("apply", "-auto-approve", "-reason="+c.reason, "-all")
}

// over checks that all is done, and that nothing waits for a resume.
func (c *faultCase) over(t *testing.T) error {
	t.Helper()
	if err := c.finished(t); err != nil {
		return err
	}
	if out, code := c.remint("resume"); code != 0 || !strings.Contains(out, nothingOpen) {
		return fmt.Errorf("resuming again: exit %d", code)
	}
	return nil
}

// ending is how resuming ended: by exit 0, where nothing says that there was
// nothing to resume, or by a question about a step, at every try to the last.
type ending struct {
	tries   int
	nothing bool
	asks    *stepQuestion
}

// resumed resumes until it is over, to the limit. A question about a reset as a
// whole is none: that stands below every reset that is not finished.
func (c *faultCase) resumed(t *testing.T) (ending, error) {
	t.Helper()
	for tries := 1; ; tries++ {
		out, code := c.remint("resume")
		if err := c.stood(t, code); err != nil {
			return ending{}, fmt.Errorf("after a resume: %w", err)
		}
		switch {
		case code == 0 && strings.Contains(out, nothingOpen):
			return ending{tries: tries, nothing: true}, nil
		case code == 0:
			if err := c.finished(t); err != nil {
				return ending{}, fmt.Errorf("after a resume with exit 0: %w", err)
			}
			return ending{tries: tries}, nil
		case tries < maxResumes:
			continue
		}
		if q := question(out); q != nil {
			return ending{tries: tries, asks: q}, nil
		}
		return ending{}, errors.New("resume never finishes, and asks about no step")
	}
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

// abreast are subtests that wait now and then: some of them run side by side, in
// each of the parallel tests that they belong to.
type abreast []func(t *testing.T)

func (a *abreast) add(name string, do func(t *testing.T)) {
	*a = append(*a, func(t *testing.T) { t.Run(name, do) })
}

func (a *abreast) run(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	places := make(chan struct{}, 3)
	for _, do := range *a {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(t)
		})
	}
	all.Wait()
}
