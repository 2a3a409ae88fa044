//go:build !race

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
)

// machine is a copy of a workspace, as on a machine of its own.
type machine struct{ *crash }

// machines are two copies of one workspace, of one credential at one target, with
// one state in PostgreSQL. Both can open what is sealed unless apart is set.
func machines(t *testing.T, w world, apart bool) (a, b machine) {
	t.Helper()
	s := stateServer(t)
	w = onPostgreSQL(w, s.SuperURL(), s.SuperURL())
	template := prepared(t, w)
	if !apart {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		write(t, template, map[string]string{"seal.txt": id.String() + "\n"})
		w.hcl = strings.Replace(w.hcl, "remint {", fmt.Sprintf("remint {\n  seal {\n    recipients = [%q]\n    identities = [\"seal.txt\"]\n  }", id.Recipient()), 1)
	}
	a = machine{newCase(t, w, template, "scheduled")}
	dir := t.TempDir() + "/" + filepath.Base(a.dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, a.dir, "cp", "-a", ".", dir)
	b = machine{&crash{world: a.world, dir: dir, log: filepath.Join(dir, "operations"), reason: a.reason, before: a.before}}
	return a, b
}

// process is remint at work on a machine.
type process struct {
	cmd *exec.Cmd
	out *bytes.Buffer
	dir string
}

// hooked starts an apply that waits at an operation until it is let go.
func (m machine) hooked(t *testing.T, at string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{exec.Command(exe, "apply", "-auto-approve", "-reason="+m.reason, "-all"), &bytes.Buffer{}, m.dir}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = m.dir, p.out, p.out
	p.cmd.Env = append(os.Environ(), "REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS=", "REMINT_TEST_LOG="+m.log, "REMINT_TEST_BREAK="+hooked+" "+at,
		"REMINT_TEST_HOOK=touch reached; while [ ! -e go ]; do sleep 0.05; done")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(m.dir, "reached")); err == nil {
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("%s was not reached: %s", at, p.out)
		}
	}
}

func (p *process) letGo(t *testing.T) {
	t.Helper()
	write(t, p.dir, map[string]string{"go": ""})
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the process, and gives what it said and its exit code.
func (p *process) ends(t *testing.T) (string, int) {
	t.Helper()
	timer := time.AfterFunc(2*time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait() // the code says it
	return p.out.String(), p.cmd.ProcessState.ExitCode()
}

// reset checks, by logging in, that the reset is done and that m has the new secret.
func (m machine) reset(t *testing.T) {
	t.Helper()
	if old, stored := m.works(t, m.dir); old || !stored {
		t.Errorf("the old secret works: %v, the stored one: %v", old, stored)
	}
	if out, code := child(m.dir, nil, "evidence", "verify"); code != 0 {
		t.Errorf("evidence verify exits %d: %s", code, out)
	}
}

// flat is what was said, without the lines' ends.
func flat(out string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(out, "│", "")), " ")
}

func (m machine) untouched(t *testing.T) {
	t.Helper()
	if got := m.outside(t); got != m.before {
		t.Errorf("something was changed: %s\nbefore: %s", got, m.before)
	}
}

// A second runner on another machine is refused, with the name and the age of the
// first; afterwards it may.
func TestRunnersTwo(t *testing.T) {
	t.Parallel()
	a, b := machines(t, crashWorlds(t)[0], false)
	first := a.hooked(t, "provider.Set#1")
	time.Sleep(time.Second)
	for _, args := range [][]string{{"apply", "-auto-approve", "-reason=scheduled", "-all"}, {"resume"}} {
		out, code := b.child("", args...)
		if said := flat(out); code != 1 || !strings.Contains(said, " on ") || !strings.Contains(said, fmt.Sprintf("process %d", first.cmd.Process.Pid)) || !strings.Contains(said, "s ago") {
			t.Errorf("%s beside another: exit %d\n%s", args[0], code, out)
		}
	}
	b.untouched(t)
	first.letGo(t)
	if out, code := first.ends(t); code != 0 {
		t.Fatalf("the first: exit %d\n%s", code, out)
	}
	a.reset(t)
	if out, code := b.apply(""); code != 0 {
		t.Fatalf("after it: exit %d\n%s", code, out)
	}
	b.reset(t)
}

// A run whose machine died is finished on another one: where it cannot open what
// is sealed it says what is missing, and changes nothing.
func TestRunnersResumedElsewhere(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"provider.Set#1", "store.Put#1"} {
		for _, way := range []string{killBefore, killAfter} {
			t.Run(way+" "+at, func(t *testing.T) {
				t.Parallel()
				a, b := machines(t, crashWorlds(t)[0], true)
				if out, code := a.apply(way + " " + at); code != -1 {
					t.Fatalf("exit %d\n%s", code, out)
				}
				target := b.target(t, b.dir)
				out, code := b.child("", "resume")
				host, _ := os.Hostname()
				if said := flat(out); code != 6 || !strings.Contains(said, "sealed on "+host) || !strings.Contains(said, "age1") || !strings.Contains(said, "identities") {
					t.Errorf("without the key: exit %d\n%s", code, out)
				}
				if b.target(t, b.dir) != target {
					t.Error("without the key it changed the target")
				}
				run(t, b.dir, "mkdir", "-p", ".remint")
				run(t, b.dir, "cp", filepath.Join(a.dir, ".remint/seal.key"), ".remint/seal.key")
				if out, code := b.child("", "resume"); code != 0 {
					t.Fatalf("with the key: exit %d\n%s", code, out)
				}
				b.reset(t)
				if err := b.forgotten(); err != nil {
					t.Error(err)
				}
				if out, code := a.child("", "resume"); code != 0 || !strings.Contains(out, "Nothing is open") {
					t.Errorf("on the first machine: exit %d\n%s", code, out)
				}
			})
		}
	}
}

// stopped is hooked, and the process is stopped there. It goes on as soon as it wakes.
func (m machine) stopped(t *testing.T, at string) *process {
	t.Helper()
	p := m.hooked(t, at)
	p.signal(t, syscall.SIGSTOP)
	p.letGo(t)
	return p
}

// takesOver resumes, once whoever is at work counts as stopped; broken as told.
func (m machine) takesOver(broken string) (out string, code int) {
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(time.Second) {
		out, code = m.child(broken, "resume")
		if !strings.Contains(flat(out), "is at work already") || time.Now().After(end) {
			return out, code
		}
	}
}

// A runner that is stopped is taken over where the target rejects it: right before
// the change, when it has just seen that the run is its own, and between two
// steps. It wakes, changes nothing, and says why.
func TestRunnersStopped(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"provider.Set#1", "provider.Probe#2"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			a, b := machines(t, crashWorlds(t)[0], false)
			stopped := a.stopped(t, at)
			out, code := b.takesOver("")
			if code != 0 {
				t.Fatalf("taking over: exit %d\n%s", code, out)
			}
			b.reset(t)
			after, store := b.outside(t), string(readFile(filepath.Join(a.dir, "store")))
			stopped.signal(t, syscall.SIGCONT)
			out, code = stopped.ends(t)
			if code != 6 || !strings.Contains(flat(out), "taken this run over") {
				t.Errorf("the one that was stopped: exit %d\n%s", code, out)
			}
			if b.outside(t) != after || string(readFile(filepath.Join(a.dir, "store"))) != store {
				t.Error("the one that was stopped changed something")
			}
			b.reset(t)
			if out, code := a.child("", "resume"); code != 0 {
				t.Errorf("resume on its machine: exit %d\n%s", code, out)
			}
		})
	}
}

// A runner that is stopped right before it puts its secret into a store is taken over
// by its own run, which puts the same one there. As long as it may wake, no other run
// puts a newer one there: it is refused, with the name of who has to be ended.
func TestRunnersStoppedAtAStore(t *testing.T) {
	t.Parallel()
	a, b := machines(t, crashWorlds(t)[0], false)
	for _, m := range []machine{a, b} { // both write one file
		hcl := strings.Replace(string(readFile(filepath.Join(m.dir, "main.remint.hcl"))), `= "store"`, fmt.Sprintf("= %q", filepath.Join(a.dir, "store")), 1)
		write(t, m.dir, map[string]string{"main.remint.hcl": hcl})
	}
	stopped := a.stopped(t, "store.Put#1")
	if out, code := b.takesOver(""); code != 0 {
		t.Fatalf("taking over: exit %d\n%s", code, out)
	}
	works := func(when string) {
		t.Helper()
		if old, stored := a.works(t, a.dir); old || !stored {
			t.Errorf("%s: the old secret works: %v, the stored one: %v", when, old, stored)
		}
	}
	works("taken over")
	after := a.outside(t)
	out, code := b.apply("")
	if said := flat(out); code != 1 || !strings.Contains(said, fmt.Sprintf("process %d", stopped.cmd.Process.Pid)) || !strings.Contains(said, "s ago") || !strings.Contains(said, "end that process") {
		t.Errorf("another run, while it may wake: exit %d\n%s", code, out)
	}
	if a.outside(t) != after {
		t.Error("another run changed something")
	}
	stopped.signal(t, syscall.SIGCONT)
	if out, code := stopped.ends(t); code != 6 || !strings.Contains(flat(out), "taken this run over") {
		t.Errorf("the one that was stopped: exit %d\n%s", code, out)
	}
	works("when it was awake")
	if out, code := b.apply(""); code != 0 {
		t.Errorf("another run, when it was gone: exit %d\n%s", code, out)
	}
	works("in the end")
	if err := b.forgotten(); err != nil {
		t.Error(err)
	}
}

// A runner that is stopped right before the change is rejected when it wakes, also where
// the one that took over ended without any change, and said that nothing was changed. The
// record of the resume announces what is told to the target.
func TestRunnersStoppedBeforeNothing(t *testing.T) {
	t.Parallel()
	a, b := machines(t, crashWorlds(t)[0], false)
	stopped := a.stopped(t, "provider.Set#1")
	out, code := b.takesOver(permanent + " provider.Set#1")
	if code != 1 || !strings.Contains(out, "on purpose") {
		t.Fatalf("taking over, and failing: exit %d\n%s", code, out)
	}
	log := string(readFile(b.log))
	announced, fenced, looked := strings.Index(log, "effect journal.Append[note"), strings.Index(log, "begin provider.Fence#1"), strings.Index(log, "begin provider.Probe")
	if announced < 0 || fenced < announced || looked < fenced {
		t.Errorf("announced at %d, told at %d, looked at %d:\n%s", announced, fenced, looked, log)
	}
	a.untouched(t)
	stopped.signal(t, syscall.SIGCONT)
	if out, code := stopped.ends(t); code != 6 || !strings.Contains(flat(out), "taken this run over") {
		t.Errorf("the one that was stopped: exit %d\n%s", code, out)
	}
	a.untouched(t)
	if out, code := b.apply(""); code != 0 {
		t.Errorf("another run, when it was gone: exit %d\n%s", code, out)
	}
	b.reset(t)
}

// A runner that is stopped is not taken over where the target cannot reject it:
// it may wake. It goes on when it does.
func TestRunnersStoppedUnfenced(t *testing.T) {
	t.Parallel()
	a, b := machines(t, htpasswdWorld(), false)
	// Both machines change one file.
	for _, m := range []machine{a, b} {
		hcl := strings.Replace(string(readFile(filepath.Join(m.dir, "main.remint.hcl"))), `= "site"`, fmt.Sprintf("= %q", filepath.Join(a.dir, "site")), 1)
		write(t, m.dir, map[string]string{"main.remint.hcl": hcl})
	}
	stopped := a.hooked(t, "provider.Set#1")
	stopped.signal(t, syscall.SIGSTOP)
	time.Sleep(17 * time.Second)
	for _, args := range [][]string{{"apply", "-auto-approve", "-reason=scheduled", "-all"}, {"resume"}} {
		if out, code := b.child("", args...); code != 1 || !strings.Contains(flat(out), "may be stopped only, and wake") {
			t.Errorf("%s beside a stopped one: exit %d\n%s", args[0], code, out)
		}
	}
	a.untouched(t)
	stopped.letGo(t)
	stopped.signal(t, syscall.SIGCONT)
	if out, code := stopped.ends(t); code != 0 {
		t.Fatalf("when it woke: exit %d\n%s", code, out)
	}
	a.reset(t)
}
