//go:build !race

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCrashesInRecovery kills a cutover at an operation, and its first resume at
// one of that resume's own operations: `make torture` tries all pairs, of the type
// that is fastest, `make test` goes through each resume in another place, of the one
// that leaves most to find.
func TestCrashesInRecovery(t *testing.T) {
	const reason = "scheduled"
	w := x509World()
	if os.Getenv("REMINT_TORTURE") != "" {
		w = htpasswdWorld()
	}
	template := prepared(t, w)
	total := newTally()
	t.Run("all", func(t *testing.T) {
		ops := enumerate(t, w, template, reason)
		for i, op := range ops {
			for _, way := range kills(op, i) {
				t.Run(op+" "+way, func(t *testing.T) {
					t.Parallel()
					first := way + " " + op
					again := resumed(t, w, template, reason, first)
					total.add(again...)
					for j, op2 := range again {
						once := i == len(ops)/2 && slices.Contains(ofResumes, kind(op2)) && strings.HasSuffix(op2, "#1")
						if os.Getenv("REMINT_TORTURE") == "" && j != i%len(again) && !once {
							continue
						}
						for _, way2 := range kills(op2, i) {
							if !mine(first, way2, op2) {
								continue
							}
							total.tried(t, []string{first}, []string{first, way2 + " " + op2}, func() (*crash, error) {
								c := newCase(t, w, template, reason)
								err := c.run(t, first, way2+" "+op2)
								if err != nil {
									err = fmt.Errorf("then %s %s: %w", op2, way2, err)
								}
								return c, err
							})
						}
					}
				})
			}
		}
	})
	total.report(t, "pairs, a call and a call of the recovery from it")
	total.breaks(t, ofResumes)
	if os.Getenv("REMINT_TORTURE") != "" {
		total.allReached(t)
	}
}

// kills are the ways to kill an operation that show something: before and after
// its effect in `make torture`, one of them, in turns, in `make test`.
func kills(op string, turn int) []string {
	if !shows(op, killAfter) {
		return []string{killBefore}
	}
	if os.Getenv("REMINT_TORTURE") != "" {
		return []string{killBefore, killAfter}
	}
	return [][]string{{killBefore}, {killAfter}}[turn%2]
}

// resumed lists the operations of the resume that follows a crash.
func resumed(t *testing.T, w world, template, reason, at string) []string {
	t.Helper()
	c := newCase(t, w, template, reason)
	c.apply(at)
	before := len(read(c.log))
	if out, code := c.child("", "resume"); code != 0 {
		t.Fatalf("resume: exit %d\n%s", code, out)
	}
	return operations(read(c.log)[before:])
}
