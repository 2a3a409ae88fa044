//go:build !race

package main

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/internal/faultproxy"
	"github.com/remint-dev/remint/internal/pgtest"
)

// The ways in which the network or the server fails at a moment.
const (
	terminated = "backend-terminated" // by an administrator, before the data arrives
	cut        = "cut"                // the connection is closed before the data arrives
	cutAfter   = "cut-after"          // and after it
	halved     = "half-arrives"       // half of the data, then nothing
	reset      = "reset"              // a TCP reset before the data arrives
	resetAfter = "reset-after"        // and after it
	hole       = "black-hole"         // nothing arrives any more, anywhere; a resume is tried in the hole
	down       = "down"               // nobody is there any more; a resume is tried meanwhile
	restarted  = "server-restarted"   // at once, before the data arrives
)

var networkWays = []string{terminated, cut, cutAfter, halved, reset, resetAfter, hole, down}

// pgMoments are what is told apart in a conversation with PostgreSQL.
var pgMoments = []faultproxy.Moment{
	{Direction: faultproxy.Request, Text: "pg_control_system"},               // a look at the target
	{Direction: faultproxy.Request, Text: "ALTER ROLE"},                      // the change, and the mark beside it
	{Direction: faultproxy.Reply, Text: "ALTER ROLE\x00"},                    // it is done, and not yet committed
	{Direction: faultproxy.Request, Text: "COMMIT;"},                         // the change is to hold
	{Direction: faultproxy.Reply, Text: "COMMIT\x00"},                        // it holds
	{Direction: faultproxy.Request, Text: "pg_terminate_backend"},            // sessions are ended
	{Direction: faultproxy.Request, Text: "SCRAM-SHA-256\x00"},               // a login begins
	{Direction: faultproxy.Reply, Text: "R\x00\x00\x00\x08\x00\x00\x00\x00"}, // a login is accepted
	{Direction: faultproxy.Reply, Text: "28P01"},                             // a login is refused
}

// pgFaults is a server for cases that break the way to it.
type pgFaults struct {
	server *pgtest.Server
	world  world
	url    string // in the world's configuration; a restart leads to another port
	timed  bool   // steps do not wait long
}

func newPGFaults(t *testing.T, timed bool) *pgFaults {
	t.Helper()
	s := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none", "max_connections": "200"}})
	return &pgFaults{s, postgresqlWorld(t, s), s.SuperURL(), timed}
}

func (p *pgFaults) address() string {
	return net.JoinHostPort(p.server.Host, strconv.Itoa(p.server.Port))
}

// behind is the world with its server behind a proxy, under a name of its own.
func (p *pgFaults) behind(proxy *faultproxy.Proxy, app string) world {
	w := p.world
	url := strings.Replace(p.server.SuperURL(), p.address(), proxy.Address(), 1) + "&application_name=" + app
	w.hcl = strings.Replace(w.hcl, p.url, url, 1)
	if p.timed {
		w.hcl = strings.Replace(w.hcl, "environment =", "connect_timeout = \"2s\"\n  environment =", 1) + impatient
	}
	return w
}

// impatient is the built-in runbook, but for its time-outs.
const impatient = `runbook "postgresql_role" {
  resets = "postgresql_role"
  verify "requester" {}
  approve "owners" {}
  issue "password" {
    length  = 40
    charset = "base64url"
  }
  install "role" {
    secret  = issue.password
    timeout = "4s"
  }
  confirm "login" {
    secret  = issue.password
    timeout = "4s"
  }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.password
  }
  reload "services" { for_each = credential.consumers }
  revoke "old" { timeout = "4s" }
  terminate "sessions" { timeout = "4s" }
  prove "refused" { timeout = "4s" }
  notify "owner" { to = credential.owner }
}
`

// terminate ends the backends that an application has now and waits until they are
// gone; those with which it comes back are left alone.
func terminate(s *pgtest.Server, app string) error {
	ctx := context.Background()
	c, err := connected(ctx, s.SuperURL())
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var now time.Time
	if err := c.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return err
	}
	for n := 1; n > 0; {
		if err := c.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity WHERE application_name = $1 AND backend_start <= $2", app, now).Scan(&n); err != nil {
			return err
		}
	}
	return nil
}

// fault breaks the way to the server at a moment.
func (p *pgFaults) fault(t *testing.T, f *faults, template, reason string, at faultproxy.Moment, way string) {
	t.Helper()
	var toxics []faultproxy.Toxic
	if way == reset || way == resetAfter {
		toxics = faultproxy.Reset
	}
	proxy := faultproxy.New(t, p.address(), toxics...)
	app := "remint-" + strings.ReplaceAll(proxy.Address(), ":", "-")
	c := newFault(t, p.behind(proxy, app), template, reason)
	c.lasts = way == hole || way == down
	var failed error
	done := make(chan struct{})
	c.heal = func() error {
		if proxy.Reached() {
			<-done // remint may end before a server is up again
		}
		return proxy.Heal()
	}
	proxy.At(at, func() faultproxy.Way {
		defer close(done)
		switch way {
		case terminated:
			failed = terminate(p.server, app)
			return faultproxy.Pass
		case restarted:
			if failed = p.server.Crash(context.Background()); failed == nil {
				failed = proxy.Point(p.address())
			}
			return faultproxy.Cut
		case down:
			proxy.Stop()
			return faultproxy.Cut
		}
		return map[string]faultproxy.Way{cut: faultproxy.Cut, cutAfter: faultproxy.CutAfter, halved: faultproxy.Half,
			reset: faultproxy.Cut, resetAfter: faultproxy.CutAfter, hole: faultproxy.Hole}[way]
	})
	c.run(t, f, way, proxy.Reached)
	if failed != nil {
		t.Errorf("the fault itself: %v", failed)
	}
}

// moments runs a reset unbroken and lists the moments that it has.
func (p *pgFaults) moments(t *testing.T, template, reason string) []faultproxy.Moment {
	t.Helper()
	proxy := faultproxy.New(t, p.address())
	proxy.Count(pgMoments...)
	c := newFault(t, p.behind(proxy, "remint-unbroken"), template, reason)
	if _, code := c.remint("apply", "-auto-approve", "-reason="+reason, "-all"); code != 0 {
		t.Fatalf("unbroken: exit %d\n%s", code, c.trail.String())
	}
	if err := c.finished(t); err != nil {
		t.Fatalf("unbroken: %v", err)
	}
	return proxy.Counted()
}

// TestFaultsOfTheNetwork breaks the way to PostgreSQL at every moment of a reset
// in each mode: around COMMIT in every way, elsewhere in one way (`make test`) or
// in all (`make torture`).
func TestFaultsOfTheNetwork(t *testing.T) {
	total := newFaults()
	p := newPGFaults(t, true)
	template := prepared(t, p.world)
	t.Run("all", func(t *testing.T) {
		for _, reason := range reasons {
			t.Run(reason, func(t *testing.T) {
				t.Parallel()
				var cases abreast
				for i, at := range p.moments(t, template, reason) {
					for _, way := range networkWaysFor(at, i, reason) {
						cases.add(at.String()+" "+way, func(t *testing.T) { p.fault(t, total, template, reason, at, way) })
					}
				}
				cases.run(t)
			})
		}
	})
	total.report(t, "network")
}

func networkWaysFor(at faultproxy.Moment, i int, salt string) []string {
	if os.Getenv("REMINT_TORTURE") != "" || strings.HasPrefix(at.Text, "COMMIT") {
		return networkWays
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(salt + at.String()))
	return []string{networkWays[(int(h.Sum32()%997)+i)%len(networkWays)]}
}

// TestFaultsOfTheServer restarts the server at moments of a reset.
func TestFaultsOfTheServer(t *testing.T) {
	total := newFaults()
	t.Run("all", func(t *testing.T) {
		for _, reason := range reasons {
			t.Run(reason, func(t *testing.T) {
				t.Parallel()
				p := newPGFaults(t, true) // nobody else's is to be restarted
				template := prepared(t, p.world)
				for i, at := range p.moments(t, template, reason) {
					if os.Getenv("REMINT_TORTURE") == "" && !strings.HasPrefix(at.Text, "COMMIT") && i%4 != 0 {
						continue
					}
					t.Run(at.String(), func(t *testing.T) { p.fault(t, total, template, reason, at, restarted) })
				}
			})
		}
	})
	total.report(t, "server")
}

// TestFaultsDuringCommit ends remint's backend while its COMMIT is on its way
// through the server: it waits there for a standby that never answers.
func TestFaultsDuringCommit(t *testing.T) {
	eachCommit(t, "during COMMIT", func(t *testing.T, p *pgFaults, total *faults, template, reason string, at faultproxy.Moment) {
		proxy := faultproxy.New(t, p.address())
		app := "remint-" + strings.ReplaceAll(proxy.Address(), ":", "-")
		c := newFault(t, p.behind(proxy, app), template, reason)
		c.heal = proxy.Heal
		done := make(chan error, 1)
		proxy.At(at, func() faultproxy.Way {
			ready := make(chan error, 1)
			go func() { done <- p.terminateInCommit(app, ready) }()
			if err := <-ready; err != nil {
				return faultproxy.Cut
			}
			return faultproxy.Pass
		})
		c.run(t, total, "backend-terminated-during-commit", proxy.Reached)
		if !proxy.Reached() {
			return
		}
		if err := <-done; err != nil {
			t.Errorf("the fault itself: %v", err)
		}
	})
}

// eachCommit breaks each COMMIT of a reset for each reason, on a server of its own.
func eachCommit(t *testing.T, what string, breaks func(t *testing.T, p *pgFaults, total *faults, template, reason string, at faultproxy.Moment)) {
	t.Helper()
	total := newFaults()
	t.Run("all", func(t *testing.T) {
		for _, reason := range reasons {
			t.Run(reason, func(t *testing.T) {
				t.Parallel()
				p := newPGFaults(t, true)
				template := prepared(t, p.world)
				for _, at := range p.moments(t, template, reason) {
					if at.Text == "COMMIT;" {
						t.Run(at.String(), func(t *testing.T) { breaks(t, p, total, template, reason, at) })
					}
				}
			})
		}
	})
	total.report(t, what)
}

// TestFaultsOfACommitThatOutlivesItsClient kills remint while its COMMIT is on its way
// through the server, where it waits for a standby that never answers, and goes on. A
// resume meanwhile sees what was before, and must not take that for what will be: it
// waits, says for whom, and one that comes later finishes the reset.
func TestFaultsOfACommitThatOutlivesItsClient(t *testing.T) {
	eachCommit(t, "a COMMIT that outlives its client", outlived)
}

func outlived(t *testing.T, p *pgFaults, total *faults, template, reason string, at faultproxy.Moment) {
	t.Helper()
	proxy := faultproxy.New(t, p.address())
	app := "remint-" + strings.ReplaceAll(proxy.Address(), ":", "-")
	c := newFault(t, p.behind(proxy, app), template, reason)
	c.killed, c.lasts = true, true
	waits, over, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	proxy.At(at, func() faultproxy.Way {
		ready := make(chan error, 1)
		go func() {
			done <- p.inCommit(app, ready, func() error { close(waits); <-over; return nil })
		}()
		if err := <-ready; err != nil {
			return faultproxy.Cut
		}
		return faultproxy.Pass
	})
	var failed error
	c.heal = func() error {
		close(over)
		if proxy.Reached() {
			failed = <-done
		}
		return proxy.Heal()
	}
	killed := false
	c.as = func(env []string, args ...string) (string, int) {
		if killed {
			out, code := child(c.dir, env, args...)
			select {
			case <-over:
			default:
				if said := flat(out); code != 6 || !strings.Contains(said, "holds the role") || !strings.Contains(said, "waits for a standby") {
					t.Errorf("while the COMMIT waits, remint %s: exit %d\n%s", strings.Join(args, " "), code, out)
				}
			}
			return out, code
		}
		killed = true
		exe, err := os.Executable()
		if err != nil {
			return err.Error(), -2
		}
		var out bytes.Buffer
		cmd := asChild(t.Context(), exe, c.dir, env, args)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			return err.Error(), -2
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		select {
		case <-waits:
			_ = cmd.Process.Kill()
		case <-ended:
		}
		<-ended
		return out.String(), cmd.ProcessState.ExitCode()
	}
	c.run(t, total, "killed-during-commit", proxy.Reached)
	if failed != nil {
		t.Errorf("the fault itself: %v", failed)
	}
}

// terminateInCommit makes commits wait, says that they do, waits until the
// application's does, ends that backend, and lets all others go on.
func (p *pgFaults) terminateInCommit(app string, ready chan<- error) error {
	return p.inCommit(app, ready, func() error { return terminate(p.server, app) })
}

// inCommit makes commits wait, says that they do, waits until the application's does,
// and lets all go on once do has returned.
func (p *pgFaults) inCommit(app string, ready chan<- error, do func() error) (err error) {
	ctx := context.Background()
	var c, other *pgx.Conn
	defer func() {
		select {
		case ready <- err:
		default:
		}
	}()
	if c, err = connected(ctx, p.server.SuperURL()); err != nil {
		return err
	}
	defer c.Close(ctx)
	if other, err = connected(ctx, p.server.SuperURL()+"&application_name=other"); err != nil {
		return err
	}
	defer other.Close(ctx)
	standby := func(names string) error {
		_, err := c.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '"+names+"'")
		if err == nil {
			_, err = c.Exec(ctx, "SELECT pg_reload_conf()")
		}
		return err
	}
	if err := standby("nobody"); err != nil {
		return err
	}
	// The setting holds when somebody's commit waits; how long a server takes to heed
	// it, nobody knows.
	var over atomic.Bool
	released := make(chan error, 1)
	go func() {
		_, err := other.Exec(ctx, "CREATE TABLE IF NOT EXISTS waits (n int)")
		for err == nil && !over.Load() {
			_, err = other.Exec(ctx, "INSERT INTO waits VALUES (1)")
			time.Sleep(time.Millisecond) // the server's own processes want the machine too
		}
		released <- err
	}()
	waiting := func(app string) error {
		for {
			var n int
			if err := c.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'SyncRep'", app).Scan(&n); err != nil || n > 0 {
				return err
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	err = waiting("other")
	if err == nil {
		ready <- nil
		if err = waiting(app); err == nil {
			err = do()
		}
	}
	over.Store(true)
	return errors.Join(err, standby(""), <-released)
}

// TestFaultsOfASlowNetwork resets over a network that is slow, narrow and cuts
// everything into small pieces.
func TestFaultsOfASlowNetwork(t *testing.T) {
	total := newFaults()
	p := newPGFaults(t, false)
	template := prepared(t, p.world)
	slow := map[string]func(stream string) faultproxy.Toxic{
		"slow": func(s string) faultproxy.Toxic {
			return faultproxy.Toxic{Type: "latency", Stream: s, Toxicity: 1, Attributes: map[string]any{"latency": 60, "jitter": 30}}
		},
		"narrow": func(s string) faultproxy.Toxic {
			return faultproxy.Toxic{Type: "bandwidth", Stream: s, Toxicity: 1, Attributes: map[string]any{"rate": 4}}
		},
		"in-pieces": func(s string) faultproxy.Toxic {
			return faultproxy.Toxic{Type: "slicer", Stream: s, Toxicity: 1, Attributes: map[string]any{"average_size": 5, "size_variation": 3, "delay": 200}}
		},
	}
	t.Run("all", func(t *testing.T) {
		for _, reason := range reasons {
			for way, toxic := range slow {
				t.Run(reason+" "+way, func(t *testing.T) {
					t.Parallel()
					proxy := faultproxy.New(t, p.address(), toxic(faultproxy.Request), toxic(faultproxy.Reply))
					c := newFault(t, p.behind(proxy, "remint-"+way), template, reason)
					c.heal = proxy.Heal
					c.run(t, total, way, func() bool { return true })
				})
			}
		}
	})
	total.report(t, "slow network")
	if total.atOnce != total.cases {
		t.Errorf("%d of %d were finished at once: slow is not broken", total.atOnce, total.cases)
	}
}
