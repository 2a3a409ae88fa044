package boundedfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/remint-dev/remint/internal/boundedfile"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for size, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: boundedfile.ErrTooLarge} {
		if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := boundedfile.Read(path, 10); !errors.Is(err, want) || err == nil && len(b) != size {
			t.Errorf("%d bytes: %d, %v", size, len(b), err)
		}
	}
	if _, err := boundedfile.Read(filepath.Join(dir, "none"), 10); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
		t.Errorf("no file: %v", err)
	}
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", link)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, pipe, link} {
		if _, err := boundedfile.Read(p, 10); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestReadIn(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "key")
	err := errors.Join(os.WriteFile(filepath.Join(dir, "f"), []byte("xx"), 0o600), os.WriteFile(outside, []byte("key"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "out")), syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if b, err := boundedfile.ReadIn(root, "f", 2); string(b) != "xx" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := boundedfile.ReadIn(root, "f", 1); !errors.Is(err, boundedfile.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := boundedfile.ReadIn(root, "pipe", 2); !errors.Is(err, boundedfile.ErrIrregular) {
		t.Errorf("a pipe: %v", err)
	}
	if b, err := boundedfile.ReadIn(root, "out", 9); err == nil {
		t.Errorf("a link that leads out: %q", b)
	}
}
