package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What was learned once is not learned again: of a new mutant it is what its function
// tells, and of a new function nothing.
func TestReachIsRemembered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reach.json")
	with := func(known reach, keys ...string) *lab {
		s := &schemata{}
		for _, k := range keys {
			s.mutants = append(s.mutants, &mutant{Key: k})
		}
		return &lab{s: s, known: known, took: map[string]time.Duration{}, waited: map[string]time.Duration{}, reach: map[int][]string{}}
	}
	first := with(reach{}, "p f.go F: drop `a`", "p f.go F: drop `b`", "p f.go G: drop `c`")
	if first.recall("TestA") {
		t.Error("nothing is known, and something was recalled")
	}
	first.took, first.waited = map[string]time.Duration{"TestA": 1, "TestB": 2}, map[string]time.Duration{"TestA": 3, "TestB": 4}
	first.reach = map[int][]string{0: {"TestA", "TestB"}, 2: {"TestB"}}
	if err := first.known.write(path, first); err != nil {
		t.Fatal(err)
	}
	known, err := readReach(path)
	if err != nil {
		t.Fatal(err)
	}
	second := with(known, "p f.go F: drop `b`", "p f.go F: drop `new`", "p f.go F: drop `a`")
	if !second.recall("TestA") || !second.recall("TestB") || second.recall("TestC") {
		t.Error("tests that are known are not recalled, or one that is not known is")
	}
	if diff := cmp.Diff(map[int][]string{1: {"TestA", "TestB"}, 2: {"TestA", "TestB"}}, second.reach); diff != "" || second.took["TestB"] != 2 || second.waited["TestA"] != 3 {
		t.Errorf("took %v, waited %v, reach (-want +got):\n%s", second.took, second.waited, diff)
	}
	if err := known.write(path, second); err != nil {
		t.Fatal(err)
	}
	if known, err = readReach(path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 2, 3}, known.Tests["TestB"].Reaches); diff != "" { // with what only the first run asked about
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	if third := with(known, "p f.go H: drop `d`"); third.recall("TestA") || len(third.reach) > 0 {
		t.Error("a new function is taken to be known")
	}
	if none, err := readReach(filepath.Join(t.TempDir(), "none")); err != nil || none.Tests != nil {
		t.Errorf("%v, %v", none, err)
	}
}
