package postgresql_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/postgresql"
	"github.com/remint-dev/remint/internal/faultproxy"
	"github.com/remint-dev/remint/internal/pgtest"
)

// The connection is lost at moments around COMMIT, in many ways: every record that
// was acknowledged is there once, and so is every other; none is lost, none twice.
func TestLostConnections(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{Settings: map[string]string{"max_connections": "200"}})
	upstream := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	moments := []faultproxy.Moment{
		{Direction: faultproxy.Request, Text: "BEGIN"},
		{Direction: faultproxy.Request, Text: "INSERT INTO record"},
		{Direction: faultproxy.Request, Text: "COMMIT\x00"},
		{Direction: faultproxy.Reply, Text: "COMMIT\x00"},
	}
	ways := map[string]func(p *faultproxy.Proxy, app string) faultproxy.Way{
		"cut":       func(*faultproxy.Proxy, string) faultproxy.Way { return faultproxy.Cut },
		"cut after": func(*faultproxy.Proxy, string) faultproxy.Way { return faultproxy.CutAfter },
		"terminated": func(_ *faultproxy.Proxy, app string) faultproxy.Way {
			terminate(t, s, app)
			return faultproxy.Pass
		},
		"swallowed": func(p *faultproxy.Proxy, _ string) faultproxy.Way {
			heals(t, p)
			return faultproxy.Hole
		},
		"down": func(p *faultproxy.Proxy, _ string) faultproxy.Way {
			p.Stop()
			heals(t, p)
			return faultproxy.Cut
		},
		"slow": func(*faultproxy.Proxy, string) faultproxy.Way { return faultproxy.Pass },
	}
	for _, m := range moments {
		for name, way := range ways {
			for _, n := range []int{1, 4} {
				if name == "swallowed" && n > 1 {
					continue // what is on its way is waited for, long
				}
				at := m
				if at.N = n; strings.HasPrefix(m.Text, "INSERT") {
					at.N = 1 // it is prepared once
				}
				t.Run(fmt.Sprintf("%s, %s", name, at), func(t *testing.T) {
					t.Parallel()
					var toxics []faultproxy.Toxic
					if name == "slow" {
						toxics = slow
					}
					proxy := faultproxy.New(t, upstream, toxics...)
					app := "state-" + strings.ReplaceAll(proxy.Address(), ":", "-")
					url := strings.Replace(s.SuperURL(), upstream, proxy.Address(), 1) + "&application_name=" + app
					schema := fresh()
					open(t, s.SuperURL(), schema) // the tables are made where nothing fails
					j, err := postgresql.Open(t.Context(), url, postgresql.Options{Schema: schema, Patience: 20 * time.Second})
					if err != nil {
						t.Fatal(err)
					}
					defer j.Close()
					if _, err := j.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k"}}); err != nil {
						t.Fatal(err)
					}
					if err := j.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p"}); err != nil {
						t.Fatal(err)
					}
					acted := make(chan struct{})
					proxy.At(at, func() faultproxy.Way {
						defer close(acted)
						return way(proxy, app)
					})
					appendAll(t, j)
					if !proxy.Reached() {
						t.Fatal("the moment did not come")
					}
					<-acted // by another connection all may be there before it is done
				})
			}
		}
	}
}

// slow is a network that takes its time, in both directions.
var slow = []faultproxy.Toxic{
	{Type: "latency", Stream: faultproxy.Request, Toxicity: 1, Attributes: map[string]any{"latency": 60, "jitter": 30}},
	{Type: "latency", Stream: faultproxy.Reply, Toxicity: 1, Attributes: map[string]any{"latency": 60, "jitter": 30}},
}

// heals makes the network whole after a moment: what was on its way is lost.
func heals(t *testing.T, p *faultproxy.Proxy) {
	time.AfterFunc(time.Second, func() {
		if err := p.Heal(); err != nil {
			t.Error(err)
		}
	})
}

func terminate(t *testing.T, s *pgtest.Server, app string) {
	for range 3 { // process ids come again on a busy machine, and one of ours may have been meant by another
		c, err := pgx.Connect(context.Background(), s.SuperURL())
		if err != nil {
			t.Error(err)
			return
		}
		_, err = c.Exec(context.Background(), "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name = $1", app)
		_ = c.Close(context.Background())
		var refused *pgconn.PgError
		switch {
		case err == nil:
			return
		case !errors.As(err, &refused) || refused.Code != "57P01":
			t.Error(err)
			return
		}
	}
	t.Error("it was ended itself, three times")
}

// appendAll has several goroutines append records, and looks for each.
func appendAll(t *testing.T, j journal.Journal) {
	t.Helper()
	const each, together = 12, 4
	var all sync.WaitGroup
	for g := range together {
		all.Go(func() {
			for i := range each {
				b := journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done, Address: fmt.Sprint(g, " ", i)}}}
				if err := j.Append(t.Context(), &b); err != nil {
					t.Errorf("record %d %d: %v", g, i, err)
				}
				if err := j.Holds(t.Context(), "r1"); err != nil {
					t.Errorf("whether the run is still held: %v", err)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for r, err := range j.Records(t.Context(), "r1", "*") {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.Address]++
	}
	for g := range together {
		for i := range each {
			if n := seen[fmt.Sprint(g, " ", i)]; n != 1 {
				t.Errorf("record %d %d is there %d times", g, i, n)
			}
		}
	}
}

// The server crashes and comes back while records are appended: they wait.
func TestServerCrash(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{Settings: map[string]string{"fsync": "on"}})
	proxy := faultproxy.New(t, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	url := strings.Replace(s.SuperURL(), net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), proxy.Address(), 1)
	j := open(t, url, fresh())
	if _, err := j.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k"}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p"}); err != nil {
		t.Fatal(err)
	}
	crashed := make(chan error, 1)
	go func() {
		err := s.Crash(context.Background())
		if err == nil {
			err = proxy.Point(net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
		}
		crashed <- err
	}()
	appendAll(t, j)
	if err := <-crashed; err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}}); err != nil {
		t.Errorf("after the crash: %v", err)
	}
}

// A server that stays away is not waited for for ever, and what it has not said
// is not taken for granted.
func TestServerStaysAway(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	j, err := postgresql.Open(t.Context(), s.SuperURL(), postgresql.Options{Create: true, Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Acquire(t.Context(), "r1", "ann", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	for name, err := range map[string]error{
		"Open":  j.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p"}),
		"Holds": j.Holds(t.Context(), "r1"),
		"Runs":  func() error { _, err := j.Runs(t.Context()); return err }(),
	} {
		if err == nil || strings.Contains(err.Error(), s.SuperPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A network that swallows everything from a moment on, for good: every call ends,
// and closing does, in time where there is some patience, and soon after nobody
// wants to wait any more where there is a lot.
func TestBlackHole(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	upstream := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	for _, at := range []faultproxy.Moment{
		{Direction: faultproxy.Request, Text: "BEGIN", N: 1},
		{Direction: faultproxy.Request, Text: "COMMIT\x00", N: 1},
		{Direction: faultproxy.Reply, Text: "COMMIT\x00", N: 1},
		{Direction: faultproxy.Request, Text: "FROM bundle", N: 1},
		{Direction: faultproxy.Reply, Text: "the-first", N: 1},
	} {
		for _, patience := range []time.Duration{2 * time.Second, 100 * time.Hour} {
			t.Run(fmt.Sprintf("%s, %s", at, patience), func(t *testing.T) {
				t.Parallel()
				proxy := faultproxy.New(t, upstream)
				schema := fresh()
				open(t, s.SuperURL(), schema)
				hurry, hurried := context.WithCancel(t.Context())
				defer hurried()
				j, err := postgresql.Open(t.Context(), strings.Replace(s.SuperURL(), upstream, proxy.Address(), 1), postgresql.Options{Schema: schema, Patience: patience, Hurry: hurry})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := j.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k"}}); err != nil {
					t.Fatal(err)
				}
				if err := j.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p"}); err != nil {
					t.Fatal(err)
				}
				proxy.At(at, func() faultproxy.Way {
					if patience > time.Hour {
						hurried()
					}
					return faultproxy.Hole
				})
				append1 := ends(t, "Append", func() error {
					return j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}, Bundles: []journal.Bundle{{ID: "the-first", Run: "r1", File: "f", Line: []byte("{}")}}})
				})
				unfiled := ends(t, "Unfiled", func() (err error) {
					for _, e := range j.Unfiled(t.Context(), "r1") {
						err = errors.Join(err, e)
					}
					return err
				})
				if !proxy.Reached() {
					t.Fatal("the moment did not come")
				}
				if append1 == nil && unfiled == nil {
					t.Error("what was swallowed was taken for answered")
				}
				for name, call := range map[string]func() error{
					"Append": func() error {
						return j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done}}})
					},
					"Holds":   func() error { return j.Holds(t.Context(), "r1") },
					"Runs":    func() error { _, err := j.Runs(t.Context()); return err },
					"Release": func() error { return j.Release(t.Context(), "r1") },
				} {
					if name == "Holds" {
						time.Sleep(1100 * time.Millisecond) // until then it believes what it heard
					}
					if err := ends(t, name, call); err == nil {
						t.Errorf("%s: it was answered by nobody", name)
					}
				}
				_ = ends(t, "Close", j.Close)
			})
		}
	}
}

// ends gives what a call ends with, and fails where it does not end.
func ends(t *testing.T, name string, call func() error) error {
	t.Helper()
	over := make(chan error, 1)
	go func() { over <- call() }()
	select {
	case err := <-over:
		return err
	case <-time.After(3 * time.Minute):
		t.Fatalf("%s hangs", name)
		return nil
	}
}
