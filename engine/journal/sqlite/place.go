package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// preparePlace checks where the state is or will be, makes the folder and an
// empty file if needed, and gives the absolute path.
//
// An existing file is only looked at, never opened: closing any descriptor of it
// would drop the locks that SQLite holds in this process.
func preparePlace(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("the state's path is empty or holds a NUL character: name a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("the state's path cannot be resolved: %w", err)
	}
	if err := privateFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	for _, side := range []string{path + "-wal", path + "-shm", path + "-journal"} {
		if err := privateFile(side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := createFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return path, privateFile(path)
}

// createFile makes an empty file that nobody else can read, durably. What is there
// already, a symbolic link too, is fs.ErrExist and is not opened.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the state cannot be made: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close(), syncFolder(filepath.Dir(path)))
}

// privateFolder makes dir (0700, durably) or checks that only its owner, who is
// the caller, may write into it.
func privateFolder(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(dir); err != nil {
			return fmt.Errorf("the state's folder cannot be made: %w", err)
		}
		info, err = os.Lstat(dir)
	}
	if err != nil {
		return fmt.Errorf("the state's folder cannot be read: %w", err)
	}
	return privateEntry(dir, info, fs.ModeDir)
}

// makeFolder makes dir and those above it. Another process may be quicker: what
// it made is looked at like any other.
func makeFolder(dir string) error {
	parent := filepath.Dir(dir)
	_ = os.MkdirAll(parent, 0o700) // without it the next fails, and says why
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return errors.Join(os.Chmod(dir, 0o700), syncFolder(parent)) // a umask may have taken the owner's own rights away
}

func privateFile(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("the state cannot be read: %w", err)
	}
	return privateEntry(path, info, 0)
}

func privateEntry(path string, info fs.FileInfo, want fs.FileMode) error {
	what := "a regular file"
	if want == fs.ModeDir {
		what = "a folder"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: give the real path of the state", path)
	case info.Mode().Type() != want:
		return fmt.Errorf("%s is not %s: move it away, or give another path for the state", path, what)
	case !ok:
		return fmt.Errorf("%s: this system does not tell who owns a file", path)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (uid %d, you are %d): run as its owner, or give another path for the state", path, st.Uid, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s may be written by others (mode %04o): check who changed it, then `chmod go-w` it", path, info.Mode().Perm())
	case want == 0 && st.Nlink > 1:
		return fmt.Errorf("%s has a second name (hard link), through which a second lock could be had: remove that one", path)
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
