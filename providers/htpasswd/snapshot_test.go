package htpasswd

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIndexFindsWhatFindFinds(t *testing.T) {
	const data = "a:1\n# b:2\n  c:3:gecos\r\n\n:empty\nd\na:4 \nab:5\nx a:6\n\tc:7"
	lines := index([]byte(data))
	for _, user := range []string{"a", "b", "# b", "c", "", "d", "ab", "x a", "nobody"} {
		if diff := cmp.Diff(hashesIn([]byte(data), user), lines[user]); diff != "" {
			t.Errorf("%q: %s", user, diff)
		}
	}
}

// Whatever happens to the file, by whomever, the next question sees it.
func TestSnapshotNoticesEveryChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var s snapshot
	reads := 0
	ask := func() string {
		t.Helper()
		got, err := s.hashes(path, "u", func() ([]byte, error) { reads++; return os.ReadFile(path) })
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got)
	}
	age := func() { // as if it had been written a while ago
		t.Helper()
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 { // in place, same size, within one tick of the clock
		write(fmt.Sprintf("u:%03d\n", i))
		if got, want := ask(), fmt.Sprintf("[%03d]", i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	for i := range 50 { // replaced by a file with the same time and size
		other := path + ".new"
		if err := os.WriteFile(other, fmt.Appendf(nil, "u:%03d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other, path); err != nil {
			t.Fatal(err)
		}
		age()
		if got, want := ask(), fmt.Sprintf("[%03d]", i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func BenchmarkInspect10k(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f")
	var content []byte
	for i := range 10_000 {
		content = fmt.Appendf(content, "user%05d:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n", i)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		b.Fatal(err)
	}
	time.Sleep(2 * settled)
	for b.Loop() {
		var s snapshot
		for i := range 10_000 {
			if _, err := s.hashes(path, fmt.Sprintf("user%05d", i), func() ([]byte, error) { return os.ReadFile(path) }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
