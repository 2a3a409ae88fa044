package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
)

// TestNoticesInALargeFile: a notice is known behind a line that is none, and not known any
// more where it is far from the end.
func TestNoticesInALargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.jsonl")
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	add := func(text string, zeros int64) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close(), os.Truncate(path, size()+zeros)); err != nil {
			t.Fatal(err)
		}
	}
	add("{\"id\":\"far\"}\n", 65<<20)
	add("\n{\"id\":\"near\"}\n", 3<<20)
	add("\n{\"id\":\"last\"}", 0)
	n := notify(t, path)
	for _, s := range []struct {
		id    string
		known bool
	}{{"near", true}, {"last", true}, {"new", false}, {"new", true}, {"far", false}, {"far", true}} {
		before := size()
		if err := n.Send(t.Context(), provider.Notice{ID: s.id}); err != nil {
			t.Fatal(err)
		}
		if known := size() == before; known != s.known {
			t.Errorf("%s: known is %t", s.id, known)
		}
	}
}
