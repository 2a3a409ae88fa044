package command_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/providers/command"
)

const canary = "c4nary-Zx9-secret"

// TestMain lets the test binary be the program: it reports what it was given.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "report" {
		dir, _ := os.Getwd()
		stdin, _ := os.Readlink("/proc/self/fd/0")
		report := strings.Join([]string{dir, stdin, strings.Join(os.Environ(), ","), strings.Join(os.Args[3:], "|"),
			fmt.Sprint(syscall.Getpgrp() == os.Getpid())}, "\n")
		if err := os.WriteFile(os.Args[2], []byte(report), 0o600); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, set map[string]any) provider.Consumer {
	t.Helper()
	values := map[string]any{"timeout": time.Minute}
	for k, v := range set {
		values[k] = v
	}
	c, err := command.Consumer().Open(t.Context(), provider.Block{Attrs: provider.NewAttrs(values)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGetsNothingButWhatTheBlockSets(t *testing.T) {
	t.Setenv("REMINT_VAR_admin_url", canary)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, dir := filepath.Join(t.TempDir(), "report"), t.TempDir()
	for _, c := range []struct {
		set  map[string]any
		want string
	}{
		{map[string]any{}, "/\n/dev/null\n\na b|$HOME|*\ntrue"},
		{map[string]any{"env": map[string]string{"B": "2 3", "A": "1"}, "directory": provider.Path{Written: "x", Absolute: dir}},
			dir + "\n/dev/null\nA=1,B=2 3\na b|$HOME|*\ntrue"},
	} {
		c.set["command"] = []string{self, "report", out, "a b", "$HOME", "*"}
		for range 2 {
			if err := open(t, c.set).Reload(t.Context(), "key"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	plain, script := filepath.Join(dir, "plain"), filepath.Join(dir, "script")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("exit 0"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set   map[string]any
		class provider.Class
		want  string
	}{
		"exit code": {map[string]any{"command": []string{"/bin/sh", "-c", "echo " + canary + "; echo " + canary + " >&2; exit 3"}},
			provider.Transient, "/bin/sh exited with 3 after 36 bytes of output; output is not kept"},
		"much output": {map[string]any{"command": []string{"/bin/sh", "-c", "head -c 10000000 /dev/zero; exit 1"}, "env": map[string]string{"PATH": "/bin:/usr/bin"}},
			provider.Transient, "exited with 1 after 10000000 bytes"},
		"absent":      {map[string]any{"command": []string{"/absent", canary}}, provider.Permanent, "/absent was not started: there is no such program"},
		"not allowed": {map[string]any{"command": []string{plain}}, provider.Permanent, "check its path and its mode"},
		"no program":  {map[string]any{"command": []string{script}}, provider.Permanent, "must begin with #!"},
		"no folder":   {map[string]any{"command": []string{"/bin/true"}, "directory": provider.Path{Written: "x", Absolute: "/absent"}}, provider.Permanent, "the folder /absent cannot be entered"},
		"signal":      {map[string]any{"command": []string{"/bin/sh", "-c", "kill -TERM $$"}}, provider.Ambiguous, "was ended by somebody else (terminated)"},
		"time-out":    {map[string]any{"command": []string{"/bin/sleep", "1000"}, "timeout": 50 * time.Millisecond}, provider.Ambiguous, "/bin/sleep was killed, as it had not ended in time (timeout is 50ms)"},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(t, c.set).Reload(t.Context(), "key")
			if provider.ClassOf(err, "") != c.class || !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), canary) {
				t.Errorf("%s: %v", provider.ClassOf(err, ""), err)
			}
		})
	}
}

func TestCancellationKillsTheWholeGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	c := open(t, map[string]any{"command": []string{"/bin/sh", "-c", `/bin/sleep 1000 & echo $! >"$0.new"; /bin/mv "$0.new" "$0"; wait`, file}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Reload(ctx, "key") }()
	var pid []byte
	for pid == nil {
		select {
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		case <-time.After(5 * time.Millisecond):
			pid, _ = os.ReadFile(file)
		}
	}
	cancel()
	if err := <-done; provider.ClassOf(err, "") != provider.Ambiguous || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("%v", err)
	}
	// A killed process is gone once the system comes to it; one that lives on hangs here.
	for {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := c.Reload(ctx, "key"); provider.ClassOf(err, "") != provider.Transient {
		t.Errorf("cancelled before it began: %v", err)
	}
}

// A daemon that keeps the output open does not hold up the reset, and lives on.
func TestBackgroundProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	c := open(t, map[string]any{"command": []string{"/bin/sh", "-c", `/bin/sleep 1000 & echo $! >"$0"`, file}})
	if err := c.Reload(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the daemon is gone: %v", err)
	}
}

func TestChecks(t *testing.T) {
	schema := command.Consumer().Schema
	for _, c := range []struct {
		name  string
		value any
	}{
		{"command", []string{}},
		{"command", []string{"systemctl", "reload"}},
		{"command", []string{"./reload.sh"}},
		{"command", []string{"/bin/true", "a\x00b"}},
		{"env", map[string]string{"A=B": "1"}},
		{"env", map[string]string{"": "1"}},
		{"env", map[string]string{"A": "\x00"}},
	} {
		a, _ := schema.Find(c.name)
		if err := a.Check(c.value); err == nil || !strings.HasPrefix(err.Error(), "must ") {
			t.Errorf("%v: %v", c.value, err)
		}
	}
}
