package flock_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/flock"
	"github.com/remint-dev/remint/internal/flock/flocktest"
)

// TestMain lets the test binary be the second process: it takes a lock and keeps it.
func TestMain(m *testing.M) {
	flocktest.Main()
	os.Exit(m.Run())
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
	pid, end := flocktest.Stopped(t, dir)
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
