//go:build !race

package main

import (
	"fmt"
	"os"
	"path/filepath"
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
// the middle and resumed by another wrong one; each type, each mode. `make test`
// does one of the two, another for each clock, type and mode.
func TestFaultsOfTheClock(t *testing.T) {
	total := newFaults()
	server := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none"}})
	worlds := []world{postgresqlWorld(t, server), timelessX509(x509World(), ""), timelessX509(x509World(), "14600"), htpasswdWorld(), sshWorld()}
	t.Run("all", func(t *testing.T) {
		for i, w := range worlds {
			template := prepared(t, w)
			for j, reason := range reasons {
				t.Run(fmt.Sprintf("%s-%d/%s", w.name, i, reason), func(t *testing.T) {
					t.Parallel()
					kill := killBefore + " " + middle(enumerate(t, w, template, reason))
					var cases abreast
					for way, clock := range clocks {
						all, odd := os.Getenv("REMINT_TORTURE") != "", (len(way)+i+j)%2 == 1
						if all || !odd {
							cases.add(way, func(t *testing.T) { clockFault(t, total, w, template, reason, way, clock, "") })
						}
						if all || odd {
							cases.add(way+" "+kill, func(t *testing.T) { clockFault(t, total, w, template, reason, way, clock, kill) })
						}
					}
					cases.run(t)
				})
			}
		}
	})
	total.report(t, "clock")
}

// timelessX509 is w judged by what the wrong clock cannot touch: a certificate is dead
// once it is on the list, whatever the dates say that were written by that clock. Its
// authority ends in thirty days, or after days, which is when the wrong clock ends
// the certificates and not the authority.
func timelessX509(w world, days string) world {
	setup := w.setup
	w.setup = func(t *testing.T, dir string) {
		t.Helper()
		setup(t, dir)
		if days != "" { // the same key and name: what it signed stays good
			run(t, dir, "openssl", "req", "-x509", "-key", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test", "-days", days, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
		}
	}
	valid := func(dir, file string) bool {
		return len(readFile(filepath.Join(dir, file))) > 0 &&
			succeeds(dir, "openssl", "verify", "-no_check_time", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "ca.crl", file)
	}
	w.works = func(_ *testing.T, dir string) (bool, bool) {
		pair := succeeds(dir, "sh", "-c", `[ "$(openssl x509 -in store-certificate -noout -pubkey)" = "$(openssl pkey -in store -pubout)" ]`)
		return valid(dir, "old/secret"), valid(dir, "store-certificate") && pair
	}
	return w
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
	c := newFault(t, w, template, reason)
	c.heal, c.killed = func() error { return nil }, kill != ""
	c.env, c.later = []string{"REMINT_TEST_CLOCK=" + clock[0], "REMINT_TEST_BREAK=" + kill}, []string{"REMINT_TEST_CLOCK=" + clock[1]}
	if c.name == "x509_certificate" {
		// What is not valid by the clock waits until that is right, and what a wrong one
		// dated into the future is done again by a right one.
		c.mend = func() { c.env, c.later = nil, nil }
		c.refuses = []string{"the authority in ca.pem", "it is valid only from", "the revocation list is valid only from", "no more logins are tried", "the target changed since it was planned"}
	}
	c.run(t, f, way, func() bool { return true })
}
