package sqlite

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
)

// A lock on a file that was removed, or replaced, since it was opened is no lock.
func TestALockIsOnTheFileThatIsThere(t *testing.T) {
	l := newLocks(t.TempDir())
	f, err := os.Create(l.path("r"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if !l.current(f, "r") {
		t.Error("it is the one that is there")
	}
	if err := os.Remove(l.path("r")); err != nil {
		t.Fatal(err)
	}
	if l.current(f, "r") {
		t.Error("it was removed")
	}
	if err := os.WriteFile(l.path("r"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if l.current(f, "r") {
		t.Error("another is there")
	}
}

// Who waits for a lock in vain, because its context ended, does not have it.
func TestALockThatIsNotWaitedFor(t *testing.T) {
	l := newLocks(t.TempDir())
	if err := os.Chmod(l.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(l.path("r"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if fresh, err := l.take(ended, "r"); fresh || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", fresh, err)
	}
}
