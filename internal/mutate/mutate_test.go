package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOutcomes builds a small package with all its mutants and compares what
// becomes of each with what has to.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	s, err := load("./testdata/sample", nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLab(context.Background(), s, 2, reach{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.patience = time.Second
	if err := l.tryAll(context.Background(), 2, func(*mutant) {}); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, m := range s.mutants {
		got.WriteString(string(m.Outcome) + "\t" + strings.TrimPrefix(m.Key, "internal/mutate/testdata/sample sample.go ") + " → " + m.After + "\n")
	}
	golden := filepath.Join("testdata", "sample.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("UPDATE=1 writes it anew; look at what changed\n%s", d)
	}
}

func TestOnlyNamedFiles(t *testing.T) {
	t.Parallel()
	if s, err := load("./testdata/sample", []string{"sample.go"}); err != nil || s.full || len(s.mutants) == 0 {
		t.Error(err)
	}
	if _, err := load("./testdata/sample", []string{"sample.go", "other.go"}); err == nil || !strings.Contains(err.Error(), "other.go") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want map[string]string
		err  string
	}{
		"a reason":          {"# said\n\np f.go F: drop `a -- b` -- it is\n", map[string]string{"p f.go F: drop `a -- b`": "it is"}, ""},
		"none":              {"p f.go F: drop `a`\n", nil, "no reason"},
		"an empty one":      {"\np f.go F: drop `a` -- \n", nil, ":2: no reason"},
		"nothing in it yet": {"", map[string]string{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "equivalent.txt")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readReasons(path)
			if d := cmp.Diff(test.want, got); d != "" || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v\n%s", err, d)
			}
		})
	}
}
