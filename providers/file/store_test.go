package file_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/providers/file"
)

const canary = "c4nary-Zx9-secret"

// TestMain lets the test binary be the second process: it puts values.
func TestMain(m *testing.M) {
	if path := os.Getenv("FILE_STORE_PUT"); path != "" {
		for i := range 20 {
			s, err := openStore(path, map[string]any{"format": "dotenv", "key": fmt.Sprintf("PROCESS_%d", i)})
			if err == nil {
				err = s.Put(context.Background(), secret.FromString(fmt.Sprint(i)))
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openStore opens a store with defaults filled in, as the engine does.
func openStore(path string, set map[string]any) (provider.Store, error) {
	d := file.Store()
	values := map[string]any{"path": provider.Path{Written: path, Absolute: path}}
	for _, a := range d.Schema.Attributes {
		if a.Default != nil {
			values[a.Name] = a.Default
		}
	}
	for k, v := range set {
		values[k] = v
	}
	return d.Open(context.Background(), provider.Block{Name: "test", Attrs: provider.NewAttrs(values)})
}

func mustOpen(t *testing.T, path string, set map[string]any) provider.Store {
	t.Helper()
	s, err := openStore(path, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestLifecycle takes each format through everything a store must do.
func TestLifecycle(t *testing.T) {
	for name, c := range map[string]struct {
		set            map[string]any
		before         string
		full, emptied  string
		value          string
		startsWithNone bool
	}{
		"raw":               {nil, "old", "a\nb\n", "", "a\nb\n", false},
		"raw, new":          {nil, "", "a", "", "a", true},
		"raw, with newline": {map[string]any{"trailing_newline": true}, "old\n", "a\n", "", "a", false},
		"raw, two newlines": {map[string]any{"trailing_newline": true}, "old\n", "a\n\n", "", "a\n", false},
		"dotenv":            {map[string]any{"format": "dotenv", "key": "K"}, "A=1\nK=old\n", "A=1\nK=a\n", "A=1\nK=\n", "a", false},
		"json":              {map[string]any{"format": "json", "key": "x.k"}, `{"x":{"k":"old"}}`, `{"x":{"k":"a"}}`, `{"x":{"k":""}}`, "a", false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			path := filepath.Join(dir, "f")
			if !c.startsWithNone {
				if err := os.WriteFile(path, []byte(c.before), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			s, v := mustOpen(t, path, c.set), secret.FromString(c.value)
			if err := s.Check(ctx); err != nil {
				t.Fatal(err)
			}
			old, err := s.Get(ctx)
			if err != nil || old.IsZero() != c.startsWithNone || !old.IsZero() && old.RevealString() != "old" {
				t.Errorf("got another old value, absent: %v, error: %v", old.IsZero(), err)
			}
			if holds, err := s.Holds(ctx, v); holds || err != nil {
				t.Errorf("holds the new value already: %v, %v", holds, err)
			}
			for range 2 {
				if err := s.Put(ctx, v); err != nil {
					t.Fatal(err)
				}
				if got := content(t, path); got != c.full {
					t.Errorf("file is %q, want %q", got, c.full)
				}
			}
			if got, err := s.Get(ctx); err != nil || !got.Equal(v) {
				t.Errorf("did not get what was put, %v", err)
			}
			if holds, err := s.Holds(ctx, v); !holds || err != nil {
				t.Errorf("does not hold what was put: %v, %v", holds, err)
			}
			for range 2 {
				if err := s.Empty(ctx); err != nil {
					t.Fatal(err)
				}
				if got := content(t, path); got != c.emptied {
					t.Errorf("file is %q, want %q", got, c.emptied)
				}
			}
			if got, err := s.Get(ctx); err != nil || !got.IsZero() {
				t.Errorf("there is a value in an emptied store, %v", err)
			}
			if got := entries(t, dir); got != "f" {
				t.Errorf("the folder holds %s", got)
			}
			want := fs.FileMode(0o640)
			if c.startsWithNone {
				want = 0o600
			}
			if info, _ := os.Stat(path); info.Mode() != want {
				t.Errorf("mode is %v", info.Mode())
			}
		})
	}
}

func TestPuttingTheSameAgainWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	s, v := mustOpen(t, path, nil), secret.FromString("a")
	if err := s.Put(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	first, _ := os.Stat(path)
	if err := s.Put(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.Stat(path); !os.SameFile(first, second) {
		t.Error("the file was replaced")
	}
}

func TestEmptyingMakesNoFile(t *testing.T) {
	for _, set := range []map[string]any{nil, {"format": "dotenv", "key": "K"}, {"format": "json", "key": "k"}} {
		dir := t.TempDir()
		if err := mustOpen(t, filepath.Join(dir, "f"), set).Empty(t.Context()); err != nil || entries(t, dir) != "" {
			t.Errorf("%v, %q", err, entries(t, dir))
		}
	}
}

func TestHoldsOnlyWhereEveryPlaceHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("K=old\nK=new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, map[string]any{"format": "dotenv", "key": "K"})
	if holds, err := s.Holds(t.Context(), secret.FromString("new")); holds || err != nil {
		t.Errorf("%v, %v", holds, err)
	}
	if got, err := s.Get(t.Context()); err != nil || got.RevealString() != "new" {
		t.Errorf("the last one is not what Get gives, %v", err)
	}
}

func TestConcurrentPutsAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "FILE_STORE_PUT="+path)
	other.Stderr = os.Stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		s := mustOpen(t, path, map[string]any{"format": "dotenv", "key": fmt.Sprintf("GOROUTINE_%d", i)})
		wg.Go(func() {
			if err := s.Put(t.Context(), secret.FromString(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	got := content(t, path)
	for i := range 20 {
		for _, want := range []string{fmt.Sprintf("GOROUTINE_%d=%d\n", i, i), fmt.Sprintf("PROCESS_%d=%d\n", i, i)} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%q is there %d times", want, strings.Count(got, want))
			}
		}
	}
}

// TestRefusals: each is found by Check already, names the file, carries no
// secret, and leaves everything as it was.
func TestRefusals(t *testing.T) {
	type refusal struct {
		arrange func(dir string) error
		written string // relative to the workspace
		set     map[string]any
		want    string
	}
	cases := map[string]refusal{
		"no folder":        {nil, "absent/f", nil, "absent/f cannot be written: the folder absent does not exist; make it first"},
		"folder is a file": {func(d string) error { return os.WriteFile(d+"/x", nil, 0o600) }, "x/f", nil, "make it first"},
		"is a folder":      {func(d string) error { return os.Mkdir(d+"/f", 0o700) }, "f", nil, "it is no regular file"},
		"symbolic link":    {func(d string) error { return os.Symlink("/etc/passwd", d+"/f") }, "f", nil, "f cannot be replaced safely: not a plain file: it is a symbolic link; name the file itself"},
		"linked folder":    {func(d string) error { return os.Symlink(os.TempDir(), d+"/x") }, "x/f", nil, "x/f leads through a symbolic link"},
		"hard link":        {func(d string) error { _ = os.WriteFile(d+"/g", []byte(canary), 0o600); return os.Link(d+"/g", d+"/f") }, "f", nil, "2 hard links"},
		"no JSON":          {func(d string) error { return os.WriteFile(d+"/f", []byte(`{"k": `+canary), 0o600) }, "f", map[string]any{"format": "json", "key": "k"}, "f is not valid JSON (line 1)"},
		"open quote":       {func(d string) error { return os.WriteFile(d+"/f", []byte(`K='`+canary), 0o600) }, "f", map[string]any{"format": "dotenv", "key": "K"}, "f has a quote that is not closed in line 1"},
		"too large":        {func(d string) error { return os.WriteFile(d+"/f", make([]byte, 17<<20), 0o600) }, "f", nil, "larger than 16 MiB"},
	}
	if os.Getuid() != 0 { // root may write everywhere
		cases["read-only folder"] = refusal{func(d string) error { return os.Mkdir(d+"/x", 0o500) }, "x/f", nil, "permission denied; the folder x must be writable"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			if c.arrange != nil {
				if err := c.arrange(dir); err != nil {
					t.Fatal(err)
				}
			}
			set := map[string]any{"path": provider.Path{Written: c.written, Absolute: filepath.Join(dir, c.written)}}
			for k, v := range c.set {
				set[k] = v
			}
			s := mustOpen(t, "", set)
			before := entries(t, dir)
			for what, err := range map[string]error{"Check": s.Check(ctx), "Put": s.Put(ctx, secret.FromString(canary))} {
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
					t.Errorf("%s: %v, want %q", what, err, c.want)
				}
				if provider.ClassOf(err, "") == "" {
					t.Errorf("%s: no class: %v", what, err)
				}
			}
			if got := entries(t, dir); got != before {
				t.Errorf("the folder held %s and now %s", before, got)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, set := range map[string]map[string]any{
		"key is for the formats":  {"key": "K"},
		"needs a key":             {"format": "json"},
		"cannot stand in":         {"format": "dotenv", "key": "A B"},
		"dotted path":             {"format": "json", "key": "a..b"},
		"trailing_newline is for": {"format": "json", "key": "a", "trailing_newline": true},
		"octal":                   {"mode": "0999"},
	} {
		if _, err := openStore("/f", set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", set, err)
		}
	}
}

func TestNoValueAndUnwritableValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, c := range []struct {
		set map[string]any
		v   secret.Value
	}{
		{nil, secret.Value{}},
		{nil, secret.New(nil)},
		{map[string]any{"format": "dotenv", "key": "K"}, secret.FromString(canary + "\x00")},
		{map[string]any{"format": "json", "key": "K"}, secret.FromString(canary + "\xff")},
	} {
		err := mustOpen(t, path, c.set).Put(t.Context(), c.v)
		if provider.ClassOf(err, "") != provider.Permanent || strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
}

func notify(t *testing.T, path string) provider.Notifier {
	t.Helper()
	n, err := file.Notifier().Open(t.Context(), provider.Block{Attrs: provider.NewAttrs(map[string]any{
		"path": provider.Path{Written: filepath.Base(path), Absolute: path}})})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNotices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.jsonl")
	a, b := notify(t, path), notify(t, path)
	for _, s := range []struct {
		to provider.Notifier
		id string
	}{{a, "1"}, {a, "1"}, {b, "1"}, {b, "2"}, {a, "2"}, {a, "3"}} {
		if err := s.to.Send(t.Context(), provider.Notice{ID: s.id, Summary: "line\nbreak"}); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for line := range strings.Lines(content(t, path)) {
		var n provider.Notice
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	if got := strings.Join(ids, " "); got != "1 2 3" {
		t.Errorf("the notices are %s", got)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
}

func TestNoticesAfterACrashAndARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.jsonl")
	if err := os.WriteFile(path, []byte("{\"id\":\"1\"}\n{\"id\":\"2"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := notify(t, path)
	send := func(id string) {
		t.Helper()
		if err := n.Send(t.Context(), provider.Notice{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	send("1")
	send("2")
	got := strings.Split(content(t, path), "\n")
	if len(got) != 4 || got[1] != `{"id":"2` || !strings.HasPrefix(got[2], `{"id":"2",`) {
		t.Errorf("the file is %q", got)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	send("3")
	if strings.Count(content(t, path), "\n") != 1 {
		t.Errorf("the new file is %q", content(t, path))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".1", path); err != nil {
		t.Fatal(err)
	}
	if err := n.Send(t.Context(), provider.Notice{ID: "4"}); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestConcurrentNotices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.jsonl")
	var wg sync.WaitGroup
	for i := range 4 {
		n := notify(t, path)
		for k := range 10 {
			wg.Go(func() {
				if err := n.Send(context.Background(), provider.Notice{ID: fmt.Sprint(k + i/2*10)}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := strings.Count(content(t, path), "\n"); n != 20 {
		t.Errorf("%d notices of 20", n)
	}
}
