package postgresql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/providers/postgresql"
)

func TestInspectNotes(t *testing.T) {
	full := open(t, server.SuperURL(), nil)
	bare := role(t, "bare", "x", "")
	for what, c := range map[string]struct {
		p       provider.Provider
		options string
		after   string
		enabled bool
		says    []string
		silent  []string
	}{
		"plain":          {full, "", "", true, nil, []string{"."}},
		"no login":       {full, "NOLOGIN", "", false, []string{"NOLOGIN"}, nil},
		"expired":        {full, "VALID UNTIL '2001-01-01'", "", false, []string{"VALID UNTIL"}, nil},
		"expiring":       {full, "VALID UNTIL '2101-02-03 04:05:06Z'", "", true, []string{"2101-02-03T04:05:06Z"}, nil},
		"never expiring": {full, "VALID UNTIL 'infinity'", "", true, nil, []string{"valid"}},
		"full":           {full, "CONNECTION LIMIT 0", "", true, []string{"CONNECTION LIMIT 0"}, nil},
		"superuser":      {full, "SUPERUSER", "", true, []string{"superuser"}, nil},
		"no password":    {full, "", "ALTER ROLE %q PASSWORD NULL", false, []string{"no password"}, nil},
		"foreign mark":   {full, "", `ALTER ROLE %q SET "remint.fence" = 'x'`, true, []string{"RESET"}, nil},
		"admin without grants": {open(t, admin(t), nil), "", "", true,
			[]string{"unfenced", `GRANT SET ON PARAMETER "remint.fence" TO "admin`, "GRANT pg_read_all_stats, pg_signal_backend TO", "pg_authid"}, []string{"may not change"}},
		"admin with grants": {open(t, admin(t, `GRANT SET ON PARAMETER "remint.fence" TO %q`, `GRANT pg_read_all_stats, pg_signal_backend TO %q`), nil), "", "", true,
			[]string{"pg_authid"}, []string{"GRANT"}},
		"admin and superuser":   {open(t, admin(t), nil), "SUPERUSER", "", true, []string{"may not change", "only a superuser ends"}, nil},
		"admin and replication": {open(t, admin(t), nil), "REPLICATION", "", true, []string{"may not change"}, nil},
		"no admin":              {open(t, server.URL(bare, "x"), nil), "", "", true, []string{"may not change", "CREATEROLE"}, nil},
	} {
		name := role(t, "noted", "x", "")
		if c.options != "" {
			super(t, fmt.Sprintf("ALTER ROLE %q %s", name, c.options))
		}
		if c.after != "" {
			super(t, fmt.Sprintf(c.after, name))
		}
		o := inspect(t, c.p, name)
		notes := strings.Join(o.Notes, "\n")
		if o.Enabled != c.enabled || !o.Exists {
			t.Errorf("%s: Exists %t, Enabled %t, want Enabled %t", what, o.Exists, o.Enabled, c.enabled)
		}
		for _, s := range c.says {
			if !strings.Contains(notes, s) {
				t.Errorf("%s: the notes do not say %q:\n%s", what, s, notes)
			}
		}
		for _, s := range c.silent {
			if strings.Contains(notes, s) {
				t.Errorf("%s: the notes say %q:\n%s", what, s, notes)
			}
		}
	}
}

// The notes' word is checked against the server's own.
func TestNotesAgreeWithTheServer(t *testing.T) {
	granted := open(t, admin(t, `GRANT SET ON PARAMETER "remint.fence" TO %q`), nil)
	name := role(t, "fenced", "x", "")
	if !inspect(t, granted, name).Fenced {
		t.Error("the GRANT in the note does not help")
	}
	a := set(t, granted, mutation(name, 7), "new")
	o := inspect(t, granted, name)
	if len(o.Versions) != 1 || o.Versions[0].ID != a.Version || o.Versions[0].Label == "" {
		t.Errorf("an admin that may not read pg_authid lists %+v, want the mark's %s", o.Versions, a.Version)
	}
	if _, err := granted.(provider.Revoker).Revoke(context.Background(), mutation(name, 8), nil); err != nil {
		t.Fatal(err)
	}
	if o := inspect(t, granted, name); len(o.Versions) != 0 || o.Enabled {
		t.Errorf("after Revoke: %+v", o)
	}
}

func TestInspectOwnLoginAndLeftovers(t *testing.T) {
	name := role(t, "own", "x", "SUPERUSER")
	p := open(t, server.URL(name, "x"), nil)
	if o := inspect(t, p, name); o.InUseBy != "postgresql.main" {
		t.Errorf("InUseBy is %q for the provider's own login", o.InUseBy)
	}
	other := role(t, "leftover", "x", "")
	c := connect(t, server.URL(other, "x"))
	for _, sql := range []string{"BEGIN", "SELECT 1", "PREPARE TRANSACTION '" + other + "'"} {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { super(t, "ROLLBACK PREPARED '"+other+"'") })
	o := inspect(t, p, other)
	if o.InUseBy != "" || !strings.Contains(strings.Join(o.Notes, "\n"), "1 prepared transaction") {
		t.Errorf("%+v", o)
	}
}

func TestBadURLsAreExplainedWithoutTheirPasswords(t *testing.T) {
	for _, url := range []string{"postgres://u:canary@[::1", "nonsense canary", "postgres://u:can%ary@h/d", "postgres://u:canary@h:port/d", "host=h sslrootcert=/no/such/canary password=canary"} {
		_, err := postgresql.New().Open(context.Background(), block(url, nil))
		if provider.ClassOf(err, "") != provider.Permanent || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
	}
	for url, says := range map[string]string{
		server.URL("postgres", "wrong-canary"):                                   "28P01",
		server.URL("no such login", "canary"):                                    "28P01",
		strings.Replace(server.SuperURL(), "/postgres?", "/nowhere?", 1):         "3D000",
		strings.Replace(server.SuperURL(), ":"+server.SuperPassword+"@", "@", 1): "has none",
	} {
		_, err := open(t, url, nil).Inspect(context.Background(), credential("x"))
		if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), server.SuperPassword) {
			t.Errorf("%v, want a Permanent error that says %q", err, says)
		}
	}
}

// What a login cannot read must not look like what is not there.
func TestUnreadableVersionsAreUnlisted(t *testing.T) {
	ctx := context.Background()
	superuser, unfenced := open(t, server.SuperURL(), nil), open(t, admin(t), nil)
	fenced := open(t, admin(t, `GRANT SET ON PARAMETER "remint.fence" TO %q`), nil)
	reader := open(t, admin(t, `GRANT SELECT ON pg_catalog.pg_authid TO %q`), nil)
	name := role(t, "unlisted", "x", "")
	want := func(when string, p provider.Provider, unlisted bool, versions int) {
		t.Helper()
		o := inspect(t, p, name)
		if o.Unlisted != unlisted || len(o.Versions) != versions {
			t.Errorf("%s: Unlisted %t with %d versions, want %t with %d", when, o.Unlisted, len(o.Versions), unlisted, versions)
		}
	}
	for _, p := range []provider.Provider{unfenced, fenced} {
		want("an admin that may not see pg_authid", p, true, 0)
	}
	for _, p := range []provider.Provider{superuser, reader} {
		want("one that may", p, false, 1)
	}
	set(t, unfenced, mutation(name, 1), "new")
	want("after a Set without a mark", unfenced, true, 0)
	set(t, fenced, mutation(name, 2), "newer")
	want("after a Set with a mark", fenced, false, 1)
	if _, err := fenced.(provider.Revoker).Revoke(ctx, mutation(name, 3), nil); err != nil {
		t.Fatal(err)
	}
	want("after Revoke, when others may have set one again", fenced, true, 0)
	want("the same, seen by one that may read it", superuser, false, 0)
	if o, err := unfenced.Inspect(ctx, credential("no such role")); err != nil || o.Exists || o.Unlisted {
		t.Errorf("a role that is not there: %+v, %v", o, err)
	}
}
