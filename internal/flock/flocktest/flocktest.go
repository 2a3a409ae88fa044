// Package flocktest has a process that holds a lock and is stopped, for tests.
package flocktest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/flock"
)

// holdEnv names what the process is to lock.
const holdEnv = "REMINT_TEST_HOLD"

// Main is the other process, if this one is: it takes the lock, says so, and keeps it
// until it is ended. TestMain of a package that uses Stopped begins with it.
func Main() {
	path := os.Getenv(holdEnv)
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err == nil {
		err = flock.Lock(context.Background(), f, flock.Patience{Limit: time.Minute})
	}
	_, _ = fmt.Fprintln(os.NewFile(3, "said"), err) // the first of ExtraFiles
	select {}
}

// Stopped has another process take the lock of path, stops it, and gives what ends it.
func Stopped(t testing.TB, path string) (pid int, end func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	out, said, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd.ExtraFiles = []*os.File{said}
	err = cmd.Start()
	_ = said.Close()
	if err != nil {
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
