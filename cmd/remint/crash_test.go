//go:build !race

// The children would be built with the race detector too, and take ten times as
// long: `make unit` runs these without it.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/pgtest"
)

var ways = []string{killBefore, killAfter, transient, permanent, ambiguous, lostReply, interrupt, interruptTwo, cutOff, sigterm, sigstop}

var reasons = []string{"scheduled", "compromised", "offboarding"}

func crashWorlds(t *testing.T) []world {
	t.Helper()
	server := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none"}})
	return []world{postgresqlWorld(t, server), x509World(), htpasswdWorld(), sshWorld()}
}

// TestCrashes breaks every operation of a reset of each type in each mode:
// `make test` in one way, `make torture` in all that show something.
func TestCrashes(t *testing.T) {
	enumerateCrashes(t, "calls that leave the process", crashWorlds(t), reasons, 1)
}

// enumerateCrashes breaks every operation of a reset of each world for each reason; in
// `make test` only one of each so many, every, in turns.
func enumerateCrashes(t *testing.T, what string, worlds []world, reasons []string, every int) {
	t.Helper()
	total := newTally()
	t.Run("all", func(t *testing.T) {
		for _, w := range worlds {
			template := prepared(t, w)
			for _, reason := range reasons {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					b := breaking{world: w, template: template, reason: reason, total: total}
					b.calls(t, enumerate(t, w, template, reason), every)
				})
			}
		}
	})
	total.report(t, what)
	if len(worlds) > 1 { // one does not show every kind
		total.complete(t)
	} else {
		total.allReached(t)
	}
}

// kind is an operation's name without what it is about.
func kind(op string) string {
	name, _, _ := strings.Cut(op, "#")
	name, _, _ = strings.Cut(name, "[")
	return name
}

// waysFor gives the ways to break an operation: all that show something, or one,
// another for each operation of each world.
func waysFor(op string, i int, salt string) []string {
	var out []string
	for _, way := range ways {
		if shows(op, way) {
			out = append(out, way)
		}
	}
	if os.Getenv("REMINT_TORTURE") != "" {
		return out
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(salt + op))
	return []string{out[(int(h.Sum32()%997)+i)%len(out)]}
}

// shows leaves out what shows nothing: reads have no effect to lose, and a
// journal knows no classes of failure.
func shows(op, way string) bool {
	switch k := kind(op); {
	case strings.HasPrefix(k, "journal.") && !slices.Contains([]string{"journal.Open", "journal.Append", "journal.Acquire", "journal.Release", "journal.Remember"}, k):
		return slices.Contains([]string{killBefore, transient, interrupt, sigterm, sigstop}, way)
	case slices.Contains([]string{"Identity", "Inspect", "Probe", "Control", "List", "Get", "Check", "Holds"}, k[strings.Index(k, ".")+1:]):
		return way != killAfter && way != lostReply && way != ambiguous && way != interruptTwo
	case strings.HasPrefix(k, "journal.") || strings.HasPrefix(k, "archive."):
		return way != permanent && way != ambiguous && way != cutOff
	}
	return true
}

// enumerate runs a reset unbroken and lists its operations.
func enumerate(t *testing.T, w world, template, reason string) []string {
	t.Helper()
	c := newCase(t, w, template, reason)
	if out, code := c.apply(""); code != 0 {
		t.Fatalf("unbroken: exit %d\n%s", code, out)
	}
	if err := c.finished(t); err != nil {
		t.Fatalf("unbroken: %v", err)
	}
	return operations(read(c.log))
}

// prepared lays down what every case of a world gets a copy of.
func prepared(t *testing.T, w world) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.setup(t, dir)
	if out, code := child(dir, nil, "init", "-bare"); code != 0 {
		t.Fatalf("init: %s", out)
	}
	return dir
}

// crash is one case: a reset that is broken, and finished.
type crash struct {
	world
	t                *testing.T
	dir, log, reason string
	before           string // the target and the stores, untouched
	trail            strings.Builder
	// others is how often another runner finished the same meanwhile.
	others int
	// kept is how many secrets an answer left sealed.
	kept int
	// seen is what there was when it was looked at last, and records the journal then.
	seen    sight
	records []record
	// first are the secrets that the target took before, made those that it took since.
	first, made []string
}

func newCase(t *testing.T, w world, template, reason string) *crash {
	t.Helper()
	dir, err := os.MkdirTemp(workspaces(t), "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	run(t, template, "cp", "-a", ".", dir)
	if w.each != nil {
		w.each(t, dir)
	}
	write(t, dir, map[string]string{"main.remint.hcl": strings.ReplaceAll(w.hcl, "ROLE", roleOf(dir))})
	c := &crash{world: w, t: t, dir: dir, log: filepath.Join(dir, "operations"), reason: reason}
	c.before = c.outside(t)
	c.seen = sight{target: c.target(t, dir), stores: c.stored()}
	if c.accepted != nil {
		c.first = c.accepted(t, dir)
	}
	return c
}

// workspaces is where cases lie: in memory where there is such a place. A process
// that is killed leaves the same there as on a disk, which survives it.
func workspaces(t *testing.T) string {
	t.Helper()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		return "/dev/shm"
	}
	return t.TempDir()
}

// outside is all that is outside of remint: the target and the stores.
func (c *crash) outside(t *testing.T) string {
	t.Helper()
	return c.target(t, c.dir) + c.stored()
}

// stored is what the stores hold.
func (c *crash) stored() (out string) {
	for _, f := range slices.Sorted(maps.Keys(c.stores)) {
		b, err := os.ReadFile(filepath.Join(c.dir, f))
		out += fmt.Sprintf("\n%s %v %s", f, errors.Is(err, os.ErrNotExist), b)
	}
	return out
}

func (c *crash) child(at string, args ...string) (string, int) {
	if way, op, _ := strings.Cut(at, " "); byKernel(way) {
		_, out, code := c.watched(way, op, args...)
		return out, code
	} else if way == sigstop {
		return c.overtaken(at, args...)
	}
	out, code := child(c.dir, []string{"REMINT_TEST_LOG=" + c.log, "REMINT_TEST_BREAK=" + at}, args...)
	fmt.Fprintf(&c.trail, "$ remint %s (%s): exit %d\n%s\n", strings.Join(args, " "), at, code, out)
	return out, code
}

func (c *crash) apply(at string) (string, int) {
	return c.child(at, "apply", "-auto-approve", "-reason="+c.reason, "-all")
}

// child runs this program as remint.
func child(dir string, env []string, args ...string) (string, int) {
	exe, err := os.Executable()
	if err != nil {
		return err.Error(), -2
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := asChild(ctx, exe, dir, env, args)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		return err.Error(), -2
	}
	return string(out), 0
}

func asChild(ctx context.Context, exe, dir string, env, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // it says where it hangs
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS="), env...)
	return cmd
}

// run breaks a reset at the first place and its resumes at the others, finishes
// it, and checks the promises from outside.
func (c *crash) run(t *testing.T, at ...string) error {
	t.Helper()
	err := c.finish(t, at)
	broke := 0
	for _, l := range read(c.log) {
		if l.word == "broke" {
			broke++
		}
	}
	if err == nil && broke < len(at) {
		return errMissed
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\n%s%s", err, c.trail.String(), readFile(c.log))
}

func (c *crash) finish(t *testing.T, at []string) error {
	t.Helper()
	code, err := c.process(t, at[0], "apply", "-auto-approve", "-reason="+c.reason, "-all")
	if err != nil {
		return fmt.Errorf("right after: %w", err)
	}
	breaks := at[1:]
	for try := 0; code != 0 || len(breaks) > 0; try++ {
		if try == 5 {
			return errors.New("resume never finishes")
		}
		next := ""
		if len(breaks) > 0 {
			next, breaks = breaks[0], breaks[1:]
		}
		if code, err = c.process(t, next, "resume"); err != nil {
			return fmt.Errorf("after a resume: %w", err)
		}
	}
	if c.others == 0 && c.outside(t) == c.before { // it never began, or ended without a change
		if out, code := c.apply(""); code != 0 {
			return fmt.Errorf("applied again: exit %d\n%s", code, out)
		}
	}
	if err := c.finished(t); err != nil {
		return err
	}
	before := readFile(filepath.Join(c.dir, "notices.jsonl"))
	if out, code := c.child("", "resume"); code != 0 || !strings.Contains(out, "Nothing is open") {
		return fmt.Errorf("resuming again: exit %d", code)
	}
	if !bytes.Equal(before, readFile(filepath.Join(c.dir, "notices.jsonl"))) {
		return errors.New("resuming again told somebody")
	}
	return nil
}

// process is one run of remint, broken at an operation, and what holds whenever one has
// ended. Exit 0 means that everything is done, at once: promise 10. A resume that says
// that nothing is open has promised nothing.
func (c *crash) process(t *testing.T, at string, args ...string) (code int, err error) {
	t.Helper()
	from := len(read(c.log))
	out, code := c.child(at, args...)
	err = c.stopped(t, code, at)
	if err == nil {
		err = heeded(at, code, read(c.log)[from:])
	}
	if err == nil && code == 0 && !strings.Contains(out, "Nothing is open") {
		if err = c.finished(t); err != nil {
			err = fmt.Errorf("exit 0, and yet: %w", err)
		}
	}
	return code, err
}

func readFile(path string) []byte { b, _ := os.ReadFile(path); return b }
