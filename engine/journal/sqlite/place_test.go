package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
