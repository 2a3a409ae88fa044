package postgresql_test

import (
	"bytes"
	"crypto/rand"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/postgresql"
	"github.com/remint-dev/remint/internal/pgtest"
)

// TestFloodBeforeTheLogin: whoever answers at a state's address has not much to say before
// it has shown who it is.
func TestFloodBeforeTheLogin(t *testing.T) {
	notice, err := (&pgproto3.NoticeResponse{Severity: "NOTICE", Message: "x"}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ first, again []byte }{
		"an error of 512 MiB": {[]byte{'E', 0x20, 0, 0, 0}, bytes.Repeat([]byte("x"), 64<<10)},
		"a notice of 2 MiB":   {[]byte{'N', 0, 0x20, 0, 0}, bytes.Repeat([]byte("x"), 64<<10)},
		"notices":             {nil, bytes.Repeat(notice, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = conn.Close() }()
						if _, err := pgproto3.NewBackend(conn, conn).ReceiveStartupMessage(); err != nil {
							return
						}
						_, err := conn.Write(c.first)
						for err == nil {
							_, err = conn.Write(c.again)
						}
					}()
				}
			}()
			began := time.Now()
			_, err = postgresql.Open(t.Context(), "postgres://u:"+password+"@"+l.Addr().String()+"/x?sslmode=disable", postgresql.Options{Create: true})
			if err == nil || !strings.Contains(err.Error(), "cannot be reached: the server sent more than a state holds: check that it is one") || strings.Contains(err.Error(), password) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestLargeValues: what a state has taken it gives back, on the connections of readers and
// of the writer, though it is more than a stranger may say.
func TestLargeValues(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	j := open(t, s.SuperURL(), fresh())
	plan := make([]byte, 5<<20)
	_, _ = rand.Read(plan)
	if err := j.Open(t.Context(), journal.Run{ID: "r", PlanID: "p", Plan: plan, OpenedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("{}"), 1<<20)
	var bundles []journal.Bundle
	for _, id := range []string{"a", "b", "c"} {
		bundles = append(bundles, journal.Bundle{ID: id, Run: "r", File: "r/" + id, Line: line})
	}
	if err := j.Append(t.Context(), &journal.Batch{Bundles: bundles}); err != nil {
		t.Fatal(err)
	}
	run, err := j.Run(t.Context(), "r")
	if err != nil || !bytes.Equal(run.Plan, plan) {
		t.Errorf("a plan of %d bytes came back with %d, %v", len(plan), len(run.Plan), err)
	}
	n := 0
	for b, err := range j.Unfiled(t.Context(), "r") {
		if n++; err != nil || !bytes.Equal(b.Line, line) {
			t.Fatalf("a line of %d bytes came back with %d, %v", len(line), len(b.Line), err)
		}
	}
	if n != len(bundles) {
		t.Errorf("%d of %d lines", n, len(bundles))
	}
}
