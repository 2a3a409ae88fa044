//go:build !race

package main

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/remint-dev/remint/internal/faultproxy"
	"github.com/remint-dev/remint/internal/pgtest"
)

// stateMoments are what is told apart in the conversation with a state.
var stateMoments = []faultproxy.Moment{
	{Direction: faultproxy.Request, Text: "BEGIN ISOLATION"},     // a group of writes begins
	{Direction: faultproxy.Request, Text: "INSERT INTO at_work"}, // the run is taken
	{Direction: faultproxy.Request, Text: "COMMIT\x00"},          // it is to hold
	{Direction: faultproxy.Reply, Text: "COMMIT\x00"},            // it holds
}

var stateWays = []string{terminated, cut, cutAfter, halved, reset, resetAfter, restarted, hole, down}

// slow is the way that is the same at every moment.
const slow = "slow"

// slowly is a network that takes its time, in both directions.
func slowly() (out []faultproxy.Toxic) {
	for _, stream := range []string{faultproxy.Request, faultproxy.Reply} {
		out = append(out, faultproxy.Toxic{Type: "latency", Stream: stream, Toxicity: 1, Attributes: map[string]any{"latency": 60, "jitter": 30}})
	}
	return out
}

// stateFault breaks the way to the state at a moment of a reset.
func stateFault(t *testing.T, f *faults, s *pgtest.Server, w world, template, reason string, at faultproxy.Moment, way string) {
	t.Helper()
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	var toxics []faultproxy.Toxic
	switch way {
	case reset, resetAfter:
		toxics = faultproxy.Reset
	case slow:
		toxics = slowly()
	}
	proxy := faultproxy.New(t, address, toxics...)
	app := "state-" + strings.ReplaceAll(proxy.Address(), ":", "-")
	url := strings.Replace(s.SuperURL(), address, proxy.Address(), 1) + "&application_name=" + app
	c := newFault(t, onPostgreSQL(w, url, url), template, reason)
	c.lasts = way == hole || way == down
	var failed error
	done := make(chan struct{})
	c.heal = func() error {
		if proxy.Reached() {
			<-done
		}
		return proxy.Heal()
	}
	proxy.At(at, func() faultproxy.Way {
		defer close(done)
		switch way {
		case terminated:
			failed = terminate(s, app)
			return faultproxy.Pass
		case restarted:
			if failed = s.Crash(context.Background()); failed == nil {
				failed = proxy.Point(net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
			}
			return faultproxy.Cut
		case down:
			proxy.Stop()
			return faultproxy.Cut
		}
		return map[string]faultproxy.Way{cut: faultproxy.Cut, cutAfter: faultproxy.CutAfter, halved: faultproxy.Half,
			reset: faultproxy.Cut, resetAfter: faultproxy.CutAfter, hole: faultproxy.Hole, slow: faultproxy.Pass}[way]
	})
	c.run(t, f, way, proxy.Reached)
	if failed != nil {
		t.Errorf("the fault itself: %v", failed)
	}
}

// TestFaultsOfTheState breaks the way to a state in PostgreSQL, and its server, at
// the moments of a reset: those of one in `make test`, all in `make torture`.
func TestFaultsOfTheState(t *testing.T) {
	total := newFaults()
	shared := stateServer(t)
	w := htpasswdWorld()
	template := prepared(t, w)
	t.Run("all", func(t *testing.T) {
		for _, reason := range reasons {
			if os.Getenv("REMINT_TORTURE") == "" && reason != "scheduled" {
				continue
			}
			t.Run(reason, func(t *testing.T) {
				t.Parallel()
				var cases abreast
				own := stateServer(t) // it is restarted, so nobody else's
				var restarts []func(t *testing.T)
				moments := momentsOfState(t, shared, w, template, reason)
				cases.add(slow, func(t *testing.T) { stateFault(t, total, shared, w, template, reason, moments[0], slow) })
				for i, at := range moments {
					for j, way := range stateWays {
						if os.Getenv("REMINT_TORTURE") == "" && (i+j)%len(stateWays) != 0 {
							continue
						}
						if way == restarted {
							restarts = append(restarts, func(t *testing.T) {
								t.Run(at.String()+" "+way, func(t *testing.T) { stateFault(t, total, own, w, template, reason, at, way) })
							})
							continue
						}
						cases.add(at.String()+" "+way, func(t *testing.T) { stateFault(t, total, shared, w, template, reason, at, way) })
					}
				}
				cases.run(t)
				for _, do := range restarts {
					do(t)
				}
			})
		}
	})
	total.report(t, "state")
}

// momentsOfState runs a reset unbroken and lists the moments that it has.
func momentsOfState(t *testing.T, s *pgtest.Server, w world, template, reason string) []faultproxy.Moment {
	t.Helper()
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	proxy := faultproxy.New(t, address)
	proxy.Count(stateMoments...)
	url := strings.Replace(s.SuperURL(), address, proxy.Address(), 1)
	c := newFault(t, onPostgreSQL(w, url, url), template, reason)
	if _, code := c.remint("apply", "-auto-approve", "-reason="+reason, "-all"); code != 0 {
		t.Fatalf("unbroken: exit %d\n%s", code, c.trail.String())
	}
	if err := c.finished(t); err != nil {
		t.Fatalf("unbroken: %v", err)
	}
	return proxy.Counted()
}

// TestFaultsOfTheStateDuringCommit ends the state's backend while a COMMIT is on its
// way through the server: it is committed there, and nobody has said so.
func TestFaultsOfTheStateDuringCommit(t *testing.T) {
	total := newFaults()
	w := htpasswdWorld()
	template := prepared(t, w)
	t.Run("all", func(t *testing.T) {
		for _, n := range []int{2, 6, 10} {
			at := faultproxy.Moment{Direction: faultproxy.Request, Text: "COMMIT\x00", N: n}
			t.Run(at.String(), func(t *testing.T) {
				t.Parallel()
				s := stateServer(t) // all commits wait there
				address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
				proxy := faultproxy.New(t, address)
				app := "state-" + strings.ReplaceAll(proxy.Address(), ":", "-")
				url := strings.Replace(s.SuperURL(), address, proxy.Address(), 1) + "&application_name=" + app
				done := make(chan error, 1)
				over := sync.OnceValue(func() error { return <-done })
				c := newFault(t, onPostgreSQL(w, url, s.SuperURL()), template, "scheduled")
				c.heal = func() error {
					if proxy.Reached() {
						_ = over() // until then every commit of the server waits, also that of who only looks
					}
					return proxy.Heal()
				}
				proxy.At(at, func() faultproxy.Way {
					ready := make(chan error, 1)
					go func() { done <- (&pgFaults{server: s}).terminateInCommit(app, ready) }()
					if err := <-ready; err != nil {
						return faultproxy.Cut
					}
					return faultproxy.Pass
				})
				c.run(t, total, "backend-terminated-during-commit", proxy.Reached)
				if !proxy.Reached() {
					return
				}
				if err := over(); err != nil {
					t.Errorf("the fault itself: %v", err)
				}
			})
		}
	})
	total.report(t, "state, during COMMIT")
}
