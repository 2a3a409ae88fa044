package file

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzDotenv(f *testing.F) {
	for _, file := range []string{"", "A=1\r\nexport K = 'o\nld' # c\r\nZ=\"x\\\"\ny\"", "K=\nZ= # c\nK=`x`", "\xef\xbb\xbfK=a#b #c", "Z='\nK=1\n'\n", "K:1", "K='"} {
		for _, value := range []string{"", "plain", "it's \"$x\"\\", "two\r\nlines", "\xff #"} {
			f.Add([]byte(file), []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, file, value []byte) {
		k, z := dotenv{"K"}, dotenv{"Z"}
		before := bytes.Clone(file)
		got, err := k.set(file, value)
		if err != nil {
			return
		}
		if !bytes.Equal(before, file) {
			t.Fatal("the input was changed")
		}
		values, err := k.values(got)
		if err != nil || !allEqual(values, value) {
			t.Fatalf("%q became %q, read as %q, %v", file, got, values, err)
		}
		if again, err := k.set(got, value); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q became %q the second time, %v", got, again, err)
		}
		was, wasErr := z.values(file)
		is, isErr := z.values(got)
		if wasErr == nil && (isErr != nil || !cmp.Equal(was, is)) {
			t.Fatalf("another key changed from %q to %q, %v", was, is, isErr)
		}
		old, err := k.places(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(old) == 0 {
			if !bytes.HasPrefix(got, file) {
				t.Fatalf("%q is not the beginning of %q", file, got)
			}
			return
		}
		now, _ := k.places(got)
		if a, b := around(file, old), around(got, now); a != b {
			t.Fatalf("around the value %q became %q", a, b)
		}
	})
}

// around is all that stands before, between and behind the places.
func around(file []byte, places []place) string {
	var out string
	at := 0
	for _, p := range places {
		out += string(file[at:p.start])
		at = p.end
	}
	return out + string(file[at:])
}

func FuzzJSON(f *testing.F) {
	for _, file := range []string{"", "{}", `{"a":{"k":"old"}}`, "{\n  \"a\": {\"x\": [1, {}]},\r\n \"a\":{\"k\":null}}", `{"a":[{"k":1}]}`, `[{"k":"x"}]`, `{"b":1e400,"\u0061":{}}`} {
		for _, path := range []string{"a.k", "k", "a.0.k", "0.k", `a\.k`} {
			f.Add([]byte(file), path, "it's\n\"new\"<\u2028")
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, dotted, value string) {
		path, err := splitPath(dotted)
		if err != nil {
			return
		}
		j := jsonFormat{path}
		got, err := j.set(file, []byte(value))
		if err != nil {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%q became %q, which is not JSON", file, got)
		}
		if !cleanUTF8(path) {
			return // such a name cannot be written in JSON, and is not found again
		}
		values, err := j.values(got)
		if err != nil || !allEqual(values, []byte(value)) {
			t.Fatalf("%q became %q, read as %q, %v", file, got, values, err)
		}
		if again, err := j.set(got, []byte(value)); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q became %q the second time, %v", got, again, err)
		}
		// With the old value put back, nothing has changed.
		old, err := j.find(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(old.found) == 0 {
			return
		}
		now, _ := j.find(got)
		back := splice(got, now.found, func(i int) []byte { return file[old.found[i].start:old.found[i].end] })
		if !bytes.Equal(back, file) {
			t.Fatalf("around the value %q became %q", file, got)
		}
	})
}

func cleanUTF8(path []string) bool {
	for _, p := range path {
		if strings.ToValidUTF8(p, "") != p {
			return false
		}
	}
	return true
}
