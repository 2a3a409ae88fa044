//go:build linux && !race

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// badRow is one bad input, and what the program must make of it.
type badRow struct {
	name string
	// make puts the bad input into a copy of the sound workspace.
	make func(t *testing.T, b *bad)
	args []string
	// before is shell that runs in the child first, such as `umask 000`.
	before string
	exit   int
	// says is in what is written to stderr (or stdout, for findings).
	says string
	// faults is how many diagnostics there are; 0 stands for exactly one, -1 for none.
	faults int
	// may says of a changed path, relative to the workspace, that the command may change it.
	may func(path string) bool
	// after looks at what is there then.
	after func(t *testing.T, b *bad)
}

// bad is one row's workspace.
type bad struct {
	dir string
	// outside is a folder beside the workspace, that nothing may be written to.
	outside string
	out     string // what was printed, both streams
}

func (b *bad) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bad) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
	must(t, os.WriteFile(b.path(name), []byte(text), 0o644))
}

func (b *bad) link(t *testing.T, to, name string) {
	t.Helper()
	must(t, os.RemoveAll(b.path(name)))
	must(t, os.Symlink(to, b.path(name)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const badMain = `
remint {
  state "sqlite" { path = ".remint/state.db" }
  evidence {
    directory = "evidence"
    signer "key" { path = "keys/evidence.pem" }
  }
}
provider "htpasswd" "site" {
  file        = "site.htpasswd"
  environment = "test"
}
notifier "file" "log" { path = "notices.jsonl" }
credential "htpasswd_user" "ann" {
  provider = htpasswd.site
  user     = "ann"
  owner    = "owner@example.com"
  store "file" "x" { path = "ann.txt" }
}
credential "htpasswd_user" "bob" {
  provider = htpasswd.site
  user     = "bob"
  owner    = "owner@example.com"
}
`

// badProgram is the program as it is built, and a sound workspace that each row
// gets a copy of: two finished resets, a plan that can be applied, an approver.
var badProgram = sync.OnceValues(func() (dirs [2]string, err error) {
	top, err := os.MkdirTemp("", "badinput")
	if err != nil {
		return dirs, err
	}
	bin, sound := filepath.Join(top, "remint"), filepath.Join(top, "sound")
	run := func(dir, name string, args ...string) {
		if err != nil {
			return
		}
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CI=", "GITHUB_ACTIONS=")
		if out, e := cmd.CombinedOutput(); e != nil {
			err = fmt.Errorf("%s %v: %w\n%s", name, args, e, out)
		}
	}
	err = errors.Join(os.Chmod(top, 0o755), os.Mkdir(sound, 0o755), os.WriteFile(filepath.Join(sound, "main.remint.hcl"), []byte(badMain), 0o644))
	run(".", "go", "build", "-o", bin, ".")
	run(sound, "htpasswd", "-bcB", "site.htpasswd", "ann", "old-ann")
	run(sound, "htpasswd", "-bB", "site.htpasswd", "bob", "old-bob")
	run(sound, bin, "init", "-bare")
	run(sound, bin, "apply", "-all", "-auto-approve")
	run(sound, bin, "plan", "-all", "-out=good.plan")
	return [2]string{bin, sound}, err
})

// newBad is a copy of the sound workspace.
func newBad(t *testing.T) (b *bad, bin string) {
	t.Helper()
	parts, err := badProgram()
	must(t, err)
	top := t.TempDir()
	b = &bad{dir: filepath.Join(top, "w"), outside: filepath.Join(top, "outside")}
	must(t, exec.Command("cp", "-a", parts[1], b.dir).Run())
	must(t, os.Mkdir(b.outside, 0o755))
	must(t, os.WriteFile(filepath.Join(b.outside, "victim"), []byte("victim\n"), 0o644))
	return b, parts[0]
}

// seen is what a tree looks like: modes, targets of links, content. Of the
// state only that it is there counts: opening a database may touch its side files.
func seen(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			text += " " + to
		case info.Mode().IsRegular() && info.Size() > 128<<20: // sparse: not read
			text += fmt.Sprint(info.Size(), info.ModTime())
		case info.Mode().IsRegular():
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			h := sha256.New()
			if _, err := io.Copy(h, f); err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", h.Sum(nil))
		}
		out[rel] = text
		return nil
	}))
	return out
}

func changes(before, after map[string]string) (out []string) {
	for p, s := range after {
		if before[p] != s {
			out = append(out, p)
		}
	}
	for p := range before {
		if _, ok := after[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// side reports whether a path is a side file of the state's database, or the
// folder in which runners say that they are alive.
func side(path string) bool {
	return path == ".remint" || strings.HasPrefix(path, ".remint/state.db-") || strings.HasPrefix(path, ".remint/state.db.d")
}

// run is the child: bounded, and its cost known.
func (b *bad) run(t *testing.T, bin, before string, args ...string) cost {
	t.Helper()
	if before == "" {
		before = ":"
	}
	script := fmt.Sprintf(`ulimit -t %d -d %d; %s; exec "$0" "$@"`, 4*badSeconds, badDataKB, before)
	cmd := exec.Command("bash", append([]string{"-c", script, bin}, args...)...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "CI=", "GITHUB_ACTIONS=", "GOTRACEBACK=single")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	own := little()
	must(t, cmd.Start())
	w, done := &watch{root: cmd.Process.Pid, waits: badWaits}, make(chan struct{})
	go w.look(done)
	err := cmd.Wait()
	close(done)
	var e *exec.ExitError
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	b.out = both.String()
	c := cost{exit: cmd.ProcessState.ExitCode(), resident: w.resident.Load(), waited: w.waited.Load()}
	c.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()             // of it, and of the children that it waited for
	if most := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; most > own+own/8+(8<<10) { // of the largest of them, if not of this test
		c.resident = max(c.resident, most)
	}
	return c
}

// calm holds what was printed against what a person may be shown.
func (b *bad) calm(t *testing.T) {
	t.Helper()
	for _, p := range []string{"panic:", "goroutine ", "runtime error", "fatal error", "[signal "} {
		if strings.Contains(b.out, p) {
			t.Errorf("a panic:\n%.3000s", b.out)
			return
		}
	}
	if len(b.out) > 64<<10 {
		t.Errorf("%d bytes of output", len(b.out))
	}
}

func TestBadInput(t *testing.T) {
	rows := slices.Concat(badLanguage(), badPolicies(), badBundles(), badPlans(), badApprovals(), badStates(), badEvidence(), badKeys(), badStores(), badFiles(), badDocuments(), badAmounts(), badUmasks())
	var mu sync.Mutex
	var slowest, largest string
	var cpuMax float64
	var rssMax int64
	t.Cleanup(func() {
		fmt.Printf("bad input: %d rows; most processor time %.2f s (%s); most memory %d MB (%s)\n", len(rows), cpuMax, slowest, rssMax>>10, largest)
	})
	t.Cleanup(func() { // after the rows, which run side by side
		if parts, err := badProgram(); err == nil {
			_ = os.RemoveAll(filepath.Dir(parts[0]))
		}
	})
	t.Run("a plan, byte by byte", badPlanBytes)
	names := map[string]bool{}
	for _, r := range rows {
		if names[r.name] {
			t.Fatalf("two rows are called %q", r.name)
		}
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b, bin := newBad(t)
			if r.make != nil {
				r.make(t, b)
			}
			before, outside := seen(t, b.dir), seen(t, b.outside)
			cost := b.run(t, bin, r.before, r.args...)
			mu.Lock()
			if cost.cpu > cpuMax {
				cpuMax, slowest = cost.cpu, r.name
			}
			if cost.resident > rssMax {
				rssMax, largest = cost.resident, r.name
			}
			mu.Unlock()
			want := max(r.faults, 0)
			if r.faults == 0 && r.exit != 0 {
				want = 1
			}
			if cost.exit != r.exit {
				t.Errorf("exit %d, want %d", cost.exit, r.exit)
			}
			for _, what := range cost.over() {
				t.Error(what)
			}
			if r.says == "" && r.exit != 0 {
				t.Error("the row does not tell what must be said")
			}
			flat := strings.Join(strings.Fields(strings.ReplaceAll(b.out, "│", " ")), " ")
			if !strings.Contains(flat, r.says) {
				t.Errorf("does not say %q", r.says)
			}
			if n := strings.Count(b.out, "Error: "); n != want {
				t.Errorf("%d diagnostics, want %d", n, want)
			}
			b.calm(t)
			for _, p := range changes(before, seen(t, b.dir)) {
				if !side(p) && (r.may == nil || !r.may(p)) {
					t.Errorf("changed: %s", p)
				}
			}
			for _, p := range changes(outside, seen(t, b.outside)) {
				t.Errorf("changed outside: %s", p)
			}
			if r.after != nil {
				r.after(t, b)
			}
			if t.Failed() {
				t.Logf("remint %v\n%.4000s", r.args, b.out)
			}
		})
	}
}
