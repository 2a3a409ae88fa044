package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// locks tells live runners from dead ones: each run at work holds the lock of a
// file, which the kernel lets go of when the process dies, however it dies, and
// keeps while the process is merely stopped.
type locks struct {
	dir  string
	mu   sync.Mutex
	held map[string]*os.File
}

func newLocks(dir string) *locks { return &locks{dir: dir, held: map[string]*os.File{}} }

// errAtWork: the run is at work elsewhere.
var errAtWork = errors.New("it is at work in another process")

// patience is how long a lock that is held may only be somebody's look at it.
const patience = time.Second

// take takes a run's lock, fresh, or keeps it if this process has it.
func (l *locks) take(ctx context.Context, run string) (fresh bool, err error) {
	if err := privateFolder(l.dir); err != nil {
		return false, err
	}
	for end := time.Now().Add(patience); ; {
		fresh, err := l.takeNow(run)
		if !errors.Is(err, errAtWork) || time.Now().After(end) {
			return fresh, err
		}
		select { // with nothing held: the writer asks who is alive meanwhile
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (l *locks) takeNow(run string) (fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[run] != nil {
		return false, nil
	}
	f, err := l.try(run)
	if err != nil {
		return false, err
	}
	l.held[run] = f
	return true, nil
}

// try takes the lock of the file that is at the path: one that was removed
// between opening and locking is not it any more.
func (l *locks) try(run string) (*os.File, error) {
	for {
		f, err := os.OpenFile(l.path(run), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, fmt.Errorf("the lock of run %s cannot be made: %w", run, err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(errAtWork, f.Close())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the lock of run %s cannot be taken: %w", run, err), f.Close())
		}
		if l.current(f, run) {
			return f, nil
		}
		_ = f.Close()
	}
}

// current reports whether f is what stands at the path of a run's lock.
func (l *locks) current(f *os.File, run string) bool {
	mine, _ := f.Stat()
	there, _ := os.Lstat(l.path(run)) // what is not there is the same as nothing
	return os.SameFile(mine, there)
}

// alive reports whether a process, this one included, is at work on the run.
// What cannot be looked at counts as alive: taking over is for the dead.
func (l *locks) alive(run string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[run] != nil {
		return true
	}
	f, err := os.OpenFile(l.path(run), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer func() { _ = f.Close() }()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// drop lets go of a run's lock and removes its file.
func (l *locks) drop(run string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.held[run]
	if f == nil {
		return nil
	}
	delete(l.held, run)
	// Removed while it is locked: whoever opens it later makes a new one.
	return errors.Join(os.Remove(l.path(run)), f.Close())
}

func (l *locks) closeAll() error {
	l.mu.Lock()
	runs := make([]string, 0, len(l.held))
	for run := range l.held {
		runs = append(runs, run)
	}
	l.mu.Unlock()
	var errs []error
	for _, run := range runs {
		errs = append(errs, l.drop(run))
	}
	return errors.Join(errs...)
}

func (l *locks) path(run string) string { return filepath.Join(l.dir, "run-"+run+".lock") }
