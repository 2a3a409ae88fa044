package planner_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/providers/postgresql"
)

// patience is what targets have for an answer in these tests.
const patience = 300 * time.Millisecond

// at are n credentials at a target.
func at(url string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "provider \"mem\" %q {\n url = %q\n environment = \"test\"\n}\n", url, url)
	for i := range n {
		fmt.Fprintf(&b, "credential \"mem_password\" \"%s%02d\" {\n provider = mem.%s\n name = \"%s%02d\"\n owner = \"o@x\"\n}\n", url, i, url, url, i)
	}
	return b.String()
}

// TestTargetsThatSayNothing: whoever waits for one waits once, however many credentials it
// has; it is told which these are, and the other targets are read.
func TestTargetsThatSayNothing(t *testing.T) {
	const each = 40
	for url, says := range map[string]string{
		"mute": "mute says nothing: an answer may take 300ms, so find out what holds it up",
		"deaf": "the target did not answer: an answer may take 300ms, so find out what holds it up",
	} {
		w := load(t, map[string]string{"main.remint.hcl": at(url, each) + at("main", each) + runbooks}, nil)
		p := newPlanner(t, w, targets{})
		p.Patience = patience
		begun := time.Now()
		planned, diags := p.Plan(t.Context(), planner.Request{Reason: lifecycle.Scheduled, All: true})
		if took := time.Since(begun); took > 5*patience {
			t.Errorf("%s: it took %v", url, took)
		}
		if planned != nil || len(diags) != 1 {
			t.Fatalf("%s: planned %v, %v", url, planned, diags)
		}
		want := fmt.Sprintf("Provider mem.%s, asked about credential.mem_password.%s00 and %d more: %s. Mend this, or leave", url, url, each-1, says)
		if got := diags[0].Detail; !strings.Contains(got, want) {
			t.Errorf("%s: want %q in %q", url, want, got)
		}
	}
}

// TestInterruptedWhileATargetSaysNothing: that it was interrupted is all that is told.
func TestInterruptedWhileATargetSaysNothing(t *testing.T) {
	p := newPlanner(t, load(t, map[string]string{"main.remint.hcl": at("mute", 3) + runbooks}, nil), targets{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, diags := p.Plan(ctx, planner.Request{Reason: lifecycle.Scheduled, All: true})
	if len(diags) != 1 || diags[0].Summary != "Interrupted" {
		t.Errorf("%v", diags)
	}
}

// TestServerThatSaysNothingAfterTheLogin is about a real provider, and a server that takes
// its login and every question.
func TestServerThatSaysNothingAfterTheLogin(t *testing.T) {
	address, logins := silentServer(t)
	r := registry(targets{})
	r.AddProvider(postgresql.New())
	dir := map[string]string{"main.remint.hcl": at("main", 5) + runbooks + runbook("postgresql_role") + `
provider "postgresql" "db" {
  url         = "postgres://admin@` + address + `/app?sslmode=disable"
  environment = "test"
}
credential "postgresql_role" "app" {
  provider = postgresql.db
  role     = "app"
  owner    = "o@x"
}
`}
	w, diags := config.Load(config.Options{Dir: written(t, dir), Registry: r, Builtin: fstest.MapFS{}, Version: "0.1.0"})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	p := newPlanner(t, w, nil)
	f := fleet.New(r)
	t.Cleanup(func() { _ = f.Close() })
	p.Fleet, p.Patience = f, patience
	begun := time.Now()
	_, diags = p.Plan(t.Context(), planner.Request{Reason: lifecycle.Scheduled, All: true})
	if took := time.Since(begun); took > 20*patience {
		t.Errorf("it took %v", took)
	}
	if logins.Load() == 0 {
		t.Error("nobody logged in")
	}
	want := "Provider postgresql.db, asked about credential.postgresql_role.app: could not read the system identifier at the PostgreSQL server " + address + ": timed out: an answer may take 300ms, so find out what holds it up."
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, want) {
		t.Errorf("want %q in %v", want, diags)
	}
}

// silentServer welcomes whoever asks in the manner of PostgreSQL, and then only listens,
// until it is asked to cancel.
func silentServer(t *testing.T) (address string, logins *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	logins = &atomic.Int32{}
	sessions := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				b := pgproto3.NewBackend(c, c)
				if m, err := b.ReceiveStartupMessage(); err != nil {
					return
				} else if _, login := m.(*pgproto3.StartupMessage); !login {
					_ = (<-sessions).Close() // it is asked to cancel
					return
				}
				logins.Add(1)
				sessions <- c
				b.Send(&pgproto3.AuthenticationOk{})
				b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "18.0"})
				b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
				b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
				for err := b.Flush(); err == nil; {
					_, err = b.Receive()
				}
			}()
		}
	}()
	return l.Addr().String(), logins
}
