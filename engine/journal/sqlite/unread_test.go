package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
)

// Nothing is written, or said to be, on the strength of what could not be read,
// even where a damaged state would take the write.
func TestWhatCannotBeReadIsNotWrittenAbout(t *testing.T) {
	const overflow = "abs(-9223372036854775808)"
	for _, tc := range []struct {
		call    string
		changes []string
	}{
		{"open", []string{
			"ALTER TABLE run RENAME TO t", "CREATE VIEW run AS SELECT n, " + overflow + " AS id, " + overflow + " AS plan_id, plan_digest, operator, opened_at FROM t",
			"CREATE TRIGGER t1 INSTEAD OF INSERT ON run BEGIN SELECT 1; END",
			"DROP TABLE run_body", "CREATE TABLE run_body (run, plan, meta)",
		}},
		{"erase", []string{"UPDATE sealed_name SET n = 'x'"}},
		{"reseal", []string{"UPDATE sealed_name SET n = 'x'"}},
		{"bundle", []string{
			"ALTER TABLE bundle RENAME TO t", "CREATE VIEW bundle AS SELECT " + overflow + " AS id, run, file, line FROM t",
			"CREATE TRIGGER t1 INSTEAD OF INSERT ON bundle BEGIN SELECT 1; END",
		}},
		{"filed", []string{
			"ALTER TABLE bundle RENAME TO t", "CREATE VIEW bundle AS SELECT 'x' AS seq, id, run, file, line FROM t",
			"CREATE TRIGGER t1 INSTEAD OF INSERT ON bundle BEGIN SELECT 1; END", "CREATE TRIGGER t2 INSTEAD OF DELETE ON bundle BEGIN SELECT 1; END",
		}},
	} {
		j := filled(t, tc.changes...)
		if err := calls[tc.call](t.Context(), j); err == nil || errors.Is(err, journal.ErrNotFound) {
			t.Errorf("%s: %v", tc.call, err)
		}
	}
	path := filepath.Join(t.TempDir(), "s", "state.db")
	if err := filledAt(t, path, "ALTER TABLE run RENAME TO t").Close(); err != nil {
		t.Fatal(err)
	}
	j := open(t, path) // which knows the number of no run
	for _, call := range []string{"erase", "seal", "close"} {
		if err := calls[call](t.Context(), j); err == nil || errors.Is(err, journal.ErrNotFound) {
			t.Errorf("%s, not knowing the run: %v", call, err)
		}
	}
	j = filled(t, "CREATE INDEX memo ON run (operator)") // so that there can be no table of that name
	if err := j.Remember(t.Context(), "k", nil, []byte("v")); err == nil {
		t.Error("it is remembered nowhere")
	}
}
