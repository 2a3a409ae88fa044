package atomicfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) provider.Path {
		return provider.Path{Written: name, Absolute: filepath.Join(dir, name)}
	}
	write(t, at("file").Absolute, "content", 0o600)
	write(t, at("empty").Absolute, "", 0o600)
	for link, to := range map[string]string{"link": "file", "dangling": "nowhere", "dirlink": "."} {
		if err := os.Symlink(to, at(link).Absolute); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"file": "content", "empty": "", "link": "content", "dirlink/file": "content"} {
		got, err := atomicfile.Load(at(name))
		if err != nil || got == nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := atomicfile.Load(at("absent")); got != nil || err != nil {
		t.Errorf("absent: %q, %v", got, err)
	}
	for _, name := range []string{"dangling", "no/folder", "file/below", "."} {
		if got, err := atomicfile.Load(at(name)); got != nil || provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{"link": "file", "dirlink/new": "new", "absent": "absent"} {
		got, err := atomicfile.Resolve(at(name))
		real, _ := filepath.EvalSymlinks(dir)
		if err != nil || got != filepath.Join(real, want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// TestEditDoesNotUndoOthers: editors and ssh-copy-id take no lock.
func TestEditDoesNotUndoOthers(t *testing.T) {
	dir := t.TempDir()
	p := provider.Path{Written: "f", Absolute: filepath.Join(dir, "f")}
	write(t, p.Absolute, "old", 0o600)
	err := atomicfile.Edit(t.Context(), p.Absolute, atomicfile.Options{}, func(old []byte) ([]byte, error) {
		return append(old, ", ours"...), os.WriteFile(p.Absolute, []byte("old, theirs"), 0o600)
	})
	if got, _ := os.ReadFile(p.Absolute); !errors.Is(err, atomicfile.ErrChanged) || string(got) != "old, theirs" {
		t.Errorf("changed: %v, file %q", err, got)
	}
	if class := provider.ClassOf(atomicfile.Classed(p, err), ""); class != provider.Conflict {
		t.Errorf("class %s", class)
	}
	made := filepath.Join(dir, "made")
	err = atomicfile.Edit(t.Context(), made, atomicfile.Options{}, func([]byte) ([]byte, error) {
		return []byte("ours"), os.WriteFile(made, []byte("theirs"), 0o600)
	})
	if got, _ := os.ReadFile(made); !errors.Is(err, atomicfile.ErrChanged) || string(got) != "theirs" {
		t.Errorf("made: %v, file %q", err, got)
	}
	onlyHas(t, dir, "f", "made")
}

// A file that another makes and removes all the while is there or it is not: it is never
// a link that leads nowhere.
func TestFileThatAnotherMakes(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(path, nil, 0o600)
				_ = os.Remove(path)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	for range 20000 {
		got, err := atomicfile.Resolve(provider.Path{Written: "file", Absolute: path})
		if err != nil || got != path {
			t.Fatalf("%q, %v", got, err)
		}
	}
}
