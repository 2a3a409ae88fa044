package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

// lists call a list, and say how much it gave before it failed or ended.
var lists = map[string]func(context.Context, journal.Journal) (int, error){
	"runs": func(ctx context.Context, j journal.Journal) (int, error) { l, err := j.Runs(ctx); return len(l), err },
	"records": func(ctx context.Context, j journal.Journal) (n int, last error) {
		for _, err := range j.Records(ctx, "r", "*") {
			if last = err; err == nil {
				n++
			}
		}
		return n, last
	},
	"unfiled": func(ctx context.Context, j journal.Journal) (n int, last error) {
		for _, err := range j.Unfiled(ctx, "") {
			if last = err; err == nil {
				n++
			}
		}
		return n, last
	},
	"secrets": func(ctx context.Context, j journal.Journal) (int, error) {
		l, err := j.Secrets(ctx, "")
		return len(l), err
	},
	"credentials": func(ctx context.Context, j journal.Journal) (int, error) {
		l, err := j.Credentials(ctx)
		return len(l), err
	},
}

// twice puts a second row into every table that is listed.
func twice(t *testing.T, j journal.Journal) {
	t.Helper()
	err := errors.Join(j.Open(t.Context(), journal.Run{ID: "r2", PlanID: "p2"}), j.Append(t.Context(), &journal.Batch{
		Records: []journal.Record{{Run: "r", Address: "a", Step: "s2", Kind: journal.Done}, {Run: "r2", Kind: journal.Note}},
		Seal:    []journal.Sealed{{Run: "r2", Address: "a", Name: "old", Ciphertext: []byte("y")}},
		Bundles: []journal.Bundle{{ID: "b2", Run: "r2", File: "f", Line: []byte("l")}}, Finished: []journal.Finished{{Address: "b", Run: "r2"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// A list that cannot be read to its end is an error, and not a shorter list.
func TestListsAreWhole(t *testing.T) {
	const overflow = "abs(-9223372036854775808)"
	for name, tc := range map[string]struct{ table, columns string }{
		"runs":        {"run", "n, id, plan_id, plan_digest, operator, CASE n WHEN 1 THEN BAD ELSE opened_at END AS opened_at, closed_at, outcome"},
		"records":     {"record", "seq, run, address, CASE seq WHEN 2 THEN BAD ELSE step END AS step, kind, attempt, at, data"},
		"unfiled":     {"bundle", "seq, id, run, CASE seq WHEN 2 THEN BAD ELSE file END AS file, line"},
		"secrets":     {"sealed_name", "run, address, CASE run WHEN 2 THEN BAD ELSE name END AS name, n"},
		"credentials": {"credential", "address, run, at, CASE address WHEN 'b' THEN BAD ELSE proof END AS proof, version, mode, generation"},
	} {
		for _, bad := range []string{overflow, "NULL"} {
			path := filepath.Join(t.TempDir(), "s", "state.db")
			j := filledAt(t, path)
			twice(t, j)
			if n, err := lists[name](t.Context(), j); n != 2 || err != nil {
				t.Fatalf("%s: %d, %v", name, n, err)
			}
			byHand(t, path, "ALTER TABLE "+tc.table+" RENAME TO t", "CREATE VIEW "+tc.table+" AS SELECT "+strings.ReplaceAll(tc.columns, "BAD", bad)+" FROM t")
			if _, err := lists[name](t.Context(), j); err == nil || errors.Is(err, journal.ErrNotFound) {
				t.Errorf("%s with %s: %v", name, bad, err)
			}
		}
	}
}

// A list of one run's, or of one address's, has nothing of another's, in order.
func TestListsOfOne(t *testing.T) {
	j := filled(t)
	twice(t, j)
	ctx := t.Context()
	for run, want := range map[string][]journal.Sealed{"r": {{Run: "r", Address: "a", Name: "old"}}, "r2": {{Run: "r2", Address: "a", Name: "old"}}, "r3": nil} {
		got, err := j.Secrets(ctx, run)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("secrets of %s: %v %s", run, err, d)
		}
	}
	for run, want := range map[string]string{"r": "b", "r2": "b2", "r3": "", "": "b b2"} {
		var got []string
		for b, err := range j.Unfiled(ctx, run) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("unfiled of %q: %v", run, got)
		}
	}
	for of, want := range map[[2]string]string{{"r", "*"}: "s s2", {"r", "a"}: "s s2", {"r", "b"}: "", {"r", ""}: "", {"r2", "*"}: "", {"r2", ""}: "", {"r3", "*"}: ""} {
		var got []string
		for r, err := range j.Records(ctx, of[0], of[1]) {
			if err != nil || r.Run != of[0] {
				t.Fatal(r, err)
			}
			got = append(got, r.Step)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("records of %q: %q", of, got)
		}
	}
	n := 0
	for _, err := range j.Records(ctx, "r", "*") {
		if err == nil {
			n++
		}
		break
	}
	for _, err := range j.Unfiled(ctx, "") {
		if err == nil {
			n++
		}
		break
	}
	if n != 2 {
		t.Error("lists that were stopped went on")
	}
}
