package atomicfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/remint-dev/remint/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the second process: it appends lines.
func TestMain(m *testing.M) {
	if path := os.Getenv("ATOMICFILE_APPEND"); path != "" {
		for i := range 25 {
			if err := appendLine(path, fmt.Sprintf("process %d", i)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func appendLine(path, line string) error {
	return atomicfile.Edit(context.Background(), path, atomicfile.Options{}, func(old []byte) ([]byte, error) {
		return append(bytes.Clone(old), line+"\n"...), nil
	})
}

func put(path string, o atomicfile.Options, content string) error {
	return atomicfile.Replace(context.Background(), path, o, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// onlyHas fails if dir holds anything but the named files.
func onlyHas(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if strings.Join(have, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %v, want %v", have, want)
	}
}

func TestReplaceKeepsModeOwnerAndAttributes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o640)
	root := os.Getuid() == 0
	if root {
		if err := os.Chown(path, 1234, 4321); err != nil {
			t.Fatal(err)
		}
	}
	attribute := unix.Setxattr(path, "user.note", []byte("kept"), 0) == nil
	if err := put(path, atomicfile.Options{Mode: 0o600}, "new"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o640 {
		t.Errorf("mode is %v, want 0640", info.Mode())
	}
	if st := info.Sys().(*syscall.Stat_t); root && (st.Uid != 1234 || st.Gid != 4321) {
		t.Errorf("owner is %d:%d", st.Uid, st.Gid)
	}
	buf := make([]byte, 16)
	if n, err := unix.Getxattr(path, "user.note", buf); attribute && (err != nil || string(buf[:n]) != "kept") {
		t.Errorf("attribute is %q, %v", buf[:max(n, 0)], err)
	}
	if b, _ := os.ReadFile(path); string(b) != "new" {
		t.Errorf("content is %q", b)
	}
	onlyHas(t, dir, "f")
}

func TestNewFile(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ given, want fs.FileMode }{"default": {0, 0o600}, "given": {0o644, 0o644}} {
		if err := put(filepath.Join(dir, name), atomicfile.Options{Mode: c.given}, "x"); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != c.want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	onlyHas(t, dir, "default", "given")
}

func TestRefusesWhatIsNoPlainFile(t *testing.T) {
	for name, make := range map[string]func(path, other string) error{
		"symbolic link": func(path, other string) error { return os.Symlink(other, path) },
		"hard link":     func(path, other string) error { return os.Link(other, path) },
		"folder":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
		"pipe":          func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
			write(t, other, "other", 0o600)
			if err := make(path, other); err != nil {
				t.Fatal(err)
			}
			_, read := atomicfile.Read(path, atomicfile.Options{})
			for what, err := range map[string]error{
				"Replace": put(path, atomicfile.Options{}, "new"),
				"Check":   atomicfile.Check(context.Background(), path, atomicfile.Options{}),
				"Edit":    appendLine(path, "new"),
				"Read":    read,
			} {
				if !errors.Is(err, atomicfile.ErrUnsafe) {
					t.Errorf("%s: %v, want ErrUnsafe", what, err)
				}
			}
			if b, _ := os.ReadFile(other); string(b) != "other" {
				t.Errorf("the other file now holds %q", b)
			}
			onlyHas(t, dir, "f", "other")
		})
	}
}

// TestOpenRefusesWhatIsNoPlainFile: what was planted is not written to, nor made, nor waited for.
func TestOpenRefusesWhatIsNoPlainFile(t *testing.T) {
	flags := map[string]int{"read": os.O_RDONLY, "append": os.O_WRONLY | os.O_APPEND | os.O_CREATE, "write": os.O_RDWR | os.O_CREATE}
	for name, c := range map[string]struct {
		make func(path, other string) error
		says string
	}{
		"symbolic link":    {func(path, other string) error { return os.Symlink(other, path) }, "it is a symbolic link"},
		"dangling link":    {func(path, other string) error { return os.Symlink(other+".new", path) }, "it is a symbolic link"},
		"link to a device": {func(path, _ string) error { return os.Symlink("/dev/null", path) }, "it is a symbolic link"},
		"hard link":        {func(path, other string) error { return os.Link(other, path) }, "it has 2 hard links"},
		"folder":           {func(path, _ string) error { return os.Mkdir(path, 0o700) }, "it is no regular file"},
		"pipe":             {func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }, "it is no regular file"},
	} {
		for how, flag := range flags {
			dir := t.TempDir()
			path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
			write(t, other, "other", 0o600)
			if err := c.make(path, other); err != nil {
				t.Fatal(err)
			}
			f, err := atomicfile.Open(path, flag, 0o600)
			if f != nil || !errors.Is(err, atomicfile.ErrUnsafe) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, to %s: %v", name, how, err)
			}
			onlyHas(t, dir, "f", "other")
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if _, err := atomicfile.Open(path, os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for range 2 {
		f, err := atomicfile.Open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("x"); errors.Join(err, f.Close()) != nil {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(path); string(b) != "xx" {
		t.Errorf("the file holds %q", b)
	}
}

func TestFollowReplacesTheTarget(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "target")
	write(t, target, "old", 0o644)
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	if err := put(link, atomicfile.Options{Follow: true}, "new"); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "target" {
		t.Errorf("the link is gone: %q, %v", to, err)
	}
	if b, _ := os.ReadFile(target); string(b) != "new" {
		t.Errorf("target holds %q", b)
	}
}

func TestFailureLeavesEverythingAsItWas(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o600)
	sorry := errors.New("sorry")
	err := atomicfile.Replace(context.Background(), path, atomicfile.Options{}, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return sorry
	})
	if !errors.Is(err, sorry) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("content is %q", b)
	}
	onlyHas(t, dir, "f")
}

func TestRemovesWhatAKilledProcessLeft(t *testing.T) {
	for name, act := range map[string]func(path string) error{
		"Replace": func(path string) error { return put(path, atomicfile.Options{}, "new") },
		"Check":   func(path string) error { return atomicfile.Check(context.Background(), path, atomicfile.Options{}) },
		"unchanged": func(path string) error {
			return atomicfile.Edit(context.Background(), path, atomicfile.Options{}, func(old []byte) ([]byte, error) { return old, nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			write(t, path, "old", 0o600)
			write(t, filepath.Join(dir, ".f.remint-tmp"), "left over", 0o600)
			if err := act(path); err != nil {
				t.Fatal(err)
			}
			onlyHas(t, dir, "f")
		})
	}
}

func TestCheckLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := atomicfile.Check(context.Background(), filepath.Join(dir, "f"), atomicfile.Options{}); err != nil {
		t.Fatal(err)
	}
	onlyHas(t, dir)
	if err := atomicfile.Check(context.Background(), filepath.Join(dir, "absent", "f"), atomicfile.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestEditsFromGoroutinesAndProcessesAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "ATOMICFILE_APPEND="+path)
	other.Stderr = os.Stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 25 {
		wg.Go(func() {
			if err := appendLine(path, fmt.Sprintf("goroutine %d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("\n")); n != 50 {
		t.Errorf("%d of 50 lines are there", n)
	}
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	unlock, err := atomicfile.Lock(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := atomicfile.Check(ctx, filepath.Join(dir, "f"), atomicfile.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	if err := atomicfile.Check(context.Background(), filepath.Join(dir, "f"), atomicfile.Options{}); err != nil {
		t.Error(err)
	}
}
