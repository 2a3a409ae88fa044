package htpasswd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
)

func TestHostilePlaces(t *testing.T) {
	link := func(target string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"dangling link":        {link("nowhere"), "does not exist"},
		"link to itself":       {link("f"), "circle"},
		"link out of here":     {link("/etc/hostname"), "out of the workspace"},
		"link into .git":       {link(".git/config"), ".git"},
		"link to the language": {link("main.remint.hcl"), "remint.hcl"},
		"folder":               {func(t *testing.T, p string) { must(t, os.Mkdir(p, 0o755)) }, "regular"},
		"named pipe":           {func(t *testing.T, p string) { must(t, syscall.Mkfifo(p, 0o600)) }, "regular"},
		"second hard link": {func(t *testing.T, p string) {
			write(t, p, others)
			must(t, os.Link(p, p+"2"))
		}, "hard links"},
		"joined lines": {func(t *testing.T, p string) { write(t, p, "bo\\\nb:x\n") }, "backslash"},
		"binary":       {func(t *testing.T, p string) { write(t, p, "bob\x00:x\n") }, "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
			write(t, filepath.Join(dir, ".git", "config"), "")
			write(t, filepath.Join(dir, "main.remint.hcl"), "")
			path := filepath.Join(dir, "f")
			c.make(t, path)
			s := opened(t, path)
			_, err := s.Set(context.Background(), provider.Mutation{Credential: user("bob")}, password("the-new-password"))
			if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Set: %v, want a permanent error about %q", err, c.says)
			}
			if p, err := s.Probe(context.Background(), user("bob"), password("the-new-password")); err == nil && p.Verdict != provider.Unclear {
				t.Errorf("Probe gives the verdict %s", p.Verdict)
			}
		})
	}
}

// TestLinkIsKept replaces the file that a link leads to, with its mode.
func TestLinkIsKept(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "shared"), 0o755))
	real, path := filepath.Join(dir, "shared", "real"), filepath.Join(dir, "f")
	write(t, real, others)
	must(t, os.Chmod(real, 0o604))
	must(t, os.Symlink("shared/real", path))
	s := opened(t, path)
	before, err := s.Identity(context.Background())
	must(t, err)
	set(t, s, "bob", "the-new-password")
	after, err := s.Identity(context.Background())
	must(t, err)
	if before != after || before != "htpasswd:"+real {
		t.Errorf("Identity %q, then %q", before, after)
	}
	if target, err := os.Readlink(path); err != nil || target != "shared/real" {
		t.Errorf("the link is %q, error %v", target, err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode() != 0o604 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if names, err := os.ReadDir(filepath.Dir(real)); err != nil || len(names) != 1 {
		t.Errorf("left behind in the folder: %v", names)
	}
	if !verifies(t, path, "bob", "the-new-password") {
		t.Error("Apache does not accept the new password")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
