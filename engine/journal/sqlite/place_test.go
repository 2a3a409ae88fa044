package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where another process was quicker, what it made is left as it is, to be looked at
// like what was there before.
func TestAnotherProcessWasQuicker(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)); err != nil {
		t.Fatal(err)
	}
	if err := makeFolder(dir); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o770 {
		t.Errorf("%v, %v", info, err)
	}
	path := filepath.Join(dir, "state.db")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := createFile(path); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

// Without a working folder a relative path is nowhere.
func TestNoWorkingFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if path, err := preparePlace("state.db"); err == nil || path != "" || !strings.Contains(err.Error(), "the state's path cannot be resolved") {
		t.Errorf("%q, %v", path, err)
	}
}

// A folder whose entries cannot be made durable is no place for a state.
func TestFoldersThatCannotBeSynced(t *testing.T) {
	if err := syncFolder(t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := syncFolder(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
}

// ownerless is a file of which the system tells no owner.
type ownerless struct{ fs.FileInfo }

func (ownerless) Sys() any { return nil }

// A file whose owner is not told may be anybody's.
func TestFilesWithoutAnOwner(t *testing.T) {
	path := emptyFile(t)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := privateEntry(path, info, 0); err != nil {
		t.Error(err)
	}
	if err := privateEntry(path, ownerless{info}, 0); err == nil || !strings.Contains(err.Error(), "does not tell who owns a file") {
		t.Error(err)
	}
}
