package postgresql_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/journaltest"
	"github.com/remint-dev/remint/engine/journal/postgresql"
	"github.com/remint-dev/remint/internal/pgtest"
)

// TestMain lets a test be a process of its own that holds a run (see holder_test.go).
func TestMain(m *testing.M) {
	if os.Getenv("JOURNAL_TEST_URL") != "" {
		hold()
		return
	}
	os.Exit(m.Run())
}

var schemas atomic.Int64

// fresh names a schema that nobody has used.
func fresh() string { return fmt.Sprintf("state_%d", schemas.Add(1)) }

func open(t testing.TB, url, schema string) journal.Journal {
	t.Helper()
	j, err := postgresql.Open(context.Background(), url, postgresql.Options{Schema: schema, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestConformance(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	var mu sync.Mutex
	names := map[*testing.T]string{}
	journaltest.Run(t, func(t *testing.T) journal.Journal {
		mu.Lock()
		defer mu.Unlock()
		if names[t] == "" {
			names[t] = fresh()
		}
		return open(t, s.SuperURL(), names[t])
	})
}

func BenchmarkAppend(b *testing.B) {
	s := pgtest.New(b, pgtest.Options{Settings: map[string]string{"fsync": "on", "log_statement": "none"}})
	journaltest.Benchmark(b, func(b *testing.B) journal.Journal { return open(b, s.SuperURL(), fresh()) })
}
