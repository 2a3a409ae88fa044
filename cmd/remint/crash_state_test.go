//go:build !race

package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/remint-dev/remint/internal/pgtest"
)

// stateServer is a server for states, with room for many runners.
func stateServer(t *testing.T) *pgtest.Server {
	t.Helper()
	return pgtest.New(t, pgtest.Options{Settings: map[string]string{"log_statement": "none", "max_connections": "300"}})
}

// onPostgreSQL is w with its state in PostgreSQL, in a schema of its own for each
// case. url is how remint gets there, direct how this test does.
func onPostgreSQL(w world, url, direct string) world {
	w.hcl = fmt.Sprintf("remint {\n  state \"postgresql\" {\n    url    = %q\n    schema = \"ROLE\"\n  }\n}\n", url) + w.hcl
	w.state = &stateOf{direct: direct, fenced: w.name == "postgresql_role"}
	return w
}

// TestCrashesWithSharedState is the enumeration over a state in PostgreSQL: one
// type in one mode in `make test`, all of it in `make torture`.
func TestCrashesWithSharedState(t *testing.T) {
	s := stateServer(t)
	worlds, modes := crashWorlds(t), reasons
	if os.Getenv("REMINT_TORTURE") == "" {
		worlds, modes = worlds[:1], []string{"compromised"}
	}
	for i := range worlds {
		worlds[i] = onPostgreSQL(worlds[i], s.SuperURL(), s.SuperURL())
	}
	enumerateCrashes(t, "calls, state in PostgreSQL", worlds, modes, 1)
}
