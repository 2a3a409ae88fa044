package htpasswd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPut fixes what becomes of files that people and programs left behind.
func TestPut(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"empty file":                 {"", "bob:NEW\n"},
		"replaced in its place":      {"a:1\nbob:old\nc:3\n", "a:1\nbob:NEW\nc:3\n"},
		"added at the end":           {"a:1\n", "a:1\nbob:NEW\n"},
		"no final newline, added":    {"a:1", "a:1\nbob:NEW\n"},
		"no final newline, replaced": {"a:1\nbob:old", "a:1\nbob:NEW"},
		"CRLF, replaced":             {"a:1\r\nbob:old\r\nc:3\r\n", "a:1\r\nbob:NEW\r\nc:3\r\n"},
		"CRLF, added":                {"a:1\r\n", "a:1\r\nbob:NEW\r\n"},
		"CRLF, no final one, added":  {"a:1\r\nc:3", "a:1\r\nc:3\r\nbob:NEW\r\n"},
		"mixed ends of line":         {"a:1\nbob:old\r\nc:3\n", "a:1\nbob:NEW\r\nc:3\n"},
		"comments and blank lines":   {"# bob:x\n\n\nbob:old\n#bob:y\n", "# bob:x\n\n\nbob:NEW\n#bob:y\n"},
		"names that end alike":       {"bobbob:1\nxbob:2\nbob2:3\n", "bobbob:1\nxbob:2\nbob2:3\nbob:NEW\n"},
		"name in another's field":    {"a:1:bob:x\nbob:old\n", "a:1:bob:x\nbob:NEW\n"},
		"later duplicates go":        {"bob:1\na:1\nbob:2\r\nc:3\nbob:3", "bob:NEW\na:1\nc:3\n"},
		"space before the name":      {" \tbob:1\na:1\nbob:2\n", "bob:NEW\na:1\n"},
		"further fields go":          {"bob:1:Bob B.\n", "bob:NEW\n"},
		"no hash":                    {"bob:\n", "bob:NEW\n"},
		"lines that are none":        {"no colon\n:no name\nbob:old\n", "no colon\n:no name\nbob:NEW\n"},
		"invalid UTF-8":              {"\xff\xfe:1\nbob:old\n", "\xff\xfe:1\nbob:NEW\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.after, edited(c.before, "bob")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// edited puts bob:NEW, the way the queue does.
func edited(before, name string) string {
	data := []byte(before)
	s := put(data, find(data, name), name, "NEW")
	finish(data, s)
	return string(apply(data, s))
}

func TestManyChangesInOnePass(t *testing.T) {
	data := []byte("a:1\nb:2\nc:3")
	var all []splice
	all = append(all, put(data, find(data, "y"), "y", "N")...)
	all = append(all, put(data, find(data, "c"), "c", "N")...)
	all = append(all, put(data, find(data, "z"), "z", "N")...)
	all = append(all, drop(find(data, "b"))...)
	finish(data, all)
	if diff := cmp.Diff("a:1\nc:N\ny:N\nz:N\n", string(apply(data, all))); diff != "" {
		t.Error(diff)
	}
}

func TestUsers(t *testing.T) {
	got := users([]byte("# c:x\n\n a:1\r\nb:2\na:3\nnone\n:x\nlast:4"))
	if diff := cmp.Diff([]string{"a", "b", "last"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzPut checks that whatever the file, the user has one line after it and
// every other line is the same, byte for byte.
func FuzzPut(f *testing.F) {
	f.Add([]byte("a:1\r\nbob:old\n\n#x"), "bob")
	f.Add([]byte(" bob:1\nbob:2"), "bob")
	f.Add([]byte(others), "a b")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if checkUser(name) != nil {
			return
		}
		after := []byte(edited(string(data), name))
		found := find(after, name)
		if len(found) != 1 || found[0].hash != "NEW" {
			t.Fatalf("%d lines of %q in %q", len(found), name, after)
		}
		if diff := cmp.Diff(without(data, name), without(after, name)); diff != "" {
			t.Fatalf("other lines changed:\n%s", diff)
		}
		if again := edited(string(after), name); again != string(after) {
			t.Fatalf("a second time it is %q, not %q", again, after)
		}
	})
}

// without gives the lines that are not name's, read the slow way. The end of
// the last one does not count: it may have had to be added.
func without(data []byte, name string) []string {
	var out []string
	for l := range bytes.Lines(data) {
		if who, _, ok := bytes.Cut(bytes.TrimLeft(l, space), []byte(":")); !ok || string(who) != name {
			out = append(out, string(l))
		}
	}
	if n := len(out); n > 0 {
		out[n-1] = strings.TrimRight(out[n-1], "\r\n")
	}
	return out
}

// TestApacheReadsTheResult replays the nasty files through Apache's program.
func TestApacheReadsTheResult(t *testing.T) {
	const alice = "alice:$2y$05$Da4IkuebmZBmeEY5SUdxC.M1nuTHRWJG8nklut.5rZXupYXIRBrqq" // pw
	for name, before := range map[string]string{
		"no final newline": alice,
		"CRLF":             alice + "\r\nbob:old\r\n",
		"duplicates":       "bob:x\n" + alice + "\n bob:y\nbob:z\n",
		"comments":         "# bob:x\n\n" + alice + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			write(t, path, before)
			s := opened(t, path)
			set(t, s, "bob", "the-new-password")
			if !verifies(t, path, "bob", "the-new-password") || !verifies(t, path, "alice", "pw") {
				t.Errorf("Apache does not accept what should be accepted:\n%s", content(t, path))
			}
			apache(t, "-D", path, "bob")
			if strings.Contains(content(t, path), "\nbob:") || verifies(t, path, "bob", "the-new-password") {
				t.Errorf("another line of bob's was left:\n%s", content(t, path))
			}
		})
	}
}

func TestMissingFileIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	s := opened(t, path)
	set(t, s, "bob", "the-new-password")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, error %v; want 0640", info.Mode(), err)
	}
	if !verifies(t, path, "bob", "the-new-password") {
		t.Error("Apache does not accept the new password")
	}
}
