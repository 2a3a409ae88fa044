package postgresql_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/providertest"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/pgtest"
	"github.com/remint-dev/remint/providers/postgresql"
)

// server is shared by the tests, each of which has roles of its own.
var server *pgtest.Server

func TestMain(m *testing.M) {
	var err error
	server, err = pgtest.Start(context.Background(), pgtest.Options{
		Settings: map[string]string{"authentication_timeout": "10s", "wal_level": "logical"},
		HBA:      []string{"host all +open_door 127.0.0.1/32 trust", "host all +cleartext 127.0.0.1/32 password", "host all +barred 127.0.0.1/32 reject"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// open opens the provider for url with its defaults.
func open(t testing.TB, url string, set map[string]any) provider.Provider {
	t.Helper()
	p, err := postgresql.New().Open(context.Background(), block(url, set))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func block(url string, set map[string]any) provider.Block {
	all := map[string]any{"url": secret.FromString(url)}
	for k, v := range set {
		all[k] = v
	}
	return provider.Block{Name: "main", Attrs: providertest.Defaults(postgresql.New().Schema, all)}
}

func credential(role string) provider.Credential {
	return provider.Credential{Address: "credential.postgresql_role.x", Type: postgresql.TypeName,
		Attrs: provider.NewAttrs(map[string]any{"role": role})}
}

func mutation(role string, fence int64) provider.Mutation {
	return provider.Mutation{Credential: credential(role), Label: fmt.Sprintf("%s-%d", role, fence), Fence: fence}
}

func material(pw string) secret.Material { return secret.Single(secret.FromString(pw)) }

// super runs SQL as the superuser.
func super(t testing.TB, sql ...string) {
	t.Helper()
	c := connect(t, server.SuperURL())
	for _, s := range sql {
		if _, err := c.Exec(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// ask gives the single value of a query of the superuser.
func ask(t testing.TB, sql string) string {
	t.Helper()
	var out string
	if err := connect(t, server.SuperURL()).QueryRow(context.Background(), sql).Scan(&out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// role makes a login role of that name and password, for this test.
func role(t testing.TB, name, pw, options string) string {
	t.Helper()
	name += "_" + strings.ToLower(rand.Text()[:8])
	super(t, fmt.Sprintf("CREATE ROLE %q LOGIN PASSWORD '%s' %s", name, pw, options))
	return name
}

// psql logs in as an application would, and gives what the server said.
func psql(t testing.TB, user, pw string) (ok bool, output string) {
	t.Helper()
	cmd := exec.Command(server.Bin("psql"), "-h", server.Host, "-p", fmt.Sprint(server.Port), "-U", user, "-d", "postgres", "-w", "-Atc", "SELECT 1")
	cmd.Env = append(os.Environ(), "PGPASSWORD="+pw)
	out, err := cmd.CombinedOutput()
	return err == nil && string(out) == "1\n", string(out)
}

func alive(c *pgx.Conn) bool {
	_, err := c.Exec(context.Background(), "SELECT 1")
	return err == nil
}

func wantVerdict(t testing.TB, p provider.Provider, role, pw string, want provider.Verdict, detail string) provider.Probe {
	t.Helper()
	got, err := p.Probe(context.Background(), credential(role), material(pw))
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	if got.Verdict != want || !strings.Contains(got.Detail, detail) {
		t.Errorf("Probe is %s (%s), want %s (%s)", got.Verdict, got.Detail, want, detail)
	}
	return got
}

func set(t testing.TB, p provider.Provider, m provider.Mutation, pw string) provider.Applied {
	t.Helper()
	a, err := p.(provider.Setter).Set(context.Background(), m, material(pw))
	if err != nil {
		t.Fatalf("Set: %v", err)
	}
	return a
}

func inspect(t testing.TB, p provider.Provider, role string) provider.Observation {
	t.Helper()
	o, err := p.Inspect(context.Background(), credential(role))
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return o
}
