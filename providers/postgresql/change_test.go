package postgresql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/pgtest"
)

func TestNoPlaintextReachesTheServersLog(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "logged", "Old-Canary-7731", "")
	set(t, p, mutation(name, 1), "New-Canary-9942")
	wantVerdict(t, p, name, "New-Canary-9942", provider.Accepted, "")
	wantVerdict(t, p, name, "Old-Canary-7731", provider.Refused, "28P01")
	log := server.Log()
	if !strings.Contains(log, fmt.Sprintf(`ALTER ROLE "%s" LOGIN PASSWORD 'SCRAM-SHA-256$4096:`, name)) {
		t.Error("the log does not show the change: this test would see nothing")
	}
	if strings.Contains(log, "New-Canary-9942") {
		t.Error("the new password is in the server's log")
	}
	if !strings.Contains(log, "remint-probe") {
		t.Error("the log does not show whose attempts the probes were")
	}
}

// The server keeps the very verifier that it would have made itself.
func TestVerifierIsTheServers(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "kept", "old", "")
	mut := mutation(name, 1)
	first := set(t, p, mut, `p"a's$s word~`)
	kept := ask(t, fmt.Sprintf("SELECT rolpassword FROM pg_authid WHERE rolname = '%s'", name))
	if ok, out := psql(t, name, `p"a's$s word~`); !ok {
		t.Errorf("psql: %s", out)
	}
	again := set(t, p, mut, `p"a's$s word~`)
	if now := ask(t, fmt.Sprintf("SELECT rolpassword FROM pg_authid WHERE rolname = '%s'", name)); now != kept || again.Version != first.Version {
		t.Error("setting twice under one label is not setting once")
	}
	if again.At.Before(first.At) {
		t.Errorf("the clock ran from %v to %v", first.At, again.At)
	}
	o := inspect(t, p, name)
	if len(o.Versions) != 1 || o.Versions[0].ID != first.Version || o.Versions[0].Label != mut.Label {
		t.Errorf("Inspect lists %+v, want %s with the label %s", o.Versions, first.Version, mut.Label)
	}
	super(t, fmt.Sprintf("ALTER ROLE %q PASSWORD 'by somebody else'", name))
	if o := inspect(t, p, name); len(o.Versions) != 1 || o.Versions[0].ID == first.Version || o.Versions[0].Label != "" {
		t.Errorf("somebody else's password is listed as %+v", o.Versions)
	}
}

func TestRevokeRefusesRightAndWrongAlike(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "leaked", "right", "")
	super(t, fmt.Sprintf("ALTER ROLE %q NOLOGIN", name))
	wantVerdict(t, p, name, "right", provider.Disabled, "28000") // NOLOGIN alone tells the right password
	wantVerdict(t, p, name, "wrong", provider.Refused, "28P01")
	super(t, fmt.Sprintf("ALTER ROLE %q LOGIN", name))

	if _, err := p.(provider.Revoker).Revoke(context.Background(), mutation(name, 1), nil); err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, p, name, "right", provider.Refused, "28P01")
	wantVerdict(t, p, name, "wrong", provider.Refused, "28P01")
	if got := ask(t, fmt.Sprintf("SELECT rolcanlogin::text || coalesce(rolpassword, ' none') FROM pg_authid WHERE rolname = '%s'", name)); got != "false none" {
		t.Errorf("the catalog says %q", got)
	}
	if o := inspect(t, p, name); o.Enabled || len(o.Versions) != 0 || !o.Exists {
		t.Errorf("after Revoke: %+v", o)
	}
	set(t, p, mutation(name, 2), "new")
	wantVerdict(t, p, name, "new", provider.Accepted, "")
	wantVerdict(t, p, name, "right", provider.Refused, "28P01")
}

func TestFence(t *testing.T) {
	url := admin(t, `GRANT SET ON PARAMETER "remint.fence" TO %q`)
	for who, p := range map[string]provider.Provider{"superuser": open(t, server.SuperURL(), nil), "granted admin": open(t, url, nil)} {
		name := role(t, "fenced", "old", "")
		if !inspect(t, p, name).Fenced {
			t.Errorf("%s: Inspect does not say Fenced", who)
		}
		set(t, p, mutation(name, 5), "five")
		for _, change := range []func() error{
			func() error {
				_, err := p.(provider.Setter).Set(context.Background(), mutation(name, 4), material("four"))
				return err
			},
			func() error {
				_, err := p.(provider.Revoker).Revoke(context.Background(), mutation(name, 4), nil)
				return err
			},
		} {
			if err := change(); provider.ClassOf(err, "") != provider.Conflict {
				t.Errorf("%s: a stale change gives %v, want Conflict", who, err)
			}
		}
		if ok, out := psql(t, name, "five"); !ok {
			t.Errorf("%s: a refused change did something: %s", who, out)
		}
		set(t, p, mutation(name, 5), "five again")
		set(t, p, mutation(name, 0), "without a token")
		super(t, fmt.Sprintf(`ALTER ROLE %q SET "remint.fence" = '999'`, name))
		if _, err := p.(provider.Setter).Set(context.Background(), mutation(name, 998), material("x")); provider.ClassOf(err, "") != provider.Conflict {
			t.Errorf("%s: a bare number in the setting does not fence: %v", who, err)
		}
		super(t, fmt.Sprintf(`ALTER ROLE %q SET "remint.fence" = 'nonsense'`, name))
		if _, err := p.(provider.Setter).Set(context.Background(), mutation(name, 1000), material("x")); provider.ClassOf(err, "") != provider.Conflict || !strings.Contains(err.Error(), "RESET") {
			t.Errorf("%s: nonsense in the setting gives %v", who, err)
		}
	}
}

// An overtaken runner is kept out before anything is changed: password, version and
// label stay as they are, and its change is refused from then on, and only its.
func TestFenceAlone(t *testing.T) {
	url := admin(t, `GRANT SET ON PARAMETER "remint.fence" TO %q`)
	for who, p := range map[string]provider.Provider{"superuser": open(t, server.SuperURL(), nil), "granted admin": open(t, url, nil)} {
		fence := func(m provider.Mutation) error { return p.(provider.Fencer).Fence(context.Background(), m) }
		for _, marked := range []bool{false, true} {
			name := role(t, "fenced", "old", "CONNECTION LIMIT 7 VALID UNTIL '2999-01-01'")
			works := "old"
			if marked {
				works = "three"
				set(t, p, mutation(name, 3), works)
			}
			row := func() string {
				return ask(t, fmt.Sprintf("SELECT a::text FROM pg_authid a WHERE rolname = '%s'", name))
			}
			before, was := inspect(t, p, name), row()
			for range 2 {
				if err := fence(mutation(name, 5)); err != nil {
					t.Fatalf("%s, marked %t: %v", who, marked, err)
				}
			}
			after := inspect(t, p, name)
			if after.Fence != 5 || fmt.Sprint(after.Versions) != fmt.Sprint(before.Versions) || after.Unlisted != before.Unlisted || row() != was {
				t.Errorf("%s, marked %t: %+v, before %+v\n%s\n%s", who, marked, after, before, was, row())
			}
			if err := fence(mutation(name, 4)); provider.ClassOf(err, "") != provider.Conflict {
				t.Errorf("%s: a smaller token gives %v, want Conflict", who, err)
			}
			if _, err := p.(provider.Setter).Set(context.Background(), mutation(name, 4), material("four")); provider.ClassOf(err, "") != provider.Conflict {
				t.Errorf("%s: a change by the one that was overtaken gives %v, want Conflict", who, err)
			}
			if ok, out := psql(t, name, works); !ok {
				t.Errorf("%s, marked %t: the password does not work any more: %s", who, marked, out)
			}
			set(t, p, mutation(name, 5), "five")
		}
		if err := fence(mutation("no such role", 1)); provider.ClassOf(err, "") != provider.NotFound {
			t.Errorf("%s: no such role gives %v", who, err)
		}
	}
	bare := role(t, "unfenced", "old", "")
	err := open(t, admin(t), nil).(provider.Fencer).Fence(context.Background(), mutation(bare, 1))
	if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "GRANT SET ON PARAMETER") {
		t.Errorf("a login that may not write the mark: %v", err)
	}
}

// A change that is going on is waited for: it is seen, or undone.
func TestFenceWaits(t *testing.T) {
	name := role(t, "fenced", "old", "")
	p := open(t, server.SuperURL(), nil)
	rival := connect(t, server.SuperURL())
	ctx := context.Background()
	tx, err := rival.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(`ALTER ROLE %q PASSWORD 'theirs'`, name)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.(provider.Fencer).Fence(ctx, mutation(name, 4)) }()
	for ask(t, fmt.Sprintf("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%%s%%'", name)) == "0" {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil && provider.ClassOf(err, provider.Ambiguous) == provider.Ambiguous {
		t.Errorf("%v, want none, or one that says that nothing happened", err)
	}
	if err := p.(provider.Fencer).Fence(ctx, mutation(name, 4)); err != nil {
		t.Error(err)
	}
	if ok, out := psql(t, name, "theirs"); !ok {
		t.Errorf("what was committed before it is gone: %s", out)
	}
}

// Advisory locks are for one database; the fence must hold across all.
func TestFenceAcrossDatabases(t *testing.T) {
	name := role(t, "fenced", "old", "")
	super(t, fmt.Sprintf("CREATE DATABASE %q", name))
	p := open(t, server.SuperURL(), nil)
	set(t, p, mutation(name, 3), "three")

	// A rival in another database is about to commit the token 9.
	rival := connect(t, strings.Replace(server.SuperURL(), "/postgres?", "/"+name+"?", 1))
	ctx := context.Background()
	tx, err := rival.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`ALTER ROLE %q PASSWORD 'nine'`, `ALTER ROLE %q SET "remint.fence" = '9'`} {
		if _, err := tx.Exec(ctx, fmt.Sprintf(sql, name)); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() {
		_, err := p.(provider.Setter).Set(ctx, mutation(name, 4), material("four"))
		done <- err
	}()
	for ask(t, fmt.Sprintf("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%%s%%'", name)) == "0" {
		select {
		case err := <-done:
			t.Fatalf("Set did not wait for the rival: %v", err)
		default:
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || provider.ClassOf(err, provider.Ambiguous) == provider.Ambiguous {
		t.Errorf("the overtaken Set gives %v, want an error that says that nothing happened", err)
	}
	if ok, out := psql(t, name, "nine"); !ok {
		t.Errorf("the later holder's password does not work: %s", out)
	}
	if _, err := p.(provider.Setter).Set(ctx, mutation(name, 4), material("four")); provider.ClassOf(err, "") != provider.Conflict {
		t.Errorf("its retry gives %v, want Conflict", err)
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	plain := open(t, admin(t), nil)
	bare := role(t, "nobody", "x", "")
	super(t, fmt.Sprintf("CREATE ROLE %q SUPERUSER LOGIN", bare+"s"))
	for what, c := range map[string]struct {
		p     provider.Provider
		role  string
		pw    string
		class provider.Class
		says  string
	}{
		"no such role":           {plain, "no such role", "x", provider.NotFound, "no role"},
		"a superuser":            {plain, bare + "s", "x", provider.Permanent, "superuser"},
		"an admin without right": {open(t, server.URL(bare, "x"), nil), bare + "s", "x", provider.Permanent, "CREATEROLE"},
		"a reserved role":        {open(t, server.SuperURL(), nil), "pg_monitor", "x", provider.Permanent, "reserved"},
		"a control character":    {plain, bare, "a\nb", provider.Permanent, "ASCII"},
		"beyond ASCII":           {plain, bare, "pässword", provider.Permanent, "ASCII"},
	} {
		_, err := c.p.(provider.Setter).Set(context.Background(), mutation(c.role, 1), material(c.pw))
		if provider.ClassOf(err, "") != c.class || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s that says %q", what, err, c.class, c.says)
		}
	}
}

// A crash right after the change must not bring the old password back, even
// where the login's commits do not wait for the disk.
func TestCommitsDurably(t *testing.T) {
	own := pgtest.New(t, pgtest.Options{Settings: map[string]string{"synchronous_commit": "off", "wal_writer_delay": "10s"}})
	c := connect(t, own.SuperURL())
	if _, err := c.Exec(context.Background(), "SET synchronous_commit = on; CREATE ROLE app LOGIN PASSWORD 'old'"); err != nil {
		t.Fatal(err)
	}
	set(t, open(t, own.SuperURL(), nil), mutation("app", 1), "new")
	if err := own.Crash(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(context.Background(), own.URL("app", "old")); err == nil {
		t.Error("the old password is back after a crash")
	}
	_ = connect(t, own.URL("app", "new"))
}
