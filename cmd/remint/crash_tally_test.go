//go:build !race

package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tally sums an enumeration up.
type tally struct {
	mu         sync.Mutex
	operations int
	// listed, broken and seen are kinds of operation: which an unbroken run had, which a
	// case broke, and which came in any case.
	listed, broken, seen map[string]bool
	// reached has, for what is to be, how often that was tried, and done.
	reached                   map[string]*reach
	ways                      map[string]int
	cases, missed, violations int
}

type reach struct {
	tried, done int
	steady      bool // it comes in every run
}

func newTally() *tally {
	return &tally{listed: map[string]bool{}, broken: map[string]bool{}, seen: map[string]bool{}, reached: map[string]*reach{}, ways: map[string]int{}}
}

// errMissed is of a case whose operation did not come: when evidence is filed, and
// when the database empties its log, depends on how time goes by. What such a case
// did see was as promised.
var errMissed = errors.New("the operation was not reached")

func missed(err error) bool { return errors.Is(err, errMissed) }

// add takes in which operations there are to break.
func (c *tally) add(operations ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operations += len(operations)
	for _, op := range operations {
		c.listed[kind(op)] = true
	}
}

// tried does a case, once more where it did not reach what it was to break, and takes it
// in: where it is, and how what was broken, of which the last is what it is about.
func (c *tally) tried(t *testing.T, where, broke []string, do func() (*crash, error)) {
	t.Helper()
	x, err := do()
	if missed(err) {
		x, err = do()
	}
	c.count(where, broke, x.logs(), err)
	if err != nil && !missed(err) {
		t.Error(err)
	}
}

func (c *tally) count(where, broke, logs []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	way, op, _ := strings.Cut(broke[len(broke)-1], " ")
	c.cases++
	c.ways[way]++
	what := strings.Join(append(slices.Clone(where), tells(op)), " ")
	if c.reached[what] == nil {
		c.reached[what] = &reach{steady: !byTime(op)}
	}
	c.reached[what].tried++
	if !missed(err) {
		c.reached[what].done++
		for _, b := range broke {
			_, op, _ := strings.Cut(b, " ")
			c.broken[kind(op)] = true
		}
	}
	for _, log := range logs {
		for _, l := range read(log) {
			if l.word == "begin" {
				c.seen[kind(l.op)] = true
			}
		}
	}
	switch {
	case missed(err):
		c.missed++
	case err != nil:
		c.violations++
	}
}

// byTime reports whether it depends on how time goes by how often an operation comes:
// filing does, and so does what the database and the kernel are asked to do.
func byTime(op string) bool {
	name, _, _ := strings.Cut(op, "#")
	return strings.Contains(name, " ") || kind(op) == "archive.File" || kind(op) == "journal.Unfiled" || kind(op) == "journal.Append" && strings.Contains(name, "filed")
}

// tells is what of an operation has to be reached: it, or one like it where it comes as
// often as time allows.
func tells(op string) string {
	if byTime(op) {
		op, _, _ = strings.Cut(op, "#")
	}
	return op
}

// ofResumes are the kinds of operation that a first apply has no use for.
var ofResumes = []string{"journal.Run", "journal.Records", "journal.HasBundle"}

// waitsInResume is what a resume alone asks of a target where changes outlive who asked
// for them: TestCrashesOfResume breaks it, and fails if it does not.
const waitsInResume = "provider.Await"

// breaks fails the test where one of these kinds was broken by no case. In one share of
// the work, where it came in no run that was to be broken.
func (c *tally) breaks(t *testing.T, kinds []string) {
	t.Helper()
	for _, k := range kinds {
		if !c.broken[k] && (os.Getenv("REMINT_TORTURE_SHARD") == "" || !c.listed[k]) {
			t.Errorf("operation %s is broken by no case", k)
		}
	}
}

// maxMissed is how many of a hundred cases may miss their operation before an
// enumeration shows too little to count.
const maxMissed = 5

// report prints the figures, on one line.
func (c *tally) report(t *testing.T, what string) {
	t.Helper()
	var ways []string
	for _, w := range slices.Sorted(maps.Keys(c.ways)) {
		ways = append(ways, fmt.Sprintf("%s %d", w, c.ways[w]))
	}
	line := fmt.Sprintf("crash enumeration, %s: %d operations × %d ways (%s) = %d cases, violations %d, not reached %d",
		what, c.operations, len(c.ways), strings.Join(ways, ", "), c.cases, c.violations, c.missed)
	figure(t, line)
	if c.missed*100 > c.cases*maxMissed {
		t.Errorf("%d of %d cases did not reach what they were to break", c.missed, c.cases)
	}
}

// figure prints a line, and keeps it in the file of REMINT_TEST_FIGURES if there is one.
func figure(t *testing.T, line string) {
	t.Helper()
	fmt.Println(line)
	path := os.Getenv("REMINT_TEST_FIGURES")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// mine reports whether a case is of this share of the work: REMINT_TORTURE_SHARD is
// which of how many, 2/4, and without it every case is.
func mine(names ...string) bool {
	which, of, sharded := strings.Cut(os.Getenv("REMINT_TORTURE_SHARD"), "/")
	if !sharded {
		return true
	}
	i, err1 := strconv.Atoi(which)
	n, err2 := strconv.Atoi(of)
	if err := errors.Join(err1, err2); err != nil || i < 1 || i > n {
		panic("REMINT_TORTURE_SHARD must be like 2/4")
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.Join(names, " ")))
	return int(h.Sum32()%uint32(n)) == i-1
}

// complete fails the test where an operation is one that no unbroken run had, so that
// nobody breaks it, those of resumes included; and where one of this share of the work was
// reached in no way.
//
// What only a resume calls is broken by TestCrashesInRecovery, which fails if it is not.
func (c *tally) complete(t *testing.T) {
	t.Helper()
	for op := range c.seen {
		if len(c.listed) > 0 && !c.listed[op] && !slices.Contains(ofResumes, op) && op != waitsInResume {
			t.Errorf("operation %s is broken by no case", op)
		}
	}
	c.allReached(t)
}

// allReached fails the test where an operation was reached in no way that was tried.
func (c *tally) allReached(t *testing.T) {
	t.Helper()
	for _, what := range c.unreached() {
		t.Errorf("%s was reached in no way", what)
	}
}

// unreached are the operations that were reached in no way. One that comes as often as
// time allows has to be tried more than once.
func (c *tally) unreached() (out []string) {
	for what, r := range c.reached {
		if r.done == 0 && (r.tried > 1 || r.steady) {
			out = append(out, what)
		}
	}
	slices.Sort(out)
	return out
}
