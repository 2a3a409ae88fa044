package postgresql_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/provider"
)

func end(t testing.TB, p provider.Provider, role string, cutoff time.Time) provider.Ended {
	t.Helper()
	e, err := p.(provider.SessionEnder).EndSessions(context.Background(), mutation(role, 9), cutoff)
	if err != nil {
		t.Fatalf("EndSessions: %v", err)
	}
	return e
}

func TestEndSessions(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name, other := role(t, "busy", "old", "REPLICATION"), role(t, "other", "other", "")
	group := role(t, "group", "x", "")
	super(t, fmt.Sprintf("GRANT %q TO %q", group, name), fmt.Sprintf("GRANT %q TO %q", name, other))
	exec := func(c *pgx.Conn, sql string) *pgx.Conn {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return c
	}
	old := map[string]*pgx.Conn{
		"idle":             connect(t, server.URL(name, "old")),
		"in a transaction": exec(connect(t, server.URL(name, "old")), "BEGIN; CREATE TEMP TABLE x()"),
		"failed":           connect(t, server.URL(name, "old")),
		"as another":       exec(connect(t, server.URL(name, "old")), fmt.Sprintf("SET ROLE %q", group)),
	}
	_, _ = old["failed"].Exec(context.Background(), "BEGIN; SELECT 1/0")
	walsender, err := pgconn.Connect(context.Background(), server.URL(name, "old")+"&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	sleeper := connect(t, server.URL(name, "old"))
	slept := make(chan error)
	go func() { _, err := sleeper.Exec(context.Background(), "SELECT pg_sleep(300)"); slept <- err }()

	foreign := exec(connect(t, server.URL(other, "other")), fmt.Sprintf("SET ROLE %q", name))
	if o := inspect(t, p, name); o.Sessions != 6 {
		t.Errorf("Inspect counts %d sessions, want 6", o.Sessions)
	}
	a := set(t, p, mutation(name, 1), "new")
	young := connect(t, server.URL(name, "new"))
	for what, c := range old { // neither a new password nor NOLOGIN ends anything
		if what != "failed" && !alive(c) {
			t.Errorf("the session %q ended by itself", what)
		}
	}

	e := end(t, p, name, a.At)
	if e.Count != 6 || e.Now.Before(a.At) {
		t.Errorf("EndSessions gives %+v, want 6 ended after %v", e, a.At)
	}
	if left := ask(t, fmt.Sprintf("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '%s'", name)); left != "1" {
		t.Errorf("the server lists %s sessions of the role, want the new one alone", left)
	}
	for what, c := range old {
		if alive(c) {
			t.Errorf("the old session %q lives", what)
		}
	}
	if _, err := walsender.Exec(context.Background(), "IDENTIFY_SYSTEM").ReadAll(); err == nil {
		t.Error("the old replication session lives")
	}
	if err := <-slept; err == nil {
		t.Error("the running query was not cut off")
	}
	if !alive(young) || !alive(foreign) {
		t.Error("a session of the new password, or of another role, was ended")
	}
	if e := end(t, p, name, a.At); e.Count != 0 || !alive(young) {
		t.Errorf("again: %+v", e)
	}
	if e := end(t, p, "no such role", a.At); e.Count != 0 {
		t.Errorf("no such role: %+v", e)
	}
}

// ahead makes a database of its own in which sessions may be said to have begun
// later than they did, as by a clock that was set back since, and gives its address
// and how to say so of all that a role has by now.
func ahead(t *testing.T) (url string, say func(role string, by time.Duration)) {
	t.Helper()
	db := "ahead_" + strings.ToLower(rand.Text()[:8])
	super(t, "CREATE DATABASE "+db)
	url = strings.Replace(server.SuperURL(), "/postgres?", "/"+db+"?", 1)
	c := connect(t, url)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := c.Exec(context.Background(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("CREATE TABLE public.ahead (pid int, by interval)")
	var view string
	if err := c.QueryRow(context.Background(), "SELECT pg_get_viewdef('pg_catalog.pg_stat_activity'::regclass)").Scan(&view); err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(view, "s.backend_start", "s.backend_start + coalesce((SELECT max(x.by) FROM public.ahead x WHERE x.pid = s.pid), '0') AS backend_start", 1)
	if moved == view {
		t.Fatalf("pg_stat_activity is another than was thought: %s", view)
	}
	exec("SET allow_system_table_mods = on")
	exec("CREATE OR REPLACE VIEW pg_catalog.pg_stat_activity AS " + moved)
	return url, func(role string, by time.Duration) {
		t.Helper()
		exec("INSERT INTO public.ahead SELECT pid, $2 FROM pg_stat_activity WHERE usename = $1", role, by)
	}
}

// A session that began by a clock that was ahead, and was set back since, is as old as
// the others, whatever the clock says by the time at which sessions are ended.
func TestEndSessionsOfAClockThatWasSetBack(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, p provider.Provider, role string) (provider.Applied, error){
		"set": func(_ *testing.T, p provider.Provider, role string) (provider.Applied, error) {
			return p.(provider.Setter).Set(context.Background(), mutation(role, 1), material("new"))
		},
		"revoked": func(_ *testing.T, p provider.Provider, role string) (provider.Applied, error) {
			return p.(provider.Revoker).Revoke(context.Background(), mutation(role, 1), nil)
		},
	} {
		for _, by := range []time.Duration{3 * time.Second, 2 * time.Hour} { // over by then, and not
			t.Run(fmt.Sprint(name, by), func(t *testing.T) {
				url, say := ahead(t)
				p := open(t, url, nil)
				name := role(t, "ahead", "old", "")
				old := connect(t, server.URL(name, "old"))
				say(name, by)
				a, err := change(t, p, name)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(by % time.Minute)
				if e := end(t, p, name, a.At); e.Count != 1 || alive(old) {
					t.Errorf("%d ended, alive: %t", e.Count, alive(old))
				}
			})
		}
	}
	t.Run("after the change", func(t *testing.T) { // as one whose login took its time
		url, say := ahead(t)
		p := open(t, url, nil)
		name := role(t, "ahead", "old", "")
		at := inspect(t, p, name).Now
		late, young := connect(t, server.URL(name, "old")), (*pgx.Conn)(nil)
		say(name, time.Hour)
		young = connect(t, server.URL(name, "old"))
		if e := end(t, p, name, at); e.Count != 1 || alive(late) || !alive(young) {
			t.Errorf("%d ended; alive: the late one %t, the young one %t", e.Count, alive(late), alive(young))
		}
		if e := end(t, p, name, time.Time{}); e.Count != 1 || alive(young) {
			t.Errorf("of all: %d ended, alive: %t", e.Count, alive(young))
		}
	})
}

// PostgreSQL keeps the sessions of a role that was dropped, and does not tell whose
// they are: there being none must not be said.
func TestEndSessionsOfARoleThatWasDropped(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name, other := role(t, "gone", "old", ""), role(t, "other", "other", "")
	session, theirs := connect(t, server.URL(name, "old")), connect(t, server.URL(other, "other"))
	super(t, fmt.Sprintf("DROP ROLE %q", name))
	_, err := p.(provider.SessionEnder).EndSessions(context.Background(), mutation(name, 1), time.Time{})
	pid := fmt.Sprint(session.PgConn().PID())
	if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "pg_terminate_backend") || !strings.Contains(err.Error(), "("+pid+")") {
		t.Errorf("%v, want a Permanent error that says how to end process %s", err, pid)
	}
	if !alive(session) || !alive(theirs) {
		t.Error("sessions were ended that may be anybody's")
	}
	if e := end(t, p, other, time.Time{}); e.Count != 1 { // a role that is there has its own
		t.Errorf("of a role that is there, %d were ended", e.Count)
	}
	super(t, "SELECT pg_terminate_backend("+pid+", 5000)")
	if e := end(t, p, name, time.Time{}); e.Count != 0 {
		t.Errorf("%d ended of a role without sessions", e.Count)
	}
}

func TestEndSessionsNamesTheGrant(t *testing.T) {
	name := role(t, "busy", "old", "")
	for what, c := range map[string]struct {
		grants []string
		says   string
	}{
		"nothing granted":    {nil, "pg_read_all_stats"},
		"may only see":       {[]string{"GRANT pg_read_all_stats TO %q"}, "pg_signal_backend"},
		"may only signal":    {[]string{"GRANT pg_signal_backend TO %q"}, "pg_read_all_stats"},
		"both":               {[]string{"GRANT pg_read_all_stats, pg_signal_backend TO %q"}, ""},
		"member of the role": {[]string{"GRANT " + name + " TO %q"}, ""},
	} {
		p := open(t, admin(t, c.grants...), nil)
		if e, err := p.(provider.SessionEnder).EndSessions(context.Background(), mutation(name, 1), time.Now()); err != nil || e.Count != 0 {
			t.Errorf("%s: without sessions: %+v, %v", what, e, err)
		}
		session := connect(t, server.URL(name, "old"))
		notes := strings.Join(inspect(t, p, name).Notes, "\n")
		a := inspect(t, p, name)
		_, err := p.(provider.SessionEnder).EndSessions(context.Background(), mutation(name, 1), a.Now)
		if c.says == "" {
			if err != nil || alive(session) || strings.Contains(notes, "see or end") {
				t.Errorf("%s: %v, alive %t, notes: %s", what, err, alive(session), notes)
			}
			continue
		}
		if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), c.says) || !alive(session) {
			t.Errorf("%s: %v, want a Permanent error that says %s", what, err, c.says)
		}
		if !strings.Contains(notes, c.says) {
			t.Errorf("%s: Inspect does not warn of it: %s", what, notes)
		}
		_ = session.Close(context.Background())
	}
}
