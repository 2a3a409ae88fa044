//go:build !race

package main

import (
	"slices"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/pgtest"
)

const tenYears = 10 * 365 * 24 * time.Hour

// clocks are pairs: of the apply that is killed, and of the resume.
var clocks = map[string][2]string{
	"ten-years-ahead":        {tenYears.String(), tenYears.String()},
	"ten-years-behind":       {"-" + tenYears.String(), "-" + tenYears.String()},
	"steps-back-as-it-goes":  {"0s,-1m", "0s,-1m"},
	"leaps-ahead-as-it-goes": {"0s,24h", "0s,24h"},
	"ahead-then-right":       {tenYears.String(), "0s"},
	"right-then-behind":      {"0s", "-" + tenYears.String()},
}

// TestFaultsOfTheClock resets by clocks that are wrong: through, and killed in
// the middle and resumed by another wrong one; each type, each mode.
func TestFaultsOfTheClock(t *testing.T) {
	total := newFaults()
	server := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none"}})
	worlds := []world{postgresqlWorld(t, server), x509World(), htpasswdWorld(), sshWorld()}
	t.Run("all", func(t *testing.T) {
		for _, w := range worlds {
			template := prepared(t, w)
			for _, reason := range reasons {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					kill := killBefore + " " + middle(enumerate(t, w, template, reason))
					var cases abreast
					for way, clock := range clocks {
						cases.add(way, func(t *testing.T) { clockFault(t, total, w, template, reason, way, clock, "") })
						cases.add(way+" "+kill, func(t *testing.T) { clockFault(t, total, w, template, reason, way, clock, kill) })
					}
					cases.run(t)
				})
			}
		}
	})
	total.report(t, "clock")
}

// middle is the last effect at the target of a list of operations.
func middle(ops []string) string {
	for _, op := range slices.Backward(ops) {
		if slices.Contains([]string{"provider.Set", "provider.Mint", "provider.Revoke", "provider.Retire"}, kind(op)) {
			return op
		}
	}
	return ""
}

func clockFault(t *testing.T, f *faults, w world, template, reason, way string, clock [2]string, kill string) {
	t.Helper()
	c := &faultCase{crash: newCase(t, w, template, reason), heal: func() error { return nil }, killed: kill != "",
		env: []string{"REMINT_TEST_CLOCK=" + clock[0], "REMINT_TEST_BREAK=" + kill}, later: []string{"REMINT_TEST_CLOCK=" + clock[1]}}
	c.run(t, f, way, func() bool { return true })
}
