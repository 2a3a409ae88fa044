package atomicfile_test

import (
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
