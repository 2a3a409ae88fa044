//go:build linux && !race

package main

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// needle is one form of a secret.
type needle struct {
	form   string
	secret *known
}

// needles finds many forms in one go, by their first eight bytes.
type needles struct {
	may []bool
	by  map[uint64][]needle
}

const needleHead = 8

// hashBits is how well most places are told apart from all forms.
const hashBits = 20

func hashed(head uint64) uint64 { return head * 0x9e3779b97f4a7c15 >> (64 - hashBits) }

func newNeedles(secrets []*known) *needles {
	n := &needles{may: make([]bool, 1<<hashBits), by: map[uint64][]needle{}}
	for _, k := range secrets {
		for _, f := range k.forms {
			if len(f) < needleHead {
				panic("a form of " + k.what + " is too short to be looked for")
			}
			head := binary.LittleEndian.Uint64([]byte(f))
			n.may[hashed(head)] = true
			n.by[head] = append(n.by[head], needle{f, k})
		}
	}
	return n
}

// in gives what of it stands in a place where it should not.
func (n *needles) in(place string, b []byte) []string {
	found := map[string]bool{}
	for i := 0; i+needleHead <= len(b); i++ {
		head := binary.LittleEndian.Uint64(b[i:])
		if !n.may[hashed(head)] {
			continue
		}
		for _, x := range n.by[head] {
			if len(b)-i >= len(x.form) && string(b[i:i+len(x.form)]) == x.form && !slices.Contains(x.secret.homes, place) {
				found[fmt.Sprintf("%s holds %s, as %.10q…", place, x.secret.what, x.form)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// leaks counts what was searched and what was found.
type leaks struct {
	mu                     sync.Mutex
	cases, missed, bad     int
	places, secrets, forms int
	samples                map[string]int
	all                    []*known // of every case, for what the cases share
}

func newLeaks() *leaks { return &leaks{samples: map[string]int{}} }

// search looks for secrets in places, and gives where they were found.
func (l *leaks) search(secrets []*known, places map[string][]byte) []string {
	n := newNeedles(secrets)
	var found []string
	for _, where := range slices.Sorted(maps.Keys(places)) {
		found = append(found, n.in(where, places[where])...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places += len(places)
	return found
}

// count takes in one case: what was found, and whether what it was to break was reached.
func (l *leaks) count(c *secretCase, found []string, reached bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cases++
	if !reached {
		l.missed++
	}
	if len(found) > 0 {
		l.bad++
	}
	l.secrets += len(c.known)
	for _, k := range c.known {
		l.forms += len(k.forms)
	}
	l.all = append(l.all, c.known...)
	for of, n := range c.proc.samples {
		l.samples[of] += n
	}
}

// after searches what the cases share, once they are all through.
func (l *leaks) after(t *testing.T, places map[string][]byte) {
	t.Helper()
	for where, b := range places {
		if len(b) == 0 {
			t.Errorf("%s is empty: nothing was searched there", where)
		}
	}
	if found := l.search(l.all, places); len(found) > 0 {
		l.bad++
		t.Error(strings.Join(found, "\n"))
	}
}

// report prints the figures, on one line, and fails where they show too little.
func (l *leaks) report(t *testing.T, what string) {
	t.Helper()
	var samples []string
	for _, of := range slices.Sorted(maps.Keys(l.samples)) {
		samples = append(samples, fmt.Sprintf("%s %d", of, l.samples[of]))
	}
	figure(t, fmt.Sprintf("secrets, %s: %d secrets in %d forms, searched for in %d outputs, files, dumps and logs, and in /proc (%s) = %d cases, violations %d, not reached %d",
		what, l.secrets, l.forms, l.places, strings.Join(samples, ", "), l.cases, l.bad, l.missed))
	if l.missed*100 > l.cases*maxMissed {
		t.Errorf("%d of %d cases did not reach what they were to break", l.missed, l.cases)
	}
	for _, of := range []string{program, evaluatorProcess} {
		if l.samples[of] == 0 && l.cases > 0 {
			t.Errorf("no sample of /proc is of %s", of)
		}
	}
}
