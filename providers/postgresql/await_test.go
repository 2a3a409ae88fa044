package postgresql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/pgtest"
)

// Nothing goes on: Await returns, for a login without further rights too, and leaves the
// role as it is.
func TestAwaitChangesNothing(t *testing.T) {
	name := role(t, "awaited", "old", "CONNECTION LIMIT 7")
	row := func() string {
		return ask(t, fmt.Sprintf("SELECT a::text || coalesce((SELECT setconfig::text FROM pg_db_role_setting WHERE setrole = a.oid), '') FROM pg_authid a WHERE rolname = '%s'", name))
	}
	for who, url := range map[string]string{"superuser": server.SuperURL(), "admin": admin(t)} {
		p := open(t, url, nil)
		await := func(role string) error { return p.(provider.Awaiter).Await(context.Background(), credential(role)) }
		was := row()
		if err := await(name); err != nil || row() != was {
			t.Errorf("%s: %v\n%s\n%s", who, err, was, row())
		}
		if err := await("no such role"); err != nil {
			t.Errorf("%s, no such role: %v", who, err)
		}
		super(t, fmt.Sprintf(`ALTER ROLE %q SET "remint.fence" = 'nonsense'`, name))
		if err := await(name); err != nil {
			t.Errorf("%s, a mark that is not remint's: %v", who, err)
		}
		super(t, fmt.Sprintf(`ALTER ROLE %q RESET "remint.fence"`, name))
	}
	if err := open(t, server.URL(name, "old"), nil).(provider.Awaiter).Await(context.Background(), credential("postgres")); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("a login that may change nothing: %v", err)
	}
}

// While a COMMIT waits for a standby, what it does cannot be seen by anybody. Await does not
// take that for nothing, and says who holds the role, and why.
func TestAwaitWaitsForACommit(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	watch, ctx := connect(t, s.SuperURL()), context.Background()
	do := func(sql string) {
		t.Helper()
		if _, err := watch.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE ROLE app LOGIN PASSWORD 'old'")
	do("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	do("SELECT pg_reload_conf()")
	p := open(t, s.SuperURL(), nil)
	works := func() string {
		t.Helper()
		for _, pw := range []string{"old", "new"} {
			if probe, err := p.Probe(ctx, credential("app"), material(pw)); err != nil {
				t.Fatal(err)
			} else if probe.Verdict == provider.Accepted {
				return pw
			}
		}
		return "neither"
	}
	for heeds := ""; heeds != "nobody"; { // a session has the setting that it was begun with, or a later one
		if err := connect(t, s.SuperURL()).QueryRow(ctx, "SHOW synchronous_standby_names").Scan(&heeds); err != nil {
			t.Fatal(err)
		}
	}
	set := make(chan error, 1)
	go func() {
		_, err := open(t, s.SuperURL(), nil).(provider.Setter).Set(ctx, mutation("app", 1), material("new"))
		set <- err
	}()
	pid := 0
	for pid == 0 {
		if err := watch.QueryRow(ctx, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-set:
			t.Fatalf("the change did not wait: %v", err)
		default:
		}
	}
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := p.(provider.Awaiter).Await(short, credential("app"))
	for _, says := range []string{fmt.Sprintf("session %d of the login %q", pid, pgtest.Superuser), "waits for a standby", `holds the role "app"`, "55P03"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("while it waits: %v, want %q", err, says)
		}
	}
	if provider.ClassOf(err, "") != provider.Conflict || works() != "old" {
		t.Errorf("while it waits: %v; what works is %s", err, works())
	}
	do("ALTER SYSTEM RESET synchronous_standby_names")
	do("SELECT pg_reload_conf()")
	if err := p.(provider.Awaiter).Await(ctx, credential("app")); err != nil || works() != "new" {
		t.Errorf("when it is over: %v; what works is %s", err, works())
	}
	if err := <-set; err != nil {
		t.Error(err)
	}
}
