package trust

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLookups bounds how many contents of files in commits are asked for.
const maxLookups = 500_000

// AuthorsBeyond tells who wrote what the workspace has beyond a base in a directory: the
// authors of every commit, walking back from HEAD, that touched a file of the workspace's
// folder which differs from the base's, until the file is as it is there, or history
// ends. Contents are compared, so that the base may be a checkout of any repository, or
// none. Where the workspace's folder is in no commit, the authors are not known.
func AuthorsBeyond(ctx context.Context, workspace, base string) Authorship {
	out, err := beyond(ctx, git{dir: workspace}, base)
	if err != nil {
		out.Unknown = strings.TrimSuffix(err.Error(), ".")
	}
	return out
}

func beyond(ctx context.Context, g git, base string) (Authorship, error) {
	if err := g.recent(ctx); err != nil {
		return Authorship{}, err
	}
	prefix, err := g.line(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return Authorship{}, fmt.Errorf("the workspace is in no git repository that can be read (%w)", err)
	}
	have, err := g.committed(ctx, prefix)
	if err != nil {
		return Authorship{}, errors.New("the repository has no commit with the workspace's folder in it")
	}
	want, err := g.contents(ctx, base, have)
	if err != nil {
		return Authorship{}, err
	}
	var differ []string
	for name, id := range have {
		if want[name] != id {
			differ = append(differ, name)
		}
	}
	for name := range want {
		if _, ok := have[name]; !ok {
			differ = append(differ, name)
		}
	}
	if len(differ) == 0 {
		return Authorship{}, nil
	}
	slices.Sort(differ)
	return g.walk(ctx, prefix, differ, want)
}

// committed are the ids of the files in the workspace's folder at HEAD. Submodules are
// left out: what they hold is no file of this repository.
func (g git) committed(ctx context.Context, prefix string) (map[string]string, error) {
	text, err := g.output(ctx, "ls-tree", "-r", "-z", "--full-tree", "HEAD:"+strings.TrimSuffix(prefix, "/"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, entry := range strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00") {
		head, name, ok := strings.Cut(entry, "\t")
		if f := strings.Fields(head); ok && len(f) == 3 && f[1] == "blob" {
			out[name] = f[2]
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it is empty")
	}
	return out, nil
}

// contents are the ids that the base's files would have in the repository: of those that
// it shares with the workspace, and of what it has besides and git tracks there, or of
// all where it is no checkout: an unpacked tree within some repository's folder is none.
func (g git) contents(ctx context.Context, base string, have map[string]string) (map[string]string, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range have {
		names[name] = true
	}
	if tracked, err := (git{dir: base}).output(ctx, "ls-files", "-z"); err == nil && len(tracked) > 0 {
		for _, name := range strings.Split(strings.TrimSuffix(string(tracked), "\x00"), "\x00") {
			names[name] = true
		}
	} else if err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || len(names) > maxFiles {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(base, path)
		if !d.IsDir() {
			names[filepath.ToSlash(name)] = true
		}
		return err
	}); err != nil {
		return nil, errors.New("the base's folder cannot be read")
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("workspace and base have more than %d files", maxFiles)
	}
	out := map[string]string{}
	var regular, paths []string
	for name := range names {
		path := filepath.Join(base, filepath.FromSlash(name))
		info, err := os.Lstat(path)
		switch {
		case strings.ContainsAny(name, "\n\r"):
			return nil, fmt.Errorf("a file's name has a line break in it: %q", name)
		case err != nil || name == "":
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err == nil {
				out[name], err = g.hash(ctx, strings.NewReader(target), "--stdin")
			}
			if err != nil {
				return nil, fmt.Errorf("the base's %s cannot be read", name)
			}
		case info.Mode().IsRegular():
			regular, paths = append(regular, name), append(paths, path)
		}
	}
	if len(paths) == 0 {
		return out, nil
	}
	text, err := g.hash(ctx, strings.NewReader(strings.Join(paths, "\n")+"\n"), "--no-filters", "--stdin-paths")
	ids := strings.Split(text, "\n")
	if err != nil || len(ids) != len(regular) {
		return nil, errors.New("the base's files cannot be read")
	}
	for i, name := range regular {
		out[name] = ids[i]
	}
	return out, nil
}

func (g git) hash(ctx context.Context, in io.Reader, args ...string) (string, error) {
	cmd := g.command(ctx, append([]string{"hash-object"}, args...)...)
	cmd.Stdin = in
	text, err := cmd.Output()
	return strings.TrimSuffix(string(text), "\n"), err
}

// commit is one that touched some of the files, or a merge; parents are the next such.
type commit struct {
	id      string
	parents []string
	by      []string
}

// history are the commits from HEAD back that touched any of the files, newest first,
// and all merges among them, so that every side is walked.
func (g git) history(ctx context.Context, files []string) ([]commit, error) {
	cmd := g.command(ctx, "--literal-pathspecs", "log", "--full-history", "--parents", "--topo-order", "--no-mailmap", "--no-show-signature", "--no-color",
		"--no-patch", "--format=%x00%H %P%n"+byLines, "--stdin")
	cmd.Stdin = strings.NewReader("HEAD\n--\n" + strings.Join(files, "\n") + "\n")
	text, err := cmd.Output()
	if err != nil {
		return nil, errors.New("git does not give the history of what differs from the base")
	}
	var out []commit
	for _, one := range strings.Split(string(text), "\x00")[1:] {
		lines := strings.Split(one, "\n")
		ids := strings.Fields(lines[0])
		if len(ids) == 0 {
			return nil, errors.New("git gives a commit without a name")
		}
		out = append(out, commit{ids[0], ids[1:], lines[1:]})
	}
	return out, nil
}

// walk goes back from HEAD for each file, on every side, to where it is as in the base.
func (g git) walk(ctx context.Context, prefix string, files []string, want map[string]string) (Authorship, error) {
	list, err := g.history(ctx, files)
	if err != nil {
		return Authorship{}, err
	}
	shallow, err := g.line(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return Authorship{}, err
	}
	commits, child := map[string]*commit{}, map[string]bool{}
	for i := range list {
		commits[list[i].id] = &list[i]
		for _, p := range list[i].parents {
			child[p] = true
		}
	}
	at, err := g.lookup(ctx, prefix)
	if err != nil {
		return Authorship{}, err
	}
	defer at.close()
	var lines []string
	unknown := ""
	if shallow != "false" && len(list) == 0 { // what is gone may have been there, and taken away, where history is cut off
		unknown = shallowText
	}
	for _, file := range files {
		ids := map[string]string{} // of the file in each commit
		id := func(c string) (string, error) {
			known, ok := ids[c]
			if ok {
				return known, nil
			}
			found, err := at.id(c, file)
			ids[c] = found
			return found, err
		}
		var next []string
		for _, c := range list {
			if !child[c.id] {
				next = append(next, c.id)
			}
		}
		seen := map[string]bool{}
		for len(next) > 0 {
			c := commits[next[len(next)-1]]
			next = next[:len(next)-1]
			if c == nil || seen[c.id] {
				continue
			}
			seen[c.id] = true
			now, err := id(c.id)
			if err != nil {
				return Authorship{By: addresses(lines)}, err
			}
			if now == want[file] {
				continue // as in the base: what came before is no part of the change
			}
			wrote := len(c.parents) > 0 || now != ""
			for _, p := range c.parents {
				before, err := id(p)
				if err != nil {
					return Authorship{By: addresses(lines)}, err
				}
				wrote = wrote && before != now // a merge that takes one side writes nothing
				next = append(next, p)
			}
			if wrote {
				lines = append(lines, c.by...)
			}
			if len(c.parents) == 0 && shallow != "false" {
				unknown = shallowText
			}
		}
	}
	return Authorship{By: addresses(lines), Unknown: unknown}, nil
}

// lookup asks one git process what files are in commits.
type lookup struct {
	prefix string
	in     io.WriteCloser
	out    *bufio.Reader
	left   int
	close  func()
}

func (g git) lookup(ctx context.Context, prefix string) (*lookup, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := g.command(ctx, "cat-file", "--batch-check=%(objectname)")
	in, err := cmd.StdinPipe()
	if err == nil {
		var out io.ReadCloser
		if out, err = cmd.StdoutPipe(); err == nil {
			if err = cmd.Start(); err == nil {
				return &lookup{prefix, in, bufio.NewReader(out), maxLookups, func() { cancel(); _ = cmd.Wait() }}, nil
			}
		}
	}
	cancel()
	return nil, errors.New("git cannot be run")
}

// id is that of a file in a commit, "" where it has none.
func (l *lookup) id(commit, file string) (string, error) {
	if l.left--; l.left < 0 {
		return "", errors.New("the history of what differs from the base is too long to be walked: take a base that is nearer")
	}
	if _, err := io.WriteString(l.in, commit+":"+l.prefix+file+"\n"); err != nil {
		return "", errors.New("git stopped in the middle of the history")
	}
	line, err := l.out.ReadString('\n')
	if err != nil {
		return "", errors.New("git stopped in the middle of the history")
	}
	if line = strings.TrimSuffix(line, "\n"); strings.HasSuffix(line, " missing") {
		return "", nil
	}
	return line, nil
}
