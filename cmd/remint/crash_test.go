//go:build !race

// The children would be built with the race detector too, and take ten times as
// long: `make unit` runs these without it.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/internal/pgtest"
)

var ways = []string{killBefore, killAfter, failBefore, failAfter, interrupt, interruptTwo}

// world is one credential of a type, with the means to look at it from outside.
type world struct {
	name string
	// files are laid down in a fresh workspace; hcl declares provider and credential.
	hcl string
	// setup makes the target and gives the old secret.
	setup func(t *testing.T, dir string)
	// works reports whether the old secret (as setup left it in old/) and the
	// stored one authenticate, by independent means.
	works func(t *testing.T, dir string) (old, stored bool)
	// intact reports what else is wrong at the target: others' entries, orphans.
	intact func(t *testing.T, dir string) error
}

func TestCrashes(t *testing.T) {
	server := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none"}})
	worlds := []world{htpasswdWorld(), sshWorld(), x509World(), postgresqlWorld(server)}
	var mu sync.Mutex
	operations, cases, violations := map[string]bool{}, 0, 0
	t.Run("all", func(t *testing.T) {
		for _, w := range worlds {
			for _, reason := range []string{"scheduled", "compromised", "offboarding"} {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					ops := enumerate(t, w, reason)
					broken := map[string]bool{}
					for i, op := range ops {
						for _, way := range waysFor(op, i) {
							broken[op] = true
							err := breakAt(t, w, reason, i+1, way)
							mu.Lock()
							cases++
							if err != nil {
								violations++
							}
							mu.Unlock()
							if err != nil {
								t.Errorf("%s %s, operation %d (%s), %s: %v", w.name, reason, i+1, op, way, err)
							}
						}
					}
					mu.Lock()
					defer mu.Unlock()
					for _, op := range ops {
						operations[kind(op)] = true
						if !broken[op] {
							t.Errorf("operation %s is covered by no case", op)
						}
					}
				})
			}
		}
	})
	names := make([]string, 0, len(operations))
	for n := range operations {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Printf("crash enumeration: %d kinds of operation (%s), %d cases, %d violations\n", len(names), strings.Join(names, " "), cases, violations)
}

// kind is an operation's name without what it is about.
func kind(op string) string { name, _, _ := strings.Cut(op, " "); return name }

// waysFor gives the ways to break an operation. `make torture` breaks each in
// every way that shows something; make test breaks each in one, and in all of them over
// the operations of a kind.
func waysFor(op string, i int) []string {
	var out []string
	for _, way := range ways {
		if !skipped(op, way) {
			out = append(out, way)
		}
	}
	if os.Getenv("REMINT_TORTURE") != "" || len(out) == 0 {
		return out
	}
	return []string{out[i%len(out)]}
}

// skipped leaves out what would show nothing: reads have no effect to lose.
func skipped(op, way string) bool {
	switch kind(op) {
	case "provider.Inspect", "provider.Probe", "provider.Control", "provider.Identity", "store.Get", "store.Check", "store.Holds":
		return way == killAfter || way == failAfter || way == interrupt || way == interruptTwo
	case "journal.Append", "journal.Open", "journal.Acquire", "journal.Release":
		return way == failBefore || way == failAfter // a journal that fails is poisoned: that has its own test
	}
	return false
}

// enumerate runs a reset unbroken and lists its operations.
func enumerate(t *testing.T, w world, reason string) []string {
	t.Helper()
	dir := fresh(t, w)
	log := filepath.Join(dir, "operations")
	if out, code := child(dir, []string{"REMINT_TEST_LOG=" + log}, "apply", "-auto-approve", "-reason="+reason, "-all"); code != 0 {
		t.Fatalf("unbroken: exit %d\n%s", code, out)
	}
	if err := finished(t, w, reason, dir); err != nil {
		t.Fatalf("unbroken: %v", err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// fresh lays down a workspace with a target that works.
func fresh(t *testing.T, w world) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "w")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.setup(t, dir)
	hcl := strings.ReplaceAll(w.hcl, "ROLE", roleOf(dir))
	if err := os.WriteFile(filepath.Join(dir, "main.remint.hcl"), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := child(dir, nil, "init", "-bare"); code != 0 {
		t.Fatalf("init: %s", out)
	}
	return dir
}

// child runs this program as remint.
func child(dir string, env []string, args ...string) (string, int) {
	exe, err := os.Executable()
	if err != nil {
		return err.Error(), -1
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // it says where it hangs
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS="), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		return err.Error(), -1
	}
	return string(out), 0
}

// breakAt breaks the nth operation of a reset, finishes it, and checks the
// promises from outside.
func breakAt(t *testing.T, w world, reason string, n int, way string) error {
	t.Helper()
	dir := fresh(t, w)
	defer os.RemoveAll(dir)
	out, code := child(dir, []string{"REMINT_TEST_BREAK=" + strconv.Itoa(n) + ":" + way}, "apply", "-auto-approve", "-reason="+reason, "-all")
	if code == 0 {
		if err := finished(t, w, reason, dir); err != nil {
			return fmt.Errorf("it exited 0, but %w\n%s", err, out)
		}
		return nil
	}
	if reason == "scheduled" {
		if err := recoverable(t, w, dir); err != nil {
			return fmt.Errorf("right after: %w\n%s", err, out)
		}
	}
	if code == 1 || code == 3 || code == 4 || code == 5 {
		if old, _ := w.works(t, dir); !old {
			return fmt.Errorf("exit %d promises that nothing changed, but the old one is dead\n%s", code, out)
		}
	}
	var trail []string
	for try := range 6 {
		r, rc := child(dir, nil, "resume")
		trail = append(trail, fmt.Sprintf("resume: exit %d\n%s", rc, r))
		if rc == 0 {
			break
		}
		if try == 5 {
			return fmt.Errorf("resume never finishes\n%s\n%s", out, strings.Join(trail, ""))
		}
	}
	if err := finished(t, w, reason, dir); err == nil {
		return ended(dir, trail)
	}
	// The run never opened, or ended without a change: then it can be asked for again.
	if old, _ := w.works(t, dir); !old {
		return fmt.Errorf("resume exits 0, but %w\n%s\n%s", finished(t, w, reason, dir), out, strings.Join(trail, ""))
	}
	if r, rc := child(dir, nil, "apply", "-auto-approve", "-reason="+reason, "-all"); rc != 0 {
		return fmt.Errorf("applied again: exit %d\n%s\n%s%s", rc, out, strings.Join(trail, ""), r)
	}
	if err := finished(t, w, reason, dir); err != nil {
		return fmt.Errorf("applied again: %w\n%s", err, out)
	}
	return nil
}

// ended checks that a finished run leaves nothing to do.
func ended(dir string, trail []string) error {
	before, err := os.ReadFile(filepath.Join(dir, "notices.jsonl"))
	if err != nil || !bytes.Contains(before, []byte(`"finished"`)) {
		return fmt.Errorf("nobody was told\n%s", strings.Join(trail, ""))
	}
	if out, code := child(dir, nil, "resume"); code != 0 || !strings.Contains(out, "Nothing is open") {
		return fmt.Errorf("resuming again: exit %d\n%s", code, out)
	}
	return nil
}

// finished checks what must be true once a reset is done.
func finished(t *testing.T, w world, reason, dir string) error {
	t.Helper()
	old, stored := w.works(t, dir)
	switch {
	case old:
		return errors.New("the old secret still works")
	case reason == "offboarding" && stored:
		return errors.New("a store still holds a secret that works")
	case reason != "offboarding" && !stored:
		return errors.New("what the store holds does not work")
	}
	if err := w.intact(t, dir); err != nil {
		return err
	}
	if out, code := child(dir, nil, "evidence", "verify"); code != 0 {
		return fmt.Errorf("evidence verify exits %d: %s", code, out)
	}
	out, code := child(dir, nil, "recover", "-out="+filepath.Join(dir, "recovered"), "credential."+w.name+".x")
	if code == 0 || !strings.Contains(out, "Nothing is sealed") {
		return fmt.Errorf("a secret stayed sealed although the stores have it: exit %d, %s", code, out)
	}
	return nil
}

// recoverable checks that some secret that works is in the store or can be
// taken out of the sealed state.
func recoverable(t *testing.T, w world, dir string) error {
	t.Helper()
	if old, stored := w.works(t, dir); old || stored {
		return nil
	}
	out, code := child(dir, nil, "recover", "-field="+map[bool]string{true: "value", false: "private_key"}[w.name == "htpasswd_user" || w.name == "postgresql_role"],
		"-out="+filepath.Join(dir, "recovered"), "credential."+w.name+".x")
	if code != 0 {
		return fmt.Errorf("no secret that works is anywhere: %s", out)
	}
	defer os.Remove(filepath.Join(dir, "recovered"))
	saved, err := os.ReadFile(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(dir, "recovered"))
	if err != nil {
		return err
	}
	defer func() { _ = os.WriteFile(filepath.Join(dir, "store"), saved, 0o600) }()
	if err := os.WriteFile(filepath.Join(dir, "store"), b, 0o600); err != nil {
		return err
	}
	if _, stored := w.works(t, dir); !stored {
		return errors.New("what is sealed does not work, nor does anything else")
	}
	return nil
}

func roleOf(dir string) string { return "r" + filepath.Base(filepath.Dir(dir)) + filepath.Base(dir) }

func postgresqlWorld(s *pgtest.Server) world {
	login := func(dir, file string) bool {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || len(b) == 0 {
			return false
		}
		c, err := pgx.Connect(context.Background(), s.URL(roleOf(dir), string(b)))
		if err != nil {
			return false
		}
		_ = c.Close(context.Background())
		return true
	}
	admin := func(t *testing.T, q string) {
		t.Helper()
		c, err := pgx.Connect(context.Background(), s.SuperURL())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
	return world{
		name: "postgresql_role",
		hcl: `provider "postgresql" "main" {
  url         = "` + s.SuperURL() + `"
  environment = "test"
}
credential "postgresql_role" "x" {
  provider = postgresql.main
  role     = "ROLE"
  owner    = "owner@example.com"
  store "file" "f" { path = "store" }
}
`,
		setup: func(t *testing.T, dir string) {
			admin(t, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'old-secret'", pgx.Identifier{roleOf(dir)}.Sanitize()))
			write(t, dir, map[string]string{"store": "old-secret", "old/secret": "old-secret"})
		},
		works:  func(_ *testing.T, dir string) (bool, bool) { return login(dir, "old/secret"), login(dir, "store") },
		intact: func(*testing.T, string) error { return nil },
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func succeeds(dir, name string, args ...string) bool {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd.Run() == nil
}

func htpasswdWorld() world {
	verify := func(dir, file string) bool {
		b, err := os.ReadFile(filepath.Join(dir, file))
		return err == nil && succeeds(dir, "htpasswd", "-vb", "site", "u", string(b))
	}
	return world{
		name: "htpasswd_user",
		hcl: `provider "htpasswd" "site" {
  file        = "site"
  environment = "test"
}
credential "htpasswd_user" "x" {
  provider = htpasswd.site
  user     = "u"
  owner    = "owner@example.com"
  store "file" "f" { path = "store" }
  consumer "command" "c" { command = ["/bin/true"] }
}
`,
		setup: func(t *testing.T, dir string) {
			run(t, dir, "htpasswd", "-bcB", "site", "u", "old-secret")
			run(t, dir, "htpasswd", "-bB", "site", "other", "others")
			write(t, dir, map[string]string{"store": "old-secret", "old/secret": "old-secret"})
		},
		works: func(_ *testing.T, dir string) (bool, bool) { return verify(dir, "old/secret"), verify(dir, "store") },
		intact: func(_ *testing.T, dir string) error {
			if !succeeds(dir, "htpasswd", "-vb", "site", "other", "others") {
				return errors.New("another user's line was touched")
			}
			return nil
		},
	}
}

func sshWorld() world {
	listed := func(t *testing.T, dir, file string) bool {
		t.Helper()
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			return false
		}
		fields := strings.Fields(run(t, dir, "ssh-keygen", "-y", "-f", file))
		b, err := os.ReadFile(filepath.Join(dir, "authorized_keys"))
		return err == nil && strings.Contains(string(b), fields[1])
	}
	return world{
		name: "ssh_authorized_key",
		hcl: `provider "ssh" "host" {
  authorized_keys = "authorized_keys"
  environment     = "test"
}
credential "ssh_authorized_key" "x" {
  provider = ssh.host
  comment  = "ci@example.com"
  owner    = "owner@example.com"
  store "file" "f" {
    path  = "store"
    field = "private_key"
  }
}
`,
		setup: func(t *testing.T, dir string) {
			run(t, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ci@example.com", "-f", "old/secret")
			run(t, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "other", "-f", "old/other")
			run(t, dir, "sh", "-c", "cat old/other.pub old/secret.pub > authorized_keys; cp old/secret store")
		},
		works: func(t *testing.T, dir string) (bool, bool) {
			return listed(t, dir, "old/secret"), listed(t, dir, "store")
		},
		intact: func(t *testing.T, dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, "authorized_keys"))
			if err != nil {
				return err
			}
			if n := strings.Count(string(b), "ssh-ed25519"); n > 2 {
				return fmt.Errorf("%d keys are listed: one was left behind\n%s", n, b)
			}
			if !listed(t, dir, "old/other") {
				return errors.New("another key's line was touched")
			}
			return nil
		},
	}
}

func x509World() world {
	valid := func(dir, file string) bool {
		info, err := os.Stat(filepath.Join(dir, file))
		return err == nil && info.Size() > 0 && succeeds(dir, "openssl", "verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "ca.crl", file)
	}
	return world{
		name: "x509_certificate",
		hcl:  x509HCL,
		setup: func(t *testing.T, dir string) {
			run(t, dir, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
				"-subj", "/CN=Test", "-days", "30", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
			write(t, dir, map[string]string{"store": "", "store-certificate": "", "main.remint.hcl": x509HCL})
			if out, code := child(dir, nil, "init", "-bare"); code != 0 {
				t.Fatal(out)
			}
			if out, code := child(dir, nil, "apply", "-all", "-auto-approve"); code != 0 {
				t.Fatal(out)
			}
			run(t, dir, "sh", "-c", "cp store-certificate old/secret; rm -r .remint evidence notices.jsonl")
		},
		works: func(_ *testing.T, dir string) (bool, bool) {
			return valid(dir, "old/secret"), valid(dir, "store-certificate")
		},
		intact: func(t *testing.T, dir string) error {
			// Every certificate in the index but the stored one is revoked.
			b, err := os.ReadFile(filepath.Join(dir, "ca.crl.index.jsonl"))
			if err != nil {
				return err
			}
			revoked := run(t, dir, "openssl", "crl", "-in", "ca.crl", "-noout", "-text")
			alive := 0
			for line := range strings.Lines(string(b)) {
				_, after, ok := strings.Cut(line, `"serial":"`)
				serial, _, _ := strings.Cut(after, `"`)
				if ok && serial != "" && strings.Contains(line, `"label"`) && !strings.Contains(strings.ToLower(strings.ReplaceAll(revoked, ":", "")), strings.TrimLeft(strings.ToLower(serial), "0")) {
					alive++
				}
			}
			if alive > 1 {
				return fmt.Errorf("%d certificates are alive: an orphan was left behind\n%s", alive, b)
			}
			return nil
		},
	}
}

// x509HCL is laid down by setup already: the old certificate is made by remint too.
const x509HCL = `provider "x509" "ca" {
  certificate = "ca.pem"
  private_key = "ca.key"
  crl         = "ca.crl"
  environment = "test"
}
credential "x509_certificate" "x" {
  provider    = x509.ca
  common_name = "api.internal"
  owner       = "owner@example.com"
  store "file" "c" {
    path  = "store-certificate"
    field = "certificate"
  }
  store "file" "f" {
    path  = "store"
    field = "private_key"
  }
}
`
