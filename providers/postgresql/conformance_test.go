package postgresql_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/providertest"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/providers/postgresql"
)

func TestConformance(t *testing.T) {
	admins := map[string]func(t *testing.T) string{
		"superuser": func(*testing.T) string { return server.SuperURL() },
		"granted admin": func(t *testing.T) string {
			return admin(t, `GRANT SET ON PARAMETER "remint.fence" TO %q`, `GRANT pg_read_all_stats, pg_signal_backend TO %q`)
		},
		"unfenced admin": func(t *testing.T) string { return admin(t, `GRANT pg_read_all_stats, pg_signal_backend TO %q`) },
	}
	for name, url := range admins {
		t.Run(name, func(t *testing.T) {
			at := url(t)
			providertest.Run(t, providertest.Harness{Definition: postgresql.New(), Type: postgresql.TypeName,
				Setup: func(t *testing.T) providertest.Fixture { return fixture(t, at) }})
		})
	}
}

// admin makes a CREATEROLE login with the grants, and gives its URL.
func admin(t testing.TB, grants ...string) string {
	t.Helper()
	name := role(t, "admin", "adminpw", "CREATEROLE")
	for _, g := range grants {
		super(t, fmt.Sprintf(g, name))
	}
	return server.URL(name, "adminpw")
}

func fixture(t *testing.T, url string) providertest.Fixture {
	name := role(t, "bill", "the-first-password", "")
	other := role(t, "other", "the-other-password", "")
	return providertest.Fixture{
		Block:       block(url, nil),
		Credential:  credential(name),
		Absent:      credential("no such role"),
		Current:     material("the-first-password"),
		Unreachable: block("postgres://u:hidden-in-url@127.0.0.1:1/postgres?sslmode=disable", nil),
		Login: func(t *testing.T, m secret.Material) bool {
			ok, _ := psql(t, name, m.Field("value").RevealString())
			return ok
		},
		OpenSession: func(t *testing.T, m secret.Material) func() bool {
			c := connect(t, server.URL(name, m.Field("value").RevealString()))
			return func() bool { return alive(c) }
		},
		Others: func(t *testing.T) string {
			return ask(t, fmt.Sprintf(`SELECT string_agg(a::text || coalesce(s.setconfig::text, ''), ' ' ORDER BY a.oid)
				FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid WHERE a.rolname NOT IN ('%s')`, name)) + other
		},
	}
}

func TestSchemaRefuses(t *testing.T) {
	def := postgresql.New()
	long := fmt.Sprintf("%064d", 0)
	for what, value := range map[string]any{"an empty name": "", "a name that PostgreSQL would cut": long, "a NUL": "a\x00b"} {
		a, _ := def.Types[0].Schema.Find("role")
		if a.Check(value) == nil {
			t.Errorf("%s is taken for a role", what)
		}
	}
	addresses, _ := def.Schema.Find("probe_addresses")
	for _, bad := range []string{"", "host", "host:", ":5432", "host:0", "host:99999", "a,b:5432", "a b:1", "a' user='x:1"} {
		if addresses.Check([]string{bad}) == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
	if err := addresses.Check([]string{"pooler.example.com:6432", "[::1]:5432"}); err != nil {
		t.Errorf("good addresses: %v", err)
	}
}

func TestListAndIdentity(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "listed", "x", "")
	names, err := p.(provider.Lister).List(context.Background(), postgresql.TypeName)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, n := range names {
		found = found || n == name
	}
	if !found {
		t.Errorf("%s is not in %q", name, names)
	}
	id, err := p.Identity(context.Background())
	if want := "postgresql:" + ask(t, "SELECT system_identifier::text FROM pg_control_system()"); err != nil || id != want {
		t.Errorf("Identity is %q (%v), want %q", id, err, want)
	}
}

func TestHostileNames(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	for _, name := range []string{`o'brien"; DROP ROLE x; --`, `back\slash`, "Grüße 🎩", "CamelCase", "select"} {
		super(t, "CREATE ROLE "+pgx.Identifier{name}.Sanitize()+" LOGIN PASSWORD 'old'")
		t.Cleanup(func() { super(t, "DROP ROLE "+pgx.Identifier{name}.Sanitize()) })
		set(t, p, mutation(name, 1), "new-password")
		if ok, out := psql(t, name, "new-password"); !ok {
			t.Errorf("%q: %s", name, out)
		}
		wantVerdict(t, p, name, "old", provider.Refused, "28P01")
		if o := inspect(t, p, name); !o.Enabled || !o.Fenced {
			t.Errorf("%q: %+v", name, o)
		}
	}
}
