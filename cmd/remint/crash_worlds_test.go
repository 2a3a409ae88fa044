//go:build !race

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/remint-dev/remint/internal/pgtest"
)

// world is one credential of a type, with the means to look at it from outside.
type world struct {
	name string
	// hcl declares provider and credential.
	hcl string
	// setup makes what a case gets a copy of, with the old secret in old/; each
	// makes what cannot be copied.
	setup, each func(t *testing.T, dir string)
	// stores are the files that hold the secret, with the field that each takes.
	stores map[string]string
	// prefix is what stands before the secret in a store.
	prefix string
	// works reports whether the old secret (as setup left it in old/) and the
	// stored one authenticate, by independent means.
	works func(t *testing.T, dir string) (old, stored bool)
	// intact reports what else is wrong at the target: others' entries, orphans.
	intact func(t *testing.T, dir, reason string) error
	// state looks into a state that is not in a file; nil where it is.
	state *stateOf
	// target is all that there is at the target, to see whether it changed.
	target func(t *testing.T, dir string) string
	// accepted names the secrets of the credential that the target takes, by what it
	// keeps of each; nil where the journal alone says that a new one is known.
	accepted func(t *testing.T, dir string) []string
}

func roleOf(dir string) string { return "r" + filepath.Base(dir) }

// files is the content of files, as one text.
func files(dir string, names ...string) string {
	var out strings.Builder
	for _, n := range names {
		fmt.Fprintf(&out, "%s\n%s\n", n, readFile(filepath.Join(dir, n)))
	}
	return out.String()
}

func postgresqlWorld(t *testing.T, s *pgtest.Server) world {
	t.Helper()
	login := func(dir, file string) bool {
		_, password, ok := strings.Cut(string(readFile(filepath.Join(dir, file))), "PASSWORD=")
		password = strings.Trim(strings.TrimSpace(password), `"'`)
		if !ok || password == "" {
			return false
		}
		return admits(s.URL(roleOf(dir), password))
	}
	// ask runs q as the superuser and gives its one value, if it has one.
	ask := func(t *testing.T, q string) (answer string) {
		t.Helper()
		c, err := connected(context.Background(), s.SuperURL())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if err := c.QueryRow(context.Background(), q).Scan(&answer); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
		return answer
	}
	row := func(role string) string {
		return "SELECT concat_ws(' ', rolname, rolcanlogin, rolsuper, rolpassword, rolvaliduntil) FROM pg_authid WHERE rolname = '" + role + "'"
	}
	ask(t, "CREATE ROLE bystander LOGIN PASSWORD 'others'")
	bystander := ask(t, row("bystander"))
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
  store "file" "f" {
    path   = "store"
    format = "dotenv"
    key    = "PASSWORD"
  }
}
`,
		stores: map[string]string{"store": "value"},
		prefix: "PASSWORD=",
		setup: func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"store": "PASSWORD=old-secret\n", "old/secret": "PASSWORD=old-secret\n"})
		},
		each: func(t *testing.T, dir string) {
			ask(t, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'old-secret'", roleOf(dir)))
		},
		works:  func(_ *testing.T, dir string) (bool, bool) { return login(dir, "old/secret"), login(dir, "store") },
		target: func(t *testing.T, dir string) string { return ask(t, row(roleOf(dir))) },
		accepted: func(t *testing.T, dir string) []string {
			return strings.Fields(ask(t, "SELECT rolpassword FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL AND rolname = '"+roleOf(dir)+"'"))
		},
		intact: func(t *testing.T, dir, reason string) error {
			if ask(t, row("bystander")) != bystander {
				return errors.New("another role was touched")
			}
			if can := ask(t, "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = '"+roleOf(dir)+"'"); can != fmt.Sprint(reason != "offboarding") {
				return fmt.Errorf("whether the role may log in is %q", can)
			}
			return nil
		},
	}
}

// connected logs in to a PostgreSQL server. One that cut the login short, as a busy one
// does whose authentication_timeout is a second, has not answered, and is asked again.
func connected(ctx context.Context, url string) (*pgx.Conn, error) {
	for try := 1; ; try++ {
		c, err := pgx.Connect(ctx, url)
		said := (*pgconn.PgError)(nil)
		switch {
		case err == nil, try == 30, errors.As(err, &said) && strings.HasPrefix(said.Code, "28"): // invalid authorization
			return c, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// admits reports whether a PostgreSQL server lets in with this URL.
func admits(url string) bool {
	c, err := connected(context.Background(), url)
	if err != nil {
		return false
	}
	_ = c.Close(context.Background())
	return true
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

// succeedsInto is succeeds, and keeps what the program writes.
func succeedsInto(out io.Writer, dir, name string, args ...string) bool {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
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
		works:  func(_ *testing.T, dir string) (bool, bool) { return verify(dir, "old/secret"), verify(dir, "store") },
		stores: map[string]string{"store": "value"},
		target: func(_ *testing.T, dir string) string { return files(dir, "site") },
		accepted: func(_ *testing.T, dir string) (hashes []string) {
			for line := range strings.Lines(string(readFile(filepath.Join(dir, "site")))) {
				if hash, of := strings.CutPrefix(strings.TrimSpace(line), "u:"); of && strings.HasPrefix(hash, "$") { // it is not locked
					hashes = append(hashes, hash)
				}
			}
			return hashes
		},
		intact: func(_ *testing.T, dir, reason string) error {
			lines := strings.Split(strings.TrimSpace(string(readFile(filepath.Join(dir, "site")))), "\n")
			if want := map[bool]int{true: 1, false: 2}[reason == "offboarding"]; len(lines) != want {
				return fmt.Errorf("the file has %d lines, not %d", len(lines), want)
			}
			if !succeeds(dir, "htpasswd", "-vb", "site", "other", "others") {
				return errors.New("another user's line was touched")
			}
			return nil
		},
	}
}

// keysIn are the keys that authorized_keys lists: a line that is a comment lists none.
func keysIn(dir string) (keys []string) {
	for line := range strings.Lines(string(readFile(filepath.Join(dir, "authorized_keys")))) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		_, after, listed := strings.Cut(line, "ssh-ed25519 ")
		if key, _, _ := strings.Cut(after, " "); listed {
			keys = append(keys, strings.TrimSpace(key))
		}
	}
	return keys
}

func sshWorld() world {
	listed := func(t *testing.T, dir, file string) bool {
		t.Helper()
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			return false
		}
		fields := strings.Fields(run(t, dir, "ssh-keygen", "-y", "-f", file))
		return slices.Contains(keysIn(dir), fields[1])
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
		stores: map[string]string{"store": "private_key"},
		target: func(_ *testing.T, dir string) string { return files(dir, "authorized_keys") },
		accepted: func(_ *testing.T, dir string) []string {
			other := strings.Fields(string(readFile(filepath.Join(dir, "old/other.pub"))))
			return slices.DeleteFunc(keysIn(dir), func(key string) bool { return key == other[1] })
		},
		intact: func(t *testing.T, dir, reason string) error {
			b := readFile(filepath.Join(dir, "authorized_keys"))
			if n, want := len(keysIn(dir)), map[bool]int{true: 1, false: 2}[reason == "offboarding"]; n != want {
				return fmt.Errorf("%d keys are listed, not %d: one was left behind, or taken\n%s", n, want, b)
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
		return len(readFile(filepath.Join(dir, file))) > 0 &&
			succeeds(dir, "openssl", "verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "ca.crl", file)
	}
	// pair reports whether certificate and key belong together.
	pair := func(dir, certificate, key string) bool {
		return succeeds(dir, "sh", "-c", `[ "$(openssl x509 -in "$0" -noout -pubkey)" = "$(openssl pkey -in "$1" -pubout)" ]`, certificate, key)
	}
	return world{
		name:   "x509_certificate",
		hcl:    x509HCL,
		stores: map[string]string{"store": "private_key", "store-certificate": "certificate"},
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
			return valid(dir, "old/secret"), valid(dir, "store-certificate") && pair(dir, "store-certificate", "store")
		},
		target: func(_ *testing.T, dir string) string { return files(dir, "ca.crl", "ca.crl.index.jsonl") },
		intact: func(t *testing.T, dir, reason string) error {
			// Every certificate in the index but the stored one is revoked.
			index := readFile(filepath.Join(dir, "ca.crl.index.jsonl"))
			revoked := strings.ToLower(strings.ReplaceAll(run(t, dir, "openssl", "crl", "-in", "ca.crl", "-noout", "-text"), ":", ""))
			alive := 0
			for line := range strings.Lines(string(index)) {
				_, after, ok := strings.Cut(line, `"serial":"`)
				serial, _, _ := strings.Cut(after, `"`)
				if ok && serial != "" && strings.Contains(line, `"label"`) && !strings.Contains(revoked, strings.TrimLeft(strings.ToLower(serial), "0")) {
					alive++
				}
			}
			if want := map[bool]int{true: 0, false: 1}[reason == "offboarding"]; alive != want {
				return fmt.Errorf("%d certificates are alive, not %d: an orphan was left behind\n%s", alive, want, index)
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
