package x509

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/provider"
)

func someRecord(n int) record {
	when := time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC)
	return record{Serial: strconv.FormatInt(int64(0xa0+n), 16), CommonName: "api", Label: "run/" + strconv.Itoa(n), Issued: when, NotAfter: when.Add(year)}
}

// TestTornRecord cuts the index at every byte, as a crash could: what was
// whole stays, what is torn is not listed, and the next record is.
func TestTornRecord(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	for n := range 3 {
		if err := appendRecord(whole, someRecord(n)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "index")
	for cut := range len(data) + 1 {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		var want []record
		for n := range 3 {
			if cut >= recordEnd(data, n) {
				want = append(want, someRecord(n))
			}
		}
		got, err := new(index).of(path, "index", "api")
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cut at %d:\n%s", cut, diff)
		}
		if err := appendRecord(path, someRecord(9)); err != nil {
			t.Fatal(err)
		}
		got, err = new(index).of(path, "index", "api")
		if err != nil {
			t.Fatalf("cut at %d, then appended: %v", cut, err)
		}
		if diff := cmp.Diff(append(want, someRecord(9)), got); diff != "" {
			t.Fatalf("cut at %d, then appended:\n%s", cut, diff)
		}
	}
}

// recordEnd is where the n-th record is whole: its closing brace.
func recordEnd(data []byte, n int) int {
	end := 0
	for range n + 1 {
		end += bytes.IndexByte(data[end:], '\n') + 1
	}
	return end - 1
}

// TestIndexGrows: one reader sees what others append, rewrite and remove.
func TestIndexGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	var x index
	count := func(want int) {
		t.Helper()
		got, err := x.of(path, "index", "api")
		if err != nil || len(got) != want {
			t.Fatalf("%d records, want %d: %v", len(got), want, err)
		}
	}
	count(0)
	for n := range 5 {
		if err := appendRecord(path, someRecord(n)); err != nil {
			t.Fatal(err)
		}
		count(n + 1)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:recordEnd(data, 1)+1], 0o600); err != nil {
		t.Fatal(err)
	}
	count(2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	count(0)
}

func TestDamagedIndex(t *testing.T) {
	good := `{"serial":"ab","common_name":"api","label":"l","issued_at":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z"}` + "\n"
	for name, tc := range map[string]struct{ data, want string }{
		"garbage":        {good + "garbage\n" + good, "line 2"},
		"serial not hex": {strings.Replace(good, `"ab"`, `"xyz"`, 1), "line 1"},
		"serial zero":    {strings.Replace(good, `"ab"`, `"0"`, 1), "line 1"},
		"serial padded":  {strings.Replace(good, `"ab"`, `"00ab"`, 1), "line 1"},
		"negative":       {strings.Replace(good, `"ab"`, `"-ab"`, 1), "line 1"},
		"no name":        {strings.Replace(good, `"api"`, `""`, 1), "line 1"},
		"no date":        {strings.Replace(good, `,"not_after":"2027-01-01T00:00:00Z"`, "", 1), "line 1"},
		"an array":       {"[]\n", "line 1"},
		"NUL":            {good + "\x00\n", "line 2"},
		"a long line":    {good + strings.Repeat(" ", maxRecord+1) + "\n" + good, "line 2"},
		"a long end":     {good + strings.Repeat("x", maxRecord+1), "line 2"},
	} {
		path := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(path, []byte(tc.data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := new(index).of(path, "crl.index.jsonl", "api")
		if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlantedIndex: an index that is another file's name is neither read nor written
// through, nor is the file made that a link leads to.
func TestPlantedIndex(t *testing.T) {
	for name, plant := range map[string]func(victim, path string) error{
		"a link": os.Symlink, "a second name": os.Link,
		"a link that leads nowhere": func(victim, path string) error { return os.Symlink(victim+".new", path) },
	} {
		outside, path := t.TempDir(), filepath.Join(t.TempDir(), "crl.index.jsonl")
		victim := filepath.Join(outside, "victim")
		if err := errors.Join(os.WriteFile(victim, []byte("one line"), 0o600), plant(victim, path)); err != nil {
			t.Fatal(err)
		}
		_, read := new(index).of(path, "crl.index.jsonl", "api")
		for what, err := range map[string]error{"read": read, "write": appendRecord(path, someRecord(1))} {
			if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "not a plain file") || !strings.Contains(err.Error(), "put the file itself there") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		got, err := os.ReadFile(victim)
		entries, _ := os.ReadDir(outside)
		if err != nil || string(got) != "one line" || len(entries) != 1 {
			t.Errorf("%s: outside there is %q in %d files, %v", name, got, len(entries), err)
		}
	}
}

// TestLargeIndex: what no index is is not read.
func TestLargeIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, maxIndex+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := new(index).of(path, "crl.index.jsonl", "api"); provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Error(err)
	}
}

// FuzzIndex: whatever the file holds, reading it at once or in two parts gives
// the same, and a record appended to a readable file is found.
func FuzzIndex(f *testing.F) {
	good := `{"serial":"ab","common_name":"api","label":"l","issued_at":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z"}`
	for _, seed := range []string{"", "\n", good, good + "\n", good + "\n" + good + "\n", good + "\r\n\n" + good[:30], "{}\n", "null\n", `{"serial":1}`, "\x00", strings.Repeat("[", 1000)} {
		f.Add([]byte(seed), 10)
	}
	path := filepath.Join(f.TempDir(), "index")
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		var once, twice index
		once.reset(1)
		twice.reset(1)
		err := once.take(bytes.NewReader(data), "i")
		cut = max(0, min(cut, len(data)))
		if first := twice.take(bytes.NewReader(data[:cut]), "i"); first == nil {
			second := twice.take(bytes.NewReader(data[twice.offset:]), "i")
			if (err == nil) != (second == nil) {
				t.Fatalf("at once: %v, in two parts: %v", err, second)
			}
			if diff := cmp.Diff(once.bySerial, twice.bySerial); err == nil && cut > 0 && data[cut-1] == '\n' && diff != "" {
				t.Fatal(diff)
			}
		}
		if err != nil {
			return
		}
		if werr := os.WriteFile(path, data, 0o600); werr != nil {
			t.Fatal(werr)
		}
		r := record{Serial: "feed", CommonName: "new", NotAfter: time.Unix(1e9, 0).UTC()}
		if werr := appendRecord(path, r); werr != nil {
			t.Fatal(werr)
		}
		var after index
		if _, found, rerr := after.owner(path, "i", "feed"); rerr != nil || !found {
			t.Fatalf("found %t, %v", found, rerr)
		}
		for serial := range once.bySerial {
			if _, kept := after.bySerial[serial]; !kept {
				t.Fatalf("record %s is lost", serial)
			}
		}
	})
}
