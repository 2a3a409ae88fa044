package trust_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/trust"
)

// repository makes one whose work tree is not what was committed.
func repository(t *testing.T) (dir string, git func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	home := t.TempDir()
	git = func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+home, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	write(t, dir, map[string]string{
		"ops/a.remint.hcl": "committed\n", "ops/keys/alice.pub": "key\n", "ops/empty": "", "other/x": "x", "ops/.gitattributes": "*.hcl text eol=crlf export-ignore\n",
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "ops/link")); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	git("commit", "-q", "-m", "one")
	write(t, dir, map[string]string{"ops/a.remint.hcl": "edited\n", "ops/new": "new\n"})
	return dir, git
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		out[path] = string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, dir, place string) (*trust.Tree, error) {
	t.Helper()
	p, err := trust.ParsePlace(place)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := trust.ReadTree(context.Background(), dir, p)
	if err == nil {
		t.Cleanup(tree.Remove)
	}
	return tree, err
}

// What is read is what was committed, byte by byte, wherever it is asked from.
func TestReadTree(t *testing.T) {
	dir, git := repository(t)
	commit := git("rev-parse", "HEAD")
	ops := map[string]string{"a.remint.hcl": "committed\n", "keys/alice.pub": "key\n", "empty": "", ".gitattributes": "*.hcl text eol=crlf export-ignore\n"}
	whole := map[string]string{"other/x": "x"}
	for name, text := range ops {
		whole["ops/"+name] = text
	}
	for name, row := range map[string]struct {
		from, place string
		want        map[string]string
	}{
		"its own folder":   {"ops", "git:main", ops},
		"the root":         {".", "git:main", whole},
		"the root, named":  {"ops", "git:main:", whole},
		"a named folder":   {"other", "git:main:ops", ops},
		"a commit":         {"ops", "git:" + commit, ops},
		"a ref in full":    {"ops", "git:refs/heads/main", ops},
		"a name with dots": {"ops", "git:main:./ops/", ops},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GIT_DIR", "/nowhere") // a caller's hook has such things set
			tree, err := read(t, filepath.Join(dir, row.from), row.place)
			if err != nil {
				t.Fatal(err)
			}
			if tree.Commit != commit {
				t.Errorf("commit %s, want %s", tree.Commit, commit)
			}
			if diff := cmp.Diff(row.want, contents(t, tree.Dir)); diff != "" {
				t.Error(diff)
			}
			if info, err := os.Stat(tree.Dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the folder: %v, %v", info.Mode(), err)
			}
		})
	}
	if got := contents(t, dir)["ops/a.remint.hcl"]; got != "edited\n" {
		t.Errorf("the work tree was touched: %q", got)
	}
}

// What does not say which commit it is, or is not there, is refused.
func TestReadTreeRefuses(t *testing.T) {
	dir, git := repository(t)
	git("tag", "release")
	git("branch", "release")
	git("update-ref", "refs/remotes/origin/main", "HEAD")
	git("tag", "origin/main")
	git("replace", "HEAD", git("commit-tree", "-m", "replaced", git("mktree", "--missing")))
	bare := filepath.Join(dir, "bare")
	git("clone", "-q", "--bare", ".", "bare")
	write(t, bare, map[string]string{"config": "[core]\n\tbare = false\n\tworktree = " + dir + "\n"})
	for name, row := range map[string]struct{ from, place, want string }{
		"no such ref":                           {dir, "git:nowhere", "has no commit nowhere"},
		"a blob":                                {dir, "git:main:ops/empty", "has no folder ops/empty"},
		"no such folder":                        {dir, "git:main:nothing", "has no folder nothing"},
		"a tag and a branch":                    {dir, "git:release", "could be refs/heads/release or refs/tags/release"},
		"a tag and what was fetched":            {dir, "git:origin/main", "could be refs/remotes/origin/main or refs/tags/origin/main"},
		"no repository":                         {t.TempDir(), "git:main", "in no git repository"},
		"a folder that looks like a repository": {bare, "git:main", "in no git repository"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(t, row.from, row.place); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v", err)
			}
		})
	}
	tree, err := read(t, filepath.Join(dir, "ops"), "git:refs/heads/main")
	if err != nil || contents(t, tree.Dir)["a.remint.hcl"] != "committed\n" {
		t.Errorf("a replaced commit counts: %v", err)
	}
}

// Who deletes what a base has is an author of the change, whatever the base is: a
// checkout, a plain folder, or one that was unpacked within a repository's work tree.
func TestAuthorsBeyondDeletes(t *testing.T) {
	dir, git := repository(t)
	git("checkout", "-q", "-f", ".")
	checkout := filepath.Join(t.TempDir(), "checkout")
	git("clone", "-q", ".", checkout)
	plain := t.TempDir()
	within := filepath.Join(dir, "unpacked")
	for _, base := range []string{plain, within} {
		write(t, filepath.Join(base, "ops"), map[string]string{"a.remint.hcl": "committed\n", "keys/alice.pub": "key\n", "empty": ""})
	}
	git("rm", "-q", "ops/empty")
	git("-c", "user.email=mallory@example.com", "commit", "-q", "--author", "m <mallory@example.com>", "-m", "gone")
	for name, base := range map[string]string{"a checkout": checkout, "a plain folder": plain, "a folder within the repository": within} {
		got := trust.AuthorsBeyond(context.Background(), filepath.Join(dir, "ops"), filepath.Join(base, "ops"))
		if got.Unknown != "" || !slices.Contains(got.By, "mallory@example.com") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
