package atomicfile_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/atomicfile"
)

func TestEditKeepsOwnerModeAndLinks(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	wantUID := uint32(os.Getuid())
	if os.Getuid() == 0 {
		wantUID = 4711
		if err := os.Chown(file, 4711, 4712); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(file, 0o664); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	real, err := atomicfile.Resolve(link)
	if err != nil {
		t.Fatal(err)
	}
	err = atomicfile.Edit(t.Context(), real, 0o600, func(old []byte) ([]byte, error) { return append(old, " new"...), nil })
	if err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(link)
	info, _ := os.Stat(file)
	if string(got) != "old new" || info.Mode().Perm() != 0o664 || info.Sys().(*syscall.Stat_t).Uid != wantUID {
		t.Errorf("content %q, mode %v, uid %d", got, info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestEditMakesMissingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new")
	err := atomicfile.Edit(t.Context(), file, 0o604, func(old []byte) ([]byte, error) {
		if old != nil {
			t.Errorf("old is %q, not absent", old)
		}
		return []byte("x"), nil
	})
	info, serr := os.Stat(file)
	if err != nil || serr != nil || info.Mode().Perm() != 0o604 {
		t.Fatal(err, serr, info)
	}
}

func TestReplaceRefusesForeignChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	for _, expect := range [][]byte{nil, []byte("before")} {
		if err := os.WriteFile(file, []byte("theirs"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := atomicfile.Replace(file, expect, []byte("ours"), 0o600)
		got, _ := os.ReadFile(file)
		if provider.ClassOf(err, "") != provider.Conflict || string(got) != "theirs" {
			t.Errorf("expect %q: %v, file %q", expect, err, got)
		}
	}
}

func TestLockTimesOutAsConflict(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	unlock, err := atomicfile.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := atomicfile.Lock(ctx, file); provider.ClassOf(err, "") != provider.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
	unlock()
	unlock, err = atomicfile.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestConcurrentEditsAllCount(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := atomicfile.Edit(t.Context(), file, 0o600, func(old []byte) ([]byte, error) {
				return append(bytes.Clone(old), strconv.Itoa(i)+"\n"...), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, _ := os.ReadFile(file)
	if n := bytes.Count(got, []byte("\n")); n != 20 {
		t.Errorf("%d of 20 edits survived", n)
	}
}

func TestNastyPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"dangling link":  filepath.Join(dir, "dangling"),
		"missing folder": filepath.Join(dir, "a", "b"),
	} {
		if _, err := atomicfile.Resolve(path); provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := atomicfile.Read(dir); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("reading a folder: %v", err)
	}
}
