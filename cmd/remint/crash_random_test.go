//go:build !race

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// randomRounds is how often that is done.
func randomRounds() int {
	if os.Getenv("REMINT_TORTURE") != "" {
		return 200
	}
	return 20
}

// TestCrashesAtRandom kills the program as it is, at moments that nobody chose,
// while it resets 30 users, a key and a certificate side by side, and while it
// resumes.
func TestCrashesAtRandom(t *testing.T) {
	m := newMany(t)
	began := time.Now()
	m.must(t, "apply", "-all", "-auto-approve")
	whole := time.Since(began)
	rounds, killed, unkilled, violations := 0, 0, 0, 0
	for round := range randomRounds() {
		rounds++
		m.keep(t)
		seed := rand.Uint64()
		delay := rand.New(rand.NewPCG(seed, 0))
		reason := []string{"scheduled", "compromised"}[round%2]
		first := m.killed(t, time.Duration(delay.Int64N(int64(whole))), "apply", "-all", "-auto-approve", "-reason="+reason)
		if first {
			killed++
		}
		if again := m.killed(t, time.Duration(delay.Int64N(int64(whole))), "resume"); !first && !again {
			unkilled++
		}
		trail, err := m.until(t, "resume")
		if err == nil {
			err = m.check(t)
		}
		if err != nil { // what the next would begin with is not what it is to be
			violations++
			t.Errorf("round %d (%s, seed %d): %v\n%s", round, reason, seed, err, trail)
			break
		}
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
	figure(t, fmt.Sprintf("crashes at random: rounds of 32 resets, %d killed on the way = %d cases, violations %d, not reached %d", killed, rounds, violations, unkilled))
}

// many is a workspace with 30 users, a key and a certificate.
type many struct {
	dir    string
	worlds []world // each with its files in a folder of its own
}

const users = 30

func newMany(t *testing.T) *many {
	t.Helper()
	m := &many{dir: t.TempDir(), worlds: []world{sshWorld(), x509World()}}
	for _, w := range m.worlds {
		dir := filepath.Join(m.dir, w.name)
		if err := os.MkdirAll(filepath.Join(dir, "old"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.setup(t, dir)
		if err := os.RemoveAll(filepath.Join(dir, "main.remint.hcl")); err != nil {
			t.Fatal(err)
		}
	}
	run(t, m.dir, "htpasswd", "-bcB", "site", "other", "others")
	for i := range users {
		run(t, m.dir, "htpasswd", "-bB", "site", user(i), "old-secret")
		write(t, m.dir, map[string]string{user(i): "old-secret", user(i) + ".old": ""})
	}
	write(t, m.dir, map[string]string{"main.remint.hcl": manyHCL})
	m.must(t, "init", "-bare")
	return m
}

func user(i int) string { return fmt.Sprintf("u%02d", i) }

// keep remembers what the stores hold.
func (m *many) keep(t *testing.T) {
	t.Helper()
	for i := range users {
		write(t, m.dir, map[string]string{user(i) + ".old": string(readFile(filepath.Join(m.dir, user(i))))})
	}
	for _, w := range m.worlds {
		from := map[string]string{"x509_certificate": "store-certificate"}[w.name]
		if from == "" {
			from = "store"
		}
		dir := filepath.Join(m.dir, w.name)
		write(t, dir, map[string]string{"old/secret": string(readFile(filepath.Join(dir, from)))})
	}
}

// must runs remint until it has finished.
func (m *many) must(t *testing.T, args ...string) {
	t.Helper()
	if trail, err := m.until(t, args...); err != nil {
		t.Fatalf("%v\n%s", err, trail)
	}
}

// until runs remint until it has finished, five times at most.
func (m *many) until(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var trail strings.Builder
	for range 5 {
		out, code := child(m.dir, nil, args...)
		fmt.Fprintf(&trail, "$ remint %s: exit %d\n%s", strings.Join(args, " "), code, out)
		if code == 0 {
			return trail.String(), nil
		}
	}
	return trail.String(), errors.New("it never finishes")
}

// killed runs remint, kills it after a while, and reports whether it was still
// at work.
func (m *many) killed(t *testing.T, after time.Duration, args ...string) bool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS=")
	out, err := cmd.CombinedOutput()
	if ctx.Err() == nil && err != nil {
		t.Fatalf("remint %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return err != nil
}

// check holds every credential against the promises: all were reset, or, where
// the run never opened, none.
func (m *many) check(t *testing.T) error {
	t.Helper()
	untouched := 0
	for i := range users {
		now, old := string(readFile(filepath.Join(m.dir, user(i)))), string(readFile(filepath.Join(m.dir, user(i)+".old")))
		if now == old {
			untouched++
		} else if succeeds(m.dir, "htpasswd", "-vb", "site", user(i), old) {
			return fmt.Errorf("%s: the old password still works", user(i))
		}
		if !succeeds(m.dir, "htpasswd", "-vb", "site", user(i), now) {
			return fmt.Errorf("%s: what the store holds does not work", user(i))
		}
	}
	for _, w := range m.worlds {
		dir := filepath.Join(m.dir, w.name)
		old, stored := w.works(t, dir)
		if !stored {
			return fmt.Errorf("%s: what the store holds does not work", w.name)
		}
		if old {
			untouched++
		}
		if err := w.intact(t, dir, ""); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if untouched != 0 && untouched != users+len(m.worlds) {
		return fmt.Errorf("%d of %d were not reset", untouched, users+len(m.worlds))
	}
	if lines := strings.Count(strings.TrimSpace(string(readFile(filepath.Join(m.dir, "site")))), "\n") + 1; lines != users+1 {
		return fmt.Errorf("the file has %d lines, not %d", lines, users+1)
	}
	if out, code := child(m.dir, nil, "evidence", "verify"); code != 0 {
		return fmt.Errorf("evidence verify exits %d: %s", code, out)
	}
	if !succeeds(m.dir, "htpasswd", "-vb", "site", "other", "others") {
		return errors.New("another user's line was touched")
	}
	return (&crash{dir: m.dir}).forgotten()
}

const manyHCL = `provider "htpasswd" "site" {
  file        = "site"
  environment = "test"
}
provider "ssh" "host" {
  authorized_keys = "ssh_authorized_key/authorized_keys"
  environment     = "test"
}
provider "x509" "ca" {
  certificate = "x509_certificate/ca.pem"
  private_key = "x509_certificate/ca.key"
  crl         = "x509_certificate/ca.crl"
  environment = "test"
}
credential "htpasswd_user" "team" {
  for_each = { for n in range(30) : format("u%02d", n) => n }
  provider = htpasswd.site
  user     = each.key
  owner    = "owner@example.com"
  store "file" "f" { path = each.key }
}
credential "ssh_authorized_key" "x" {
  provider = ssh.host
  comment  = "ci@example.com"
  owner    = "owner@example.com"
  store "file" "f" {
    path  = "ssh_authorized_key/store"
    field = "private_key"
  }
}
credential "x509_certificate" "x" {
  provider    = x509.ca
  common_name = "api.internal"
  owner       = "owner@example.com"
  store "file" "c" {
    path  = "x509_certificate/store-certificate"
    field = "certificate"
  }
  store "file" "f" {
    path  = "x509_certificate/store"
    field = "private_key"
  }
}
`
