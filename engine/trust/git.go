package trust

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// The bounds on what is read from a repository. Files that are larger are left
// out: nothing that a workspace says is that large.
const (
	maxFile  = 16 << 20
	maxTree  = 256 << 20
	maxFiles = 50_000
)

// Tree is a tree of a repository, written out into a folder of its own.
type Tree struct {
	Dir, Commit string
	// Own says why whoever commits in the workspace changes the tree too; "" where she
	// does not, as far as names tell.
	Own string
}

// Remove deletes the folder.
func (t *Tree) Remove() { _ = os.RemoveAll(t.Dir) }

// ReadTree writes the files of a git tree into a new private folder outside of the
// work tree. Nothing is checked out: blobs are read as they were committed, without
// filters, attributes or hooks. Symbolic links and submodules are left out.
func ReadTree(ctx context.Context, workspace string, p Place) (*Tree, error) {
	g := git{dir: workspace}
	if err := g.recent(ctx); err != nil {
		return nil, err
	}
	prefix, err := g.line(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, fmt.Errorf("the workspace is in no git repository that can be read: %w", err)
	}
	if err := g.unambiguous(ctx, p.Ref); err != nil {
		return nil, err
	}
	commit, err := g.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", p.Ref+"^{commit}")
	if err != nil || commit == "" {
		return nil, fmt.Errorf("the repository has no commit %s (a shallow clone may lack it: git fetch it first)", p.Ref)
	}
	folder := strings.TrimSuffix(prefix, "/")
	if p.hasPath {
		folder = path.Clean("/" + p.Path)[1:]
	}
	files, err := g.list(ctx, commit, folder)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "remint-trust-")
	if err != nil {
		return nil, errors.New("no folder can be made to read it into")
	}
	t := &Tree{Dir: dir, Commit: commit, Own: g.own(ctx, p.Ref, commit)}
	if err := g.extract(ctx, files, dir); err != nil {
		t.Remove()
		return nil, err
	}
	return t, nil
}

// git runs the git program in a repository.
type git struct{ dir string }

// gitNeeds are the variables that git gets: where programs, its configuration and
// temporary files are, and who owns the repository (with sudo). What else a caller has
// in its environment, the tokens of a CI and what a hook has set for another
// repository, is none of git's business.
var gitNeeds = []string{"PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LD_LIBRARY_PATH", "SUDO_UID"}

func (g git) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--no-replace-objects", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"}, args...)...)
	cmd.Dir = g.dir
	for _, name := range gitNeeds {
		if value, set := os.LookupEnv(name); set {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	return cmd
}

func (g git) output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := g.command(ctx, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("there is no program git on this machine: install it, or give a directory")
	}
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n")
		return nil, errors.New(strings.TrimPrefix(first, "fatal: "))
	}
	return out, nil
}

func (g git) line(ctx context.Context, args ...string) (string, error) {
	out, err := g.output(ctx, args...)
	return strings.TrimSuffix(string(out), "\n"), err
}

// recent refuses versions before 2.38: they would take a folder of the workspace
// that looks like a bare repository for the repository itself, and whoever may
// change the workspace can commit one.
func (g git) recent(ctx context.Context) error {
	text, err := g.line(ctx, "version")
	if err != nil {
		return err
	}
	var major, minor int
	if n, _ := fmt.Sscanf(text, "git version %d.%d", &major, &minor); n != 2 || major < 2 || major == 2 && minor < 38 {
		return fmt.Errorf("git must be 2.38 or later, and this is %q", text)
	}
	return nil
}

// unambiguous refuses a name that several refs have: git would prefer a tag, which
// more people may push than may change a protected branch.
func (g git) unambiguous(ctx context.Context, ref string) error {
	out, err := g.output(ctx, "for-each-ref", "--format=%(refname)", "refs/"+ref, "refs/tags/"+ref, "refs/heads/"+ref, "refs/remotes/"+ref)
	if err != nil {
		return fmt.Errorf("the repository's refs cannot be read: %w", err)
	}
	var named []string
	for _, full := range strings.Fields(string(out)) {
		for _, prefix := range []string{"refs/", "refs/tags/", "refs/heads/", "refs/remotes/"} {
			if full == prefix+ref {
				named = append(named, full)
			}
		}
	}
	if len(named) > 1 {
		return fmt.Errorf("%s could be %s: write the one that is meant in full", ref, strings.Join(named, " or "))
	}
	return nil
}

// blob is a file of a tree.
type blob struct{ name, object string }

func (g git) list(ctx context.Context, commit, folder string) ([]blob, error) {
	out, err := g.output(ctx, "ls-tree", "-r", "-z", "--long", "--full-tree", commit+":"+folder)
	if err != nil {
		where := folder
		if where == "" {
			where = "the repository's root"
		}
		return nil, fmt.Errorf("commit %.12s has no folder %s: name it with git:REF:PATH", commit, where)
	}
	var files []blob
	var total int64
	for _, entry := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		head, name, ok := strings.Cut(entry, "\t")
		fields := strings.Fields(head)
		if !ok || len(fields) != 4 || fields[1] != "blob" || fields[0] == "120000" || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		size, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil || size > maxFile {
			continue
		}
		files = append(files, blob{name, fields[2]})
		if total += size; total > maxTree || len(files) > maxFiles {
			return nil, fmt.Errorf("its folder has more than %d files or %d MB: keep the trust base in a folder of its own, and name it with git:REF:PATH", maxFiles, maxTree>>20)
		}
	}
	return files, nil
}

// extract reads all blobs through one git process.
func (g git) extract(ctx context.Context, files []blob, dir string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := g.command(ctx, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return errors.New("git cannot be run")
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	go func() {
		defer func() { _ = in.Close() }()
		for _, f := range files {
			if _, err := io.WriteString(in, f.object+"\n"); err != nil {
				return // the reader below finds that nothing comes
			}
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return errors.New("the folder that it is read into cannot be opened")
	}
	defer root.Close()
	r := bufio.NewReaderSize(out, 64<<10)
	made := map[string]bool{}
	for _, f := range files {
		if err := one(r, root, f, made); err != nil {
			return err
		}
	}
	return nil
}

// one takes the next blob of the stream.
func one(r *bufio.Reader, root *os.Root, f blob, made map[string]bool) error {
	head, err := r.ReadString('\n')
	fields := strings.Fields(head)
	if err != nil || len(fields) != 3 || fields[0] != f.object || fields[1] != "blob" {
		return fmt.Errorf("the repository does not have what %s holds: git fetch it, or look at it with git fsck", f.name)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size > maxFile {
		return fmt.Errorf("the repository gives another size for %s than it listed", f.name)
	}
	text := make([]byte, size+1)
	if _, err := io.ReadFull(r, text); err != nil {
		return fmt.Errorf("the repository stopped in the middle of %s", f.name)
	}
	name := filepath.FromSlash(f.name)
	if folder := filepath.Dir(name); !made[folder] {
		if err := root.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("%s cannot be read into a folder: %w", f.name, cause(err))
		}
		made[folder] = true
	}
	if err := root.WriteFile(name, text[:size], 0o600); err != nil {
		return fmt.Errorf("%s cannot be read into a folder: %w", f.name, cause(err))
	}
	return nil
}

// cause is the part of a file error that is not the path.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
