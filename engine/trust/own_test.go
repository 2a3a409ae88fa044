package trust_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/trust"
)

// What whoever commits here moves herself is told; what others move is not.
func TestOwn(t *testing.T) {
	dir, git := repository(t)
	git("commit", "-q", "--allow-empty", "-m", "two")
	git("tag", "v1")
	git("branch", "other")
	git("update-ref", "refs/remotes/origin/main", "HEAD")
	git("config", "branch.main.remote", "origin")
	git("config", "branch.main.merge", "refs/heads/main")
	git("config", "remote.origin.url", "x")
	git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
	before, now := git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")
	const branch, commit = "the branch main, which is checked out", "the commit that is checked out"
	check := func(rows map[string]string) {
		for ref, want := range rows {
			tree, err := read(t, filepath.Join(dir, "ops"), "git:"+ref)
			if err != nil {
				t.Errorf("%s: %v", ref, err)
			} else if (tree.Own == "") != (want == "") || !strings.Contains(tree.Own, want) {
				t.Errorf("%s: %q", ref, tree.Own)
			}
		}
	}
	check(map[string]string{
		"main": branch, "heads/main": branch, "refs/heads/main": branch, "main~1": branch, "main^": branch, "main@{0}": branch, "main:other": branch,
		now: commit, now[:12]: commit, now + "^{commit}": commit,
		"origin/main": "", "main@{upstream}": "", "origin/main~1": "", "other": "", "v1": "", before: "",
	})
	git("checkout", "-q", "-f", "other")
	check(map[string]string{"main": "", "other": "the branch other"})
	git("checkout", "-q", "--detach")
	check(map[string]string{"main": "", "other": "", now: commit})
}

// A folder of the workspace's own checkout is told; one of another checkout is not, nor
// what is not committed.
func TestBeside(t *testing.T) {
	dir, git := repository(t)
	checkout := filepath.Join(t.TempDir(), "checkout")
	git("clone", "-q", ".", checkout)
	git("clone", "-q", ".", "nested")
	write(t, dir, map[string]string{"unpacked/x": "x"})
	for base, want := range map[string]bool{
		filepath.Join(dir, "other"): true, filepath.Join(checkout, "ops"): false, filepath.Join(dir, "nested", "ops"): false, filepath.Join(dir, "unpacked"): false, t.TempDir(): false,
	} {
		if got := trust.Beside(context.Background(), filepath.Join(dir, "ops"), base); (got != "") != want {
			t.Errorf("%s: %q", base, got)
		}
	}
	if got := trust.Beside(context.Background(), t.TempDir(), dir); got != "" {
		t.Errorf("a workspace in no repository: %q", got)
	}
}

// Neither a name nor a link hides that a folder is the workspace's.
func TestWithin(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"ws/sub/deep/x": "", "beside/x": "", "wsx/x": ""})
	for link, to := range map[string]string{"link": "ws", "ws/out": "../beside", "ws/sub/up": "..", "into": "ws/sub"} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]bool{
		"ws": true, "ws/": true, "ws/sub": true, "ws/sub/deep": true, "link": true, "link/sub": true, "into": true, "into/deep": true, "ws/out": true, "link/out": true,
		"ws/sub/up": true, "ws/absent": true,
		"beside": false, "wsx": false, ".": false, "ws/../beside": false, "absent": false,
	} {
		for _, home := range []string{"ws", "link"} {
			if got := trust.Within(filepath.Join(top, dir), filepath.Join(top, home)); got != want {
				t.Errorf("%s in %s: %v", dir, home, got)
			}
		}
	}
	t.Chdir(filepath.Join(top, "ws"))
	for dir, want := range map[string]bool{"sub": true, ".": true, "../beside": false, "..": false} {
		if got := trust.Within(dir, "."); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
}
