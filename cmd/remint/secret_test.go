//go:build linux && !race

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// secretCase is a reset of which everything that is written and said is kept.
type secretCase struct {
	*crash
	env   []string          // of every command: secrets in variables, and others'
	seen  string            // the file of sightings
	state string            // the URL of the state's server, "" where it is in a file
	said  map[string][]byte // all output, that of trust apart
	last  []byte            // that of the last command
	proc  *proc
	known []*known
}

// trustShown is the output that shows what judges, where notices go included.
const trustShown = "the output of trust"

// TestSecrets sends canaries through every mode of every type, and through
// failures at each kind of operation; a webhook answers 500 with the body that it
// got, a mail server repeats the password. Everything written and said is searched.
func TestSecrets(t *testing.T) {
	total := newLeaks()
	v := newVault(t)
	t.Run("all", func(t *testing.T) {
		for _, w := range v.worlds(t) {
			template := canaryTemplate(t, w)
			for i, reason := range reasons {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					plain := v.newCase(t, w, dress{loud: true}, template, reason)
					plain.through(t, total, nil)
					ops := operations(read(plain.log))
					var cases abreast
					cases.add("nothing fails", func(t *testing.T) { v.newCase(t, w, dress{shared: true}, template, reason).through(t, total, nil) })
					for j, f := range failures() {
						env := f.env(ops)
						if env == nil || os.Getenv("REMINT_TORTURE") == "" && (i+j+len(w.name))%6 != 0 {
							continue
						}
						d := dress{shared: j/6%2 == 0, loud: j/12%2 == 0}
						cases.add(f.name, func(t *testing.T) { v.newCase(t, w, d, template, reason).through(t, total, env) })
					}
					cases.run(t)
				})
			}
		}
	})
	v.after(t, total)
	total.report(t, "in every mode and failure")
}

// remint runs the program, keeps what it says, and looks into /proc meanwhile.
func (c *secretCase) remint(t *testing.T, env []string, args ...string) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(exe, args...)
	cmd.Dir = c.dir
	cmd.Env = slices.Concat(os.Environ(), []string{"REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS=", "GOTRACEBACK=all", "REMINT_TEST_LOG=" + c.log, "REMINT_TEST_SEEN=" + c.seen}, c.env, env)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { c.proc.watch(cmd.Process.Pid, ended) })
	err = cmd.Wait()
	close(ended)
	watch.Wait()
	fmt.Fprintf(&c.trail, "$ remint %s: %v\n%s", strings.Join(args, " "), err, out.String())
	c.last = out.Bytes()
	place := "the output"
	if len(args) > 1 && args[0] == "trust" {
		place = trustShown
	}
	c.said[place] = append(c.said[place], c.last...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// through plans, approves, applies with a failure, finishes, asks what can be
// asked, and searches: right after the failure, and at the end.
func (c *secretCase) through(t *testing.T, l *leaks, env []string) {
	t.Helper()
	c.remint(t, nil, "plan", "-all", "-reason="+c.reason, "-out=a.plan")
	c.remint(t, nil, "approve", "-key=keys/alice.pem", "a.plan")
	c.remint(t, env, "apply", "-json", "-auto-approve", "a.plan")
	field := []string{}
	if f := c.stores["store"]; f != "value" {
		field = []string{"-field=" + f}
	}
	c.remint(t, nil, append([]string{"recover", "-out=" + recovered, "credential." + c.name + ".x"}, field...)...)
	halfway := c.places(t)
	for range 2 {
		c.remint(t, nil, "resume", "-json")
	}
	for _, args := range asked(env == nil) {
		c.remint(t, nil, args...)
	}
	c.learnStored(t)
	c.learnKeys(t)
	seen := c.learnSeen(t)
	// The new secret was learnt at the end, and is searched for in what there was.
	found := append(l.search(c.known, halfway), l.search(c.known, c.places(t))...)
	cores, _ := filepath.Glob(filepath.Join(c.dir, "core*"))
	for _, f := range cores {
		found = append(found, "a core file was written: "+f)
	}
	l.count(c, found, c.reached(env, seen))
	if len(found) > 0 {
		t.Errorf("%s\n%s", strings.Join(found, "\n"), c.trail.String())
	}
}

// asked are questions about a workspace: those to which the answers are most about
// a run, or all of them.
func asked(all bool) [][]string {
	list := [][]string{{"status", "-json"}, {"evidence", "show", "-json"}, {"evidence", "verify"}, {"evidence", "export", "-out=exported"}, {"resume"}}
	if all {
		list = append(list, [][]string{
			{"show", "a.plan"}, {"show", "-json", "a.plan"}, {"graph", "a.plan"}, {"approvals", "a.plan"}, {"policy", "eval", "-explain", "a.plan"},
			{"status"}, {"runs"}, {"evidence", "list"}, {"evidence", "show"},
		}...)
	}
	return list
}

// reached reports whether what was to be broken, or to be careless, was.
func (c *secretCase) reached(env []string, seen []sighting) bool {
	for _, kv := range env {
		if _, call, ok := strings.Cut(strings.TrimPrefix(kv, "REMINT_TEST_ECHO="), " "); ok && strings.HasPrefix(kv, "REMINT_TEST_ECHO=") {
			return slices.ContainsFunc(seen, func(s sighting) bool { return s.Call == call })
		}
		if strings.HasPrefix(kv, "REMINT_TEST_BREAK=") {
			return slices.ContainsFunc(read(c.log), func(l logged) bool { return l.word == "broke" })
		}
	}
	return true
}

// places are all that a case has written and said by now, each under its name.
func (c *secretCase) places(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for place, text := range c.said {
		all[place] = slices.Clone(text)
	}
	maps.Copy(all, c.proc.places())
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(c.dir, path)
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(rel, "old/") {
			return err
		}
		all[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.state != "" {
		maps.Copy(all, dumped(t, c.state, roleOf(c.dir)))
	} else {
		maps.Copy(all, unpacked(t, filepath.Join(c.dir, ".remint/state.db")))
	}
	return all
}
