package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// reach is what runs without a mutant taught: of each test how long it takes and,
// by their places in Asked, the mutants that it reaches.
type reach struct {
	Asked []string          `json:"asked"`
	Tests map[string]lesson `json:"tests"`
}

type lesson struct {
	Took    time.Duration `json:"took"`
	Waited  time.Duration `json:"waited"`
	Reaches []int         `json:"reaches"`
}

func readReach(path string) (reach, error) {
	var out reach
	if path == "" {
		return out, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(b, &out)
}

// write adds what l knows by now, and keeps what is about other mutants.
func (r reach) write(path string, l *lab) error {
	if path == "" {
		return nil
	}
	at := map[string]int{}
	for _, key := range r.Asked {
		at[key] = len(at)
	}
	for _, m := range l.s.mutants {
		if _, ok := at[m.Key]; !ok {
			at[m.Key] = len(at)
			r.Asked = append(r.Asked, m.Key)
		}
	}
	tests := map[string]lesson{}
	for test, took := range l.took {
		tests[test] = lesson{Took: took, Waited: l.waited[test], Reaches: r.Tests[test].Reaches}
	}
	for i, by := range l.reach {
		for _, test := range by {
			x := tests[test]
			x.Reaches = append(slices.Clone(x.Reaches), at[l.s.mutants[i].Key])
			tests[test] = x
		}
	}
	for test, x := range tests {
		slices.Sort(x.Reaches)
		x.Reaches = slices.Compact(x.Reaches)
		tests[test] = x
	}
	r.Tests = tests
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// recall takes over what is known of a test, if all functions are. A mutant that
// came since is taken to be reached by what reaches another one of its function.
func (l *lab) recall(test string) bool {
	known, ok := l.known.Tests[test]
	asked, inside, reaches := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, key := range l.known.Asked {
		asked[key], asked[function(key)] = true, true
	}
	if !ok || slices.ContainsFunc(l.s.mutants, func(m *mutant) bool { return !asked[function(m.Key)] }) {
		return false
	}
	for _, i := range known.Reaches {
		key := l.known.Asked[i]
		reaches[key], inside[function(key)] = true, true
	}
	for i, m := range l.s.mutants {
		if reaches[m.Key] || !asked[m.Key] && inside[function(m.Key)] {
			l.reach[i] = append(l.reach[i], test)
		}
	}
	l.took[test], l.waited[test] = known.Took, known.Waited
	return true
}

// function is the package, file and function of a mutant's key.
func function(key string) string {
	out, _, _ := strings.Cut(key, ": ")
	return out
}
