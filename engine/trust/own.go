package trust

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// A base that whoever changes the workspace changes with it is no base. What names the
// workspace itself is refused; what is its own branch, or a part of its own checkout, is
// told: on the protected branch, after a merge, that is as it should be.

// named is the part of a revision that names something, as main in main~1 or main@{1}.
func named(ref string) string {
	if i := strings.IndexAny(ref, "~^"); i >= 0 {
		ref = ref[:i]
	}
	name, _, _ := strings.Cut(ref, "@{")
	return name
}

// own says why whoever commits in the work tree moves ref; "" where she does not.
func (g git) own(ctx context.Context, ref, commit string) string {
	full := func(name string) string { // of what is no ref, as an id, there is none
		text, err := g.line(ctx, "rev-parse", "--verify", "--quiet", "--symbolic-full-name", name)
		if err != nil {
			return ""
		}
		return text
	}
	which := full(ref)
	if which == "" {
		which = full(named(ref))
	}
	if which != "" {
		if branch, ok := strings.CutPrefix(which, "refs/heads/"); ok && which == full("HEAD") {
			return "it is the branch " + branch + ", which is checked out here: whoever commits here is judged by their own commit"
		}
		return ""
	}
	if head, err := g.line(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err == nil && head == commit {
		return "it is the commit that is checked out here: if it is named because it is, whoever commits here is judged by their own commit"
	}
	return ""
}

// Beside says why a base in a directory is the workspace's own: it was committed with it
// and checked out with it. "" where that is not so, or there is no git to tell.
func Beside(ctx context.Context, workspace, base string) string {
	ours, theirs := git{dir: workspace}, git{dir: base}
	if ours.recent(ctx) != nil {
		return ""
	}
	here, err := ours.line(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return ""
	}
	if there, err := theirs.line(ctx, "rev-parse", "--show-toplevel"); err != nil || there != here {
		return ""
	}
	if tracked, err := theirs.output(ctx, "ls-files", "-z"); err != nil || len(tracked) == 0 {
		return ""
	}
	return "it is of the same checkout as the workspace: whoever commits here is judged by their own commit"
}

// Within reports whether a directory lies in the workspace, or is it: by its name, which
// a symbolic link in the workspace may lead elsewhere from, or by where it leads.
func Within(dir, workspace string) bool {
	home, err := os.Stat(workspace)
	if err != nil {
		return false
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for _, path := range []string{abs, leads(abs)} {
		for ; ; path = filepath.Dir(path) {
			if info, err := os.Stat(path); err == nil && os.SameFile(info, home) {
				return true
			}
			if path == filepath.Dir(path) {
				break
			}
		}
	}
	return false
}

// leads is where a path leads; the path itself if it leads nowhere.
func leads(path string) string {
	if out, err := filepath.EvalSymlinks(path); err == nil {
		return out
	}
	return path
}
