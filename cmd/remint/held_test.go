//go:build !race

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/flock/flocktest"
)

// held has another process lock a folder of the machine and stops it there. end ends it.
func (m machine) held(t *testing.T, folder string) (name string, end func()) {
	t.Helper()
	pid, end := flocktest.Stopped(t, filepath.Join(m.dir, folder))
	name = "in use by "
	if _, err := os.Stat("/proc/locks"); err == nil {
		name += fmt.Sprintf("process %d", pid)
	}
	return name, end
}

// begun starts remint on the machine; out is to be read when it has ended.
func (m machine) begun(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{asChild(t.Context(), exe, m.dir, nil, args), &bytes.Buffer{}, m.dir}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// A process that was stopped while it filed evidence keeps the directory locked. Whoever
// comes is told so, waits for a while or until two interrupts, and loses nothing: what
// was changed is recorded, and filed when that process is gone.
func TestRunnersBehindOneThatFiles(t *testing.T) {
	t.Parallel()
	template := prepared(t, htpasswdWorld())
	fresh := func(t *testing.T) machine { return machine{newCase(t, htpasswdWorld(), template, "compromised")} }
	interrupted := func(t *testing.T, p *process) {
		t.Helper()
		time.Sleep(time.Second)
		p.signal(t, syscall.SIGINT)
		time.Sleep(time.Second)
		p.signal(t, syscall.SIGINT)
	}
	mended := func(t *testing.T, m machine) {
		t.Helper()
		if out, code := m.child("", "resume"); code != 0 {
			t.Fatalf("resume: exit %d\n%s", code, out)
		}
		m.reset(t)
	}
	t.Run("before anything", func(t *testing.T) {
		t.Parallel()
		m := fresh(t)
		if err := os.MkdirAll(filepath.Join(m.dir, "evidence"), 0o755); err != nil {
			t.Fatal(err)
		}
		who, end := m.held(t, "evidence")
		out, code := m.apply("")
		if said := flat(out); code != 1 || !strings.Contains(said, who+": waiting for it") || !strings.Contains(said, who+", which") || !strings.Contains(said, "Nothing was changed") {
			t.Errorf("exit %d\n%s", code, out)
		}
		m.untouched(t)
		p := m.begun(t, "resume")
		interrupted(t, p)
		if out, code := p.ends(t); code != 6 || !strings.Contains(flat(out), who+", which") {
			t.Errorf("resume: exit %d\n%s", code, out)
		}
		end()
		if out, code := m.child("", "resume"); code != 0 {
			t.Errorf("resume: exit %d\n%s", code, out)
		}
		if out, code := m.apply(""); code != 0 {
			t.Fatalf("exit %d\n%s", code, out)
		}
		m.reset(t)
	})
	for name, twice := range map[string]bool{"in the middle": false, "in the middle, interrupted twice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := fresh(t)
			p := m.hooked(t, "store.Put#1")
			time.Sleep(3 * time.Second) // what is recorded so far is filed
			who, end := m.held(t, "evidence")
			begun := time.Now()
			p.letGo(t)
			if twice {
				time.Sleep(2 * time.Second)
				interrupted(t, p)
			}
			out, code := p.ends(t)
			if said := flat(out); code != 6 || !strings.Contains(said, who+", which") || !strings.Contains(said, "remint resume") {
				t.Errorf("exit %d\n%s", code, out)
			}
			if took := time.Since(begun); twice && took > 20*time.Second {
				t.Errorf("it took %s after two interrupts", took)
			}
			end()
			mended(t, m)
		})
	}
	// The same for the folder of a target's file, whose lock a step waits for.
	t.Run("at the target", func(t *testing.T) {
		t.Parallel()
		m := fresh(t)
		who, end := m.held(t, ".")
		out, code := m.apply("")
		if said := flat(out); code == 0 || !strings.Contains(said, who+", which") {
			t.Errorf("exit %d\n%s", code, out)
		}
		m.untouched(t)
		end()
		if out, code := m.child("", "resume"); code > 1 {
			t.Fatalf("resume: exit %d\n%s", code, out)
		}
	})
}
