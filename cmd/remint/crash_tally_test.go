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
	mu                        sync.Mutex
	operations                int
	broken, seen              map[string]bool
	ways                      map[string]int
	cases, missed, violations int
}

func newTally() *tally {
	return &tally{broken: map[string]bool{}, seen: map[string]bool{}, ways: map[string]int{}}
}

// errMissed is of a case whose operation did not come: when evidence is filed, and
// when the database empties its log, depends on how time goes by. What such a case
// did see was as promised.
var errMissed = errors.New("the operation was not reached")

func missed(err error) bool { return errors.Is(err, errMissed) }

// add takes in how many operations there are to break.
func (c *tally) add(operations int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operations += operations
}

// count takes one case in: how it broke what, which operations there were, and
// what came of it.
func (c *tally) count(way string, broke []string, log string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cases++
	c.ways[way]++
	for _, op := range broke {
		c.broken[kind(op)] = true
	}
	for _, l := range read(log) {
		if l.word == "begin" {
			c.seen[kind(l.op)] = true
		}
	}
	switch {
	case missed(err):
		c.missed++
	case err != nil:
		c.violations++
	}
}

// ofResumes are the kinds of operation that a first apply has no use for.
var ofResumes = []string{"journal.Run", "journal.Records", "journal.HasBundle"}

// breaks fails the test where one of these kinds was broken by no case.
func (c *tally) breaks(t *testing.T, kinds []string) {
	t.Helper()
	if os.Getenv("REMINT_TORTURE_SHARD") != "" {
		return // another share has it
	}
	for _, k := range kinds {
		if !c.broken[k] {
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

// complete fails the test where an operation has no case, those of resumes included.
//
// What only a resume calls is broken by TestCrashesInRecovery, which fails if it is not.
func (c *tally) complete(t *testing.T) {
	t.Helper()
	if os.Getenv("REMINT_TORTURE_SHARD") != "" {
		return // another share has it
	}
	for op := range c.seen {
		if !c.broken[op] && !slices.Contains(ofResumes, op) {
			t.Errorf("operation %s is broken by no case", op)
		}
	}
}
