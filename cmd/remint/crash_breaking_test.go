//go:build !race

package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// breaking is a reset in one world and for one reason, of which operations are broken.
type breaking struct {
	world
	template, reason string
	// first is what was broken before, in its apply: then it is the resume that breaks.
	first []string
	total *tally
}

// where says which reset it is.
func (b breaking) where() []string { return slices.Concat([]string{b.name, b.reason}, b.first) }

// calls breaks calls: all of them, or in `make test` one of each so many, every.
func (b breaking) calls(t *testing.T, ops []string, every int) {
	t.Helper()
	b.total.add(ops...)
	salt := b.name + b.reason + strings.Join(b.first, "")
	for i, op := range ops {
		if os.Getenv("REMINT_TORTURE") != "" || (i+len(salt))%every == 0 {
			b.breaks(t, op, waysFor(op, i, salt))
		}
	}
}

// breaks breaks one operation, in each way that is of this share of the work.
func (b breaking) breaks(t *testing.T, op string, ways []string) {
	t.Helper()
	for _, way := range ways {
		if !mine(append(b.where(), op, way)...) {
			continue
		}
		t.Run(strings.ReplaceAll(op, "/", ".")+" "+way, func(t *testing.T) {
			t.Parallel()
			b.total.tried(t, b.where(), []string{way + " " + op}, func() (*crash, error) {
				c := newCase(t, b.world, b.template, b.reason)
				return c, c.run(t, append(slices.Clone(b.first), way+" "+op)...)
			})
		})
	}
}
