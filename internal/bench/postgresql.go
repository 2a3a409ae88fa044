package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/internal/pgtest"
)

// settle is the server's authentication_timeout in the measurement: each reset
// waits so long, and holds no worker while it does.
const settle = 1 * time.Second

// postgresql measures honest resets (set, end sessions, new accepted, old
// refused, evidence signed) beside the same done in bare SQL and logins.
func (p program) postgresql(ctx context.Context, n int) error {
	server, err := pgtest.Start(ctx, pgtest.Options{Settings: map[string]string{
		"authentication_timeout": fmt.Sprintf("%ds", int(settle.Seconds())), "fsync": "on", "max_connections": "100",
	}})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }()
	admin, err := pgx.Connect(ctx, server.SuperURL())
	if err != nil {
		return errors.New("the server cannot be reached")
	}
	defer admin.Close(ctx)
	for i := range n {
		if _, err := admin.Exec(ctx, fmt.Sprintf("CREATE ROLE role%05d LOGIN PASSWORD 'old%05d'", i, i)); err != nil {
			return errors.New("a role cannot be made")
		}
	}
	floor, err := p.floor(ctx, server, n)
	if err != nil {
		return err
	}
	fmt.Printf("\nPostgreSQL, %d roles, %d at a time, fsync on\n  floor (bare SQL and logins)  %6.1f resets/s\n", n, p.parallelism, floor)
	for i := range n {
		if _, err := admin.Exec(ctx, fmt.Sprintf("ALTER ROLE role%05d PASSWORD 'old%05d'", i, i)); err != nil {
			return errors.New("a role cannot be altered")
		}
	}
	ours, err := p.resets(server, n)
	if err != nil {
		return err
	}
	fmt.Printf("  remint apply                 %6.1f resets/s, %.2f of the floor (each also waits %s for logins begun before)\n", ours, ours/floor, settle)
	return nil
}

// floor is the least that an honest reset takes.
func (p program) floor(ctx context.Context, server *pgtest.Server, n int) (float64, error) {
	jobs := make(chan int)
	errs := make(chan error, p.parallelism)
	var wg sync.WaitGroup
	begun := time.Now()
	for range p.parallelism {
		wg.Go(func() {
			admin, err := pgx.Connect(ctx, server.SuperURL())
			if err != nil {
				errs <- errors.New("the server cannot be reached")
				for range jobs { // let the sender finish
				}
				return
			}
			defer admin.Close(ctx)
			for i := range jobs {
				if err := bare(ctx, server, admin, i); err != nil {
					errs <- err
				}
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}

// bare is one reset by hand.
func bare(ctx context.Context, server *pgtest.Server, admin *pgx.Conn, i int) error {
	role := fmt.Sprintf("role%05d", i)
	login := func(password string) bool {
		c, err := pgx.Connect(ctx, server.URL(role, password))
		if err != nil {
			return false
		}
		_ = c.Close(ctx)
		return true
	}
	old, fresh := fmt.Sprintf("old%05d", i), fmt.Sprintf("new%05d", i)
	if !login(old) {
		return fmt.Errorf("%s: the old password is not accepted before", role)
	}
	if _, err := admin.Exec(ctx, fmt.Sprintf("ALTER ROLE %s LOGIN PASSWORD '%s'", role, fresh)); err != nil {
		return errors.New("a role cannot be altered")
	}
	if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role); err != nil {
		return errors.New("sessions cannot be ended")
	}
	if !login(fresh) || login(old) {
		return fmt.Errorf("%s: the new password is refused, or the old one accepted", role)
	}
	return nil
}

// resets is what remint makes of the same.
func (p program) resets(server *pgtest.Server, n int) (float64, error) {
	dir, err := os.MkdirTemp("", "remint-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	var roles strings.Builder
	roles.WriteString("role\n")
	if err := os.Mkdir(filepath.Join(dir, "app"), 0o700); err != nil {
		return 0, err
	}
	for i := range n {
		fmt.Fprintf(&roles, "role%05d\n", i)
		if err := os.WriteFile(filepath.Join(dir, "app", fmt.Sprintf("role%05d", i)), fmt.Appendf(nil, "old%05d", i), 0o600); err != nil {
			return 0, err
		}
	}
	const main = `variable "admin_url" {
  type      = string
  sensitive = true
}
provider "postgresql" "main" {
  url         = var.admin_url
  environment = "test"
}
credential "postgresql_role" "app" {
  for_each = toset([for row in csvdecode(file("roles.csv")) : row.role])
  provider = postgresql.main
  role     = each.key
  owner    = "owner@example.com"
  store "file" "app" { path = "app/${each.key}" }
}
`
	for name, content := range map[string]string{"main.remint.hcl": main, "roles.csv": roles.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return 0, err
		}
	}
	if _, err := p.measure(dir, nil, "init", "-bare"); err != nil {
		return 0, err
	}
	env := []string{"REMINT_VAR_admin_url=" + server.SuperURL()}
	u, err := p.measure(dir, env, "apply", "-all", "-auto-approve", fmt.Sprintf("-parallelism=%d", p.parallelism))
	if err != nil {
		return 0, err
	}
	return float64(n) / u.wall.Seconds(), nil
}
