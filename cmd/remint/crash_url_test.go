//go:build !race

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/remint-dev/remint/internal/pgtest"
)

// A resume with a wrong URL changes nothing, and takes nothing away: the run stays open,
// its evidence is sound when a resume with the right one has finished it.
func TestResumeWithAWrongURL(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s"}})
	w := postgresqlWorld(t, s)
	w.hcl = strings.Replace(w.hcl, `"`+s.SuperURL()+`"`, "var.url", 1) + "variable \"url\" {\n  type      = string\n  sensitive = true\n}\n"
	t.Setenv("REMINT_VAR_url", s.SuperURL())
	c := newCase(t, w, prepared(t, w), "scheduled")
	limit := func(n int) {
		t.Helper()
		conn, err := connected(context.Background(), s.SuperURL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", roleOf(c.dir), n)); err != nil {
			t.Fatal(err)
		}
	}
	limit(0) // the old secret gets no clear answer, and is tried again
	if out, code := c.apply(killBefore + " provider.Probe#2"); code != -1 {
		t.Fatalf("it lives: exit %d\n%s", code, out)
	}
	t.Setenv("REMINT_VAR_url", s.SuperURL()+"&sslrootcert=/nowhere/ca.pem")
	for range 2 {
		if out, code := c.child("", "resume"); code != 1 || !strings.Contains(flat(out), "file that cannot be read") {
			t.Errorf("with a wrong URL: exit %d\n%s", code, out)
		}
		if out, code := c.child("", "evidence", "verify"); code != 1 || !strings.Contains(out, "the run is open") || strings.Contains(out, "closing record") {
			t.Errorf("evidence verify: exit %d\n%s", code, out)
		}
	}
	limit(-1)
	t.Setenv("REMINT_VAR_url", s.SuperURL())
	if out, code := c.child("", "resume"); code != 0 {
		t.Errorf("with the right one: exit %d\n%s", code, out)
	}
	if err := c.finished(t); err != nil {
		t.Error(err)
	}
}
