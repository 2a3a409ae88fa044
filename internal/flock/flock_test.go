package flock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/flock"
)

// TestMain lets the test binary be the second process: it takes a lock and keeps it.
func TestMain(m *testing.M) {
	if path := os.Getenv("FLOCK_HOLD"); path != "" {
		f, err := os.Open(path)
		if err == nil {
			err = flock.Lock(context.Background(), f, flock.Patience{Limit: time.Minute})
		}
		fmt.Println(err)
		select {}
	}
	os.Exit(m.Run())
}

// stopped has another process take dir's lock, stops it, and gives what ends it.
func stopped(t *testing.T, dir string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FLOCK_HOLD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, end
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Who waits for a process that is stopped is told so, gives up in time, and names it.
func TestAProcessThatIsStopped(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	pid, end := stopped(t, dir)
	who := "another process"
	if runtime.GOOS == "linux" {
		who = fmt.Sprintf("process %d", pid)
	}
	var told []string
	patience := flock.Patience{What: "the folder d", Limit: 500 * time.Millisecond, Cut: 50 * time.Millisecond,
		After: 100 * time.Millisecond, Told: func(s string) { told = append(told, s) }}
	var held *flock.HeldError
	err := flock.Lock(t.Context(), open(t, dir), patience)
	if !errors.As(err, &held) || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the folder d is in use by "+who+",") || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("%v", err)
	}
	if len(told) != 1 || told[0] != "the folder d is in use by "+who+": waiting for it, for 500ms at most" {
		t.Errorf("told %q", told)
	}

	patience.Limit, patience.After = time.Hour, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := flock.Lock(ctx, open(t, dir), patience); !errors.As(err, &held) || !errors.Is(err, context.Canceled) {
		t.Errorf("cut short: %v", err)
	}

	got := make(chan error)
	f := open(t, dir)
	go func() { got <- flock.Lock(t.Context(), f, patience) }()
	time.Sleep(20 * time.Millisecond)
	end()
	if err := <-got; err != nil {
		t.Errorf("when it was ended: %v", err)
	}
	_ = f.Close()
	if err := flock.Lock(ctx, open(t, dir), patience); err != nil { // free, so there is no wait to cut
		t.Errorf("when all are gone: %v", err)
	}
}
