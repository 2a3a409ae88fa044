// Package atomicfile replaces files that other programs read: whole, durably,
// with owner and mode kept, and never over somebody else's change.
//
// Every error is classed (see provider.Class) and names the file and what to do.
package atomicfile

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/remint-dev/remint/engine/provider"
)

// MaxSize bounds what Read takes into memory.
const MaxSize = 64 << 20

// Resolve gives the real path behind symbolic links, of a file that need not
// exist yet. Replacing the real file leaves the links in place.
func Resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real, nil
	}
	if _, lerr := os.Lstat(path); lerr == nil || !errors.Is(err, fs.ErrNotExist) {
		return "", provider.Errorf(provider.Permanent, "%s cannot be resolved: it is a link that leads nowhere, or a folder on the way may not be read", path)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", provider.Errorf(provider.Permanent, "the folder %s is not there or may not be read: make it first", filepath.Dir(path))
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// Lock excludes every other holder of a lock in path's folder, in this process
// and in others, until unlock is called; it waits for them as long as ctx
// allows, and then fails as Conflict. The lock is on the folder, so that it
// leaves nothing behind and survives the replacement of the file.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	dir := filepath.Dir(path)
	f, err := os.Open(dir)
	if err != nil {
		return nil, classed(err, dir, "opened")
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, provider.Errorf(provider.Permanent, "the folder %s cannot be locked: its file system must support flock", dir)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, provider.Errorf(provider.Conflict, "another process holds the lock on %s: wait for it to finish, then try again", dir)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Read gives the whole file, nil if there is none.
func Read(path string) ([]byte, error) {
	// Without O_NONBLOCK, opening a named pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, classed(err, path, "read")
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, provider.Errorf(provider.Permanent, "%s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, classed(err, path, "read")
	}
	if len(data) > MaxSize {
		return nil, provider.Errorf(provider.Permanent, "%s is larger than %d MiB: that cannot be right", path, MaxSize>>20)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

// Edit replaces the file by what change makes of it, under the lock. change
// gets nil for a file that is not there, which is then made with mode perm.
// If change returns the bytes that it got, nothing is written.
func Edit(ctx context.Context, path string, perm fs.FileMode, change func(old []byte) ([]byte, error)) error {
	unlock, err := Lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := Read(path)
	if err != nil {
		return err
	}
	data, err := change(old)
	if err != nil {
		return err
	}
	if bytes.Equal(old, data) && (old != nil || data == nil) {
		return nil
	}
	return Replace(path, old, data, perm)
}

// Replace puts data in place of the file in one step, durably. It keeps owner
// and mode; a new file gets perm. A file that no longer holds expect (nil: that
// is not absent) was changed by somebody who takes no lock: that is a Conflict
// and nothing is written. The caller holds the lock.
func Replace(path string, expect, data []byte, perm fs.FileMode) error {
	uid, gid := -1, -1
	if info, err := os.Stat(path); err == nil {
		perm = info.Mode().Perm()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	}
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".remint-"+rand.Text()[:12])
	if err := write(temp, data, perm, uid, gid); err != nil {
		_ = os.Remove(temp)
		return classed(err, path, "replaced")
	}
	now, err := Read(path)
	if err == nil && (!bytes.Equal(now, expect) || (now == nil) != (expect == nil)) {
		err = provider.Errorf(provider.Conflict, "%s was changed by another program meanwhile: nothing was written; try again", path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return classed(err, path, "replaced")
	}
	return SyncDir(path)
}

// SyncDir makes the directory entry of path durable. Its error is Ambiguous:
// the change is visible, but may not survive a power cut.
func SyncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return provider.Errorf(provider.Ambiguous, "%s was written, but its folder could not be synced to disk", path)
	}
	return nil
}

// write makes a new file that has owner and mode before it has its name.
func write(path string, data []byte, perm fs.FileMode, uid, gid int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if uid >= 0 && (uid != os.Geteuid() || gid != os.Getegid()) {
		err = f.Chown(uid, gid)
	}
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// classed says what could not be done, and why in the system's words.
func classed(err error, path, verb string) error {
	class, cause := provider.Transient, err
	var errno syscall.Errno
	if errors.As(err, &errno) {
		cause = errno
		switch errno {
		case syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG:
			class = provider.Permanent
		}
	}
	return provider.Errorf(class, "%s cannot be %s: %v", path, verb, cause)
}
