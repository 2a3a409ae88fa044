//go:build !race

package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"testing"
)

// watched is the child of a case whose durable writes are watched, and one of
// them broken.
func (c *crash) watched(way, at string, args ...string) (*watcher, string, int) {
	w := &watcher{dir: c.dir, ignored: c.log, way: way, at: at, onBreak: func() {
		c.note("broke", at)
		c.notice(c.t) // what it has changed by now
	}}
	out, code := w.run([]string{"REMINT_TEST_LOG=" + c.log}, args...)
	fmt.Fprintf(&c.trail, "$ remint %s (%s %s): exit %d\n%s\n", strings.Join(args, " "), way, at, code, out)
	if code == -1 {
		c.perhaps()
	}
	return w, out, code
}

// perhaps notes what the journal was writing when it was killed: it may be there, and
// what it announces may have been done, but nobody knows that it is.
func (c *crash) perhaps() {
	open := map[string]bool{}
	for _, l := range read(c.log) {
		if kind(l.op) == "journal.Append" && l.word != "broke" {
			open[l.op] = l.word == "begin"
		}
	}
	for op, is := range open {
		if is {
			c.note("perhaps", op)
		}
	}
}

// note writes a line into the log of operations for a process that cannot.
func (c *crash) note(word, op string) {
	f, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, word+" "+op)
}

// TestCrashesOfWrites breaks every durable write of a reset, and every call that
// leaves the process, as the kernel sees them: those of the state, the evidence,
// the ledger, the stores and the targets. Nothing has to be wrapped to be covered.
func TestCrashesOfWrites(t *testing.T) {
	total := newTally()
	worlds := crashWorlds(t)
	t.Run("all", func(t *testing.T) {
		for _, w := range worlds {
			template := prepared(t, w)
			for _, reason := range reasons {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					c := newCase(t, w, template, reason)
					seen, out, code := c.watched("", "", "apply", "-auto-approve", "-reason="+reason, "-all")
					if code != 0 {
						t.Fatalf("unbroken: exit %d\n%s", code, out)
					}
					if err := c.finished(t); err != nil {
						t.Fatalf("unbroken: %v", err)
					}
					b := breaking{world: w, template: template, reason: reason, total: total}
					b.writes(t, seen.found, 14)
				})
			}
		}
	})
	total.report(t, "durable writes of apply")
	total.allReached(t)
}

// writes breaks system calls: all of them, or in `make test` one of each so many, every.
func (b breaking) writes(t *testing.T, found []durable, every int) {
	t.Helper()
	for i, op := range found {
		b.total.add(op.name)
		b.breaks(t, op.name, chosen(op.ways(), i, every, strings.Join(append(b.where(), op.name), "")))
	}
}

// chosen gives all ways in `make torture`; in `make test` one for one of each so many
// operations, another each time.
func chosen(ways []string, i, every int, salt string) []string {
	if os.Getenv("REMINT_TORTURE") != "" {
		return ways
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(salt))
	n := int(h.Sum32() % 9973)
	if (n+i)%every != 0 {
		return nil
	}
	return []string{ways[n%len(ways)]}
}
