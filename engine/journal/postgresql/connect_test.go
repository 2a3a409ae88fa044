package postgresql_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/postgresql"
	"github.com/remint-dev/remint/internal/pgtest"
)

const password = "s3cret-of-the-state"

func run(t *testing.T, s *pgtest.Server, sql ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.SuperURL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for _, q := range sql {
		if _, err := c.Exec(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// What keeps a state from being opened is said, without the password.
func TestRefusals(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{HBA: []string{
		"host all trusted 127.0.0.1/32 trust", "host all clear 127.0.0.1/32 password", "host all hashed 127.0.0.1/32 md5", "host all barred 127.0.0.1/32 reject",
	}})
	run(t, s,
		"CREATE SCHEMA newer", "CREATE TABLE newer.remint_state (format int)", "INSERT INTO newer.remint_state VALUES (99)",
		"CREATE SCHEMA others", "CREATE TABLE others.accounts (n int)",
		"CREATE ROLE plain LOGIN PASSWORD '"+password+"'", "CREATE ROLE trusted LOGIN PASSWORD '"+password+"'", "CREATE ROLE clear LOGIN PASSWORD '"+password+"'",
		"CREATE ROLE barred LOGIN PASSWORD '"+password+"'", "CREATE ROLE nobody_asks LOGIN",
		"SET password_encryption = 'md5'", "CREATE ROLE hashed LOGIN PASSWORD '"+password+"'")
	as := func(user string) string { return s.URL(user, password) }
	bare := func(user string) string {
		u, _ := url.Parse(s.SuperURL())
		u.User = url.User(user)
		return u.String()
	}
	for name, c := range map[string]struct{ url, schema, want string }{
		"empty":                {" ", "", "must look like"},
		"not a url":            {"postgres://a:" + password + "@[::1", "", "must look like"},
		"a port too far":       {"postgres://a:" + password + "@127.0.0.1:99999/x", "", "must look like"},
		"nobody there":         {"postgres://a:" + password + "@127.0.0.1:1/x?sslmode=disable", "", "cannot be reached"},
		"wrong password":       {s.URL("plain", password+"x"), "", "password is wrong"},
		"no such database":     {strings.Replace(s.SuperURL(), "/postgres?", "/nowhere?", 1), "", "does not exist"},
		"barred":               {as("barred"), "", "pg_hba.conf"},
		"asked in the clear":   {as("clear"), "", "another method than SCRAM"},
		"asked for md5":        {as("hashed"), "", "another method than SCRAM"},
		"not asked at all":     {as("trusted"), "", "another method than SCRAM"},
		"asked, and has none":  {bare("plain"), "", "another method than SCRAM"},
		"may not create":       {as("plain"), "", "CREATE SCHEMA \"remint\" AUTHORIZATION \"plain\""},
		"a newer version":      {s.SuperURL(), "newer", journal.ErrNewer.Error()},
		"something else there": {s.SuperURL(), "others", "something else"},
		"a schema of its own":  {s.SuperURL(), "pg_toast", "cannot be the state's schema"},
		"read only":            {s.SuperURL() + "&default_transaction_read_only=on", "", "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := postgresql.Open(t.Context(), c.url, postgresql.Options{Schema: c.schema, Create: true})
			if err == nil {
				_ = j.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), password) {
				t.Errorf("it says: %v\nwant: %s", err, c.want)
			}
		})
	}
}

// A login that only owns the schema is enough; and without Create nothing is made.
func TestOrdinaryLogin(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	run(t, s, "CREATE ROLE plain LOGIN PASSWORD '"+password+"'", "CREATE ROLE other LOGIN PASSWORD '"+password+"'", "CREATE SCHEMA remint AUTHORIZATION plain")
	if _, err := postgresql.Open(t.Context(), s.URL("plain", password), postgresql.Options{}); !errors.Is(err, journal.ErrNotFound) {
		t.Fatalf("a state that is not there: %v, want ErrNotFound", err)
	}
	a := open(t, s.URL("plain", password), "")
	if err := take(t, a, "r1", "k", false); err != nil {
		t.Fatal(err)
	}
	run(t, s, "GRANT USAGE ON SCHEMA remint TO other", "GRANT ALL ON ALL TABLES IN SCHEMA remint TO other")
	b := open(t, s.URL("other", password), "") // another role sees that the first is alive
	var held *journal.HeldError
	if err := take(t, b, "r2", "k", false); !errors.As(err, &held) {
		t.Fatalf("beside another role's: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := take(t, b, "r2", "k", false); err != nil {
		t.Fatalf("after it closed: %v", err)
	}
}
