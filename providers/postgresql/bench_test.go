package postgresql_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/pgtest"
)

// BenchmarkReset is one honest reset through the provider: set, end the
// sessions, see the new password accepted and the old one refused. Compare
// with BenchmarkFloor; both run on a server that waits for its disk.
func BenchmarkReset(b *testing.B) {
	s := pgtest.New(b, pgtest.Options{Settings: map[string]string{"fsync": "on", "log_statement": "none", "log_connections": "off"}})
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			p := open(b, s.SuperURL(), nil)
			resets(b, s, workers, func(ctx context.Context, role, old, new string) error {
				m := provider.Mutation{Credential: credential(role), Label: new, Fence: 1}
				a, err := p.(provider.Setter).Set(ctx, m, material(new))
				if err != nil {
					return err
				}
				if _, err := p.(provider.SessionEnder).EndSessions(ctx, m, a.At); err != nil {
					return err
				}
				if got, err := p.Probe(ctx, m.Credential, material(new)); err != nil || got.Verdict != provider.Accepted {
					return fmt.Errorf("the new password: %+v, %w", got, err)
				}
				if got, err := p.Probe(ctx, m.Credential, material(old)); err != nil || got.Verdict != provider.Refused {
					return fmt.Errorf("the old password: %+v, %w", got, err)
				}
				return nil
			})
		})
	}
}

// BenchmarkFloor is the same in bare SQL, with nothing for safety: the server
// makes the verifier, no fence, no waiting.
func BenchmarkFloor(b *testing.B) {
	s := pgtest.New(b, pgtest.Options{Settings: map[string]string{"fsync": "on", "log_statement": "none", "log_connections": "off"}})
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			admins := make(chan *pgx.Conn, workers)
			for range workers {
				admins <- connect(b, s.SuperURL())
			}
			resets(b, s, workers, func(ctx context.Context, role, old, new string) error {
				c := <-admins
				defer func() { admins <- c }()
				if _, err := c.Exec(ctx, fmt.Sprintf("ALTER ROLE %q LOGIN PASSWORD '%s'", role, new)); err != nil {
					return err
				}
				if _, err := c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role); err != nil {
					return err
				}
				accepted, err := pgconn.Connect(ctx, s.URL(role, new))
				if err != nil {
					return err
				}
				_ = accepted.Close(ctx)
				if _, err := pgconn.Connect(ctx, s.URL(role, old)); err == nil {
					return fmt.Errorf("the old password is accepted")
				}
				return nil
			})
		})
	}
}

func resets(b *testing.B, s *pgtest.Server, workers int, reset func(ctx context.Context, role, old, new string) error) {
	admin := connect(b, s.SuperURL())
	roles := make(chan [2]string, 4*workers)
	for i := range cap(roles) {
		name := fmt.Sprintf("role_%d_%s", i, rand.Text())
		if _, err := admin.Exec(context.Background(), fmt.Sprintf("CREATE ROLE %q LOGIN PASSWORD 'first'", name)); err != nil {
			b.Fatal(err)
		}
		roles <- [2]string{name, "first"}
	}
	jobs, failed := make(chan int), make(chan error, workers)
	start := time.Now()
	b.ResetTimer()
	for range workers {
		go func() {
			var failure error
			for range jobs {
				r, new := <-roles, rand.Text()
				if err := reset(context.Background(), r[0], r[1], new); err != nil {
					failure = err
				}
				roles <- [2]string{r[0], new}
			}
			failed <- failure
		}()
	}
	for i := range b.N {
		jobs <- i
	}
	close(jobs)
	for range workers {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "resets/s")
}
