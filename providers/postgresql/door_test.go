package postgresql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/pgtest"
)

// Where the server takes any password, or none that can be tried, a reset
// would change a password and then be unable to show anything: it is refused
// before.
func TestSetIsRefusedWherePasswordsProveNothing(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	for group, says := range map[string]string{"open_door": "without asking for a password (trust", "cleartext": "asks for a cleartext password", "barred": "turns the role away"} {
		super(t, fmt.Sprintf("DO $$ BEGIN CREATE ROLE %s; EXCEPTION WHEN duplicate_object THEN END $$", group))
		name := role(t, "door", "old", "IN ROLE "+group)
		kept := ask(t, fmt.Sprintf("SELECT rolpassword FROM pg_authid WHERE rolname = '%s'", name))
		_, err := p.(provider.Setter).Set(context.Background(), mutation(name, 1), material("New-Canary-5561"))
		if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), says) ||
			!strings.Contains(err.Error(), "nothing was changed") || strings.Contains(err.Error(), "Canary") {
			t.Errorf("%s: Set: %v, want a Permanent error that says %q", group, err, says)
		}
		if now := ask(t, fmt.Sprintf("SELECT rolpassword FROM pg_authid WHERE rolname = '%s'", name)); now != kept {
			t.Errorf("%s: the password was changed", group)
		}
		if strings.Contains(server.Log(), fmt.Sprintf(`ALTER ROLE "%s"`, name)) {
			t.Errorf("%s: the server was told to change the role", group)
		}
		// Containment must work there all the same.
		if _, err := p.(provider.Revoker).Revoke(context.Background(), mutation(name, 2), nil); err != nil {
			t.Errorf("%s: Revoke: %v", group, err)
		}
		if c, err := pgx.Connect(context.Background(), server.URL(name, "anything")); err == nil {
			_ = c.Close(context.Background())
			t.Errorf("%s: the role logs in after Revoke", group)
		}
		wantVerdict(t, p, name, "old", map[string]provider.Verdict{"open_door": provider.Unclear, "barred": provider.Disabled, "cleartext": provider.Unclear}[group], "")
	}
}

// Knocking is no failed login: lock-out policies count those.
func TestKnockingIsNoFailedLogin(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "knocked", "old", "")
	inspect(t, p, name)
	set(t, p, mutation(name, 1), "new")
	for line := range strings.Lines(server.Log()) {
		if strings.Contains(line, "FATAL") && (strings.Contains(line, name) || strings.Contains(line, "remint_")) {
			t.Errorf("the server logged a failed login: %s", line)
		}
	}
	if o := inspect(t, p, name); len(o.Notes) > 0 {
		t.Errorf("notes about a sound server: %q", o.Notes)
	}
}

// The plan tells of an open server, role by role.
func TestOpenDoorsAreNotedInThePlan(t *testing.T) {
	s, err := pgtest.Start(context.Background(), pgtest.Options{HBA: []string{
		"host all postgres,+kept 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	c := connect(t, s.SuperURL())
	for _, sql := range []string{"CREATE ROLE kept", "CREATE ROLE sound LOGIN PASSWORD 'old' IN ROLE kept", "CREATE ROLE open LOGIN PASSWORD 'old'"} {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, s.SuperURL(), nil)
	if o := inspect(t, p, "open"); !strings.Contains(strings.Join(o.Notes, "\n"), "without asking for a password (trust") {
		t.Errorf("the notes do not tell of the open door: %q", o.Notes)
	}
	if o := inspect(t, p, "sound"); len(o.Notes) > 0 {
		t.Errorf("notes about a role with a line of its own: %q", o.Notes)
	}
	set(t, p, mutation("sound", 1), "new")
	wantVerdict(t, p, "sound", "new", provider.Accepted, "")
	if _, err := p.(provider.Setter).Set(context.Background(), mutation("open", 1), material("new")); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("Set: %v", err)
	}
}

// A role whose VALID UNTIL has passed refuses the right password as a wrong
// one: that is said of a new password, and is no proof about an old one.
func TestAnExpiredRoleProvesNothing(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "expired", "old", "")
	set(t, p, mutation(name, 1), "new")
	wantVerdict(t, p, name, "old", provider.Refused, "28P01")
	super(t, fmt.Sprintf("ALTER ROLE %q VALID UNTIL '%s'", name, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
	if ok, out := psql(t, name, "new"); ok || !strings.Contains(out, "password authentication failed") {
		t.Fatalf("psql: %t %s", ok, out)
	}
	for _, pw := range []string{"old", "new"} {
		wantVerdict(t, p, name, pw, provider.Disabled, "VALID UNTIL passed at")
	}
	if _, err := p.(provider.Revoker).Revoke(context.Background(), mutation(name, 2), nil); err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, p, name, "new", provider.Disabled, "VALID UNTIL passed at")
	super(t, fmt.Sprintf("ALTER ROLE %q VALID UNTIL 'infinity'", name))
	wantVerdict(t, p, name, "new", provider.Refused, "28P01")
	// A login that may see no more than everybody is told the same.
	super(t, fmt.Sprintf("ALTER ROLE %q VALID UNTIL '2001-01-01'", name))
	wantVerdict(t, open(t, admin(t), nil), name, "new", provider.Disabled, "VALID UNTIL passed at")
}

// 28000 is no refusal of the password, at any of several places.
func TestNotPermittedIsNeverRefused(t *testing.T) {
	refusing := newFake(t, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}},
		&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "28P01"})
	name := role(t, "nologin", "right", "")
	super(t, fmt.Sprintf("ALTER ROLE %q NOLOGIN", name))
	for _, more := range []map[string]any{nil, {"probe_addresses": []string{refusing.address()}}} {
		p := open(t, server.SuperURL(), more)
		wantVerdict(t, p, name, "right", provider.Disabled, "28000")
		wantVerdict(t, p, name, "wrong", provider.Refused, "28P01")
	}
}
