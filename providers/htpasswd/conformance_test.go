package htpasswd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/providertest"
	"github.com/remint-dev/remint/engine/secret"
)

const others = "# the team\r\nalice:$2y$05$Da4IkuebmZBmeEY5SUdxC.M1nuTHRWJG8nklut.5rZXupYXIRBrqq\r\n\n"

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Definition: New(), Type: "htpasswd_user",
		Setup: func(t *testing.T) providertest.Fixture {
			path := filepath.Join(t.TempDir(), "site.htpasswd")
			write(t, path, others)
			apache(t, "-bB", path, "bob", "the-first-password")
			return providertest.Fixture{
				Block: block("site", path), Unreachable: block("down", filepath.Join(filepath.Dir(path), "nowhere", "f")),
				Credential: user("bob"), Absent: user("nobody"), Current: password("the-first-password"),
				Unmade: func(t *testing.T) { remove(t, path) },
				Login: func(t *testing.T, m secret.Material) bool {
					return verifies(t, path, "bob", m.Field("value").RevealString())
				},
				Others: func(t *testing.T) string {
					var kept []byte
					for l := range bytes.Lines([]byte(content(t, path))) {
						if !bytes.HasPrefix(l, []byte("bob:")) {
							kept = append(kept, l...)
						}
					}
					return string(kept)
				},
			}
		},
	})
}

func block(name, path string) provider.Block {
	return provider.Block{Name: name, Attrs: providertest.Defaults(New().Schema, map[string]any{
		"file": provider.Path{Written: filepath.Base(path), Absolute: path},
	})}
}

func user(name string) provider.Credential {
	return provider.Credential{Address: "credential.htpasswd_user." + name, Type: "htpasswd_user",
		Attrs: provider.NewAttrs(map[string]any{"user": name})}
}

func password(s string) secret.Material { return secret.Single(secret.FromString(s)) }

// opened gives the provider for a file, with the capabilities it must have.
func opened(t testing.TB, path string) *site {
	t.Helper()
	p, err := New().Open(context.Background(), block("site", path))
	if err != nil {
		t.Fatal(err)
	}
	return p.(*site)
}

func set(t testing.TB, s *site, name, secret string) provider.Applied {
	t.Helper()
	a, err := s.Set(context.Background(), provider.Mutation{Credential: user(name)}, password(secret))
	if err != nil {
		t.Fatalf("Set %s: %v", name, err)
	}
	return a
}

func probe(t testing.TB, s *site, name, secret string) provider.Probe {
	t.Helper()
	p, err := s.Probe(context.Background(), user(name), password(secret))
	if err != nil {
		t.Fatalf("Probe %s: %v", name, err)
	}
	return p
}

// apache runs Apache's own htpasswd.
func apache(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("htpasswd", args...).CombinedOutput(); err != nil {
		t.Fatalf("htpasswd: %v: %s", err, out)
	}
}

// verifies asks Apache's own htpasswd whether the password is right. It exits
// 3 if not, 6 if there is no such user.
func verifies(t testing.TB, path, name, secret string) bool {
	t.Helper()
	err := exec.Command("htpasswd", "-vb", path, name, secret).Run()
	var exit *exec.ExitError
	refused := errors.As(err, &exit) && (exit.ExitCode() == 3 || exit.ExitCode() == 6)
	if err != nil && !refused {
		t.Fatalf("htpasswd -vb: %v", err)
	}
	return err == nil
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// hashIn is the user's hash in a file of plain lines.
func hashIn(t testing.TB, path, name string) string {
	t.Helper()
	for l := range strings.Lines(content(t, path)) {
		if hash, ok := strings.CutPrefix(l, name+":"); ok {
			return strings.TrimSpace(hash)
		}
	}
	t.Fatalf("no line of %s", name)
	return ""
}
