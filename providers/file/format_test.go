package file

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDotenvSet(t *testing.T) {
	for name, c := range map[string]struct{ file, value, want string }{
		"no file":                  {"", "s3cret", "K=s3cret\n"},
		"replaced":                 {"A=1\nK=old\nB=2\n", "new", "A=1\nK=new\nB=2\n"},
		"the same":                 {"K = \"a\" # why\n", "a", "K = \"a\" # why\n"},
		"added":                    {"A=1\n", "new", "A=1\nK=new\n"},
		"added, CRLF":              {"A=1\r\n", "new", "A=1\r\nK=new\r\n"},
		"added, line not ended":    {"A=1", "new", "A=1\nK=new"},
		"replaced, line not ended": {"A=1\nK=old", "new", "A=1\nK=new"},
		"CRLF":                     {"K=old\r\nB=2\r\n", "new", "K=new\r\nB=2\r\n"},
		"byte-order mark":          {"\xef\xbb\xbfK=old\n", "new", "\xef\xbb\xbfK=new\n"},
		"export and spacing":       {"  export\tK =  old  \nB=2", "new", "  export\tK =  new  \nB=2"},
		"comment kept":             {"K=old # rotated\nB=2\n", "new", "K=new # rotated\nB=2\n"},
		"comment, quoted":          {"K='old # x' # y\n", "new", "K='new' # y\n"},
		"comment, empty value":     {"K= # none yet\n", "new", "K=new # none yet\n"},
		"hash in a bare value":     {"K=a#b\n", "new", "K=new\n"},
		"hash first":               {"K=#ab\n", "new", "K=new\n"},
		"empty":                    {"K=\nB=2\n", "new", "K=new\nB=2\n"},
		"empty, blanks":            {"K=  \nB=2\n", "new", "K=new  \nB=2\n"},
		"repeated":                 {"K=1\nA=x\nexport K='2'\n", "new", "K=new\nA=x\nexport K='new'\n"},
		"quotes kept":              {"K=\"old\"\n", "new", "K=\"new\"\n"},
		"commented out":            {"# K=old\n#K=old\n", "new", "# K=old\n#K=old\nK=new\n"},
		"longer and shorter keys":  {"KK=1\nXK=1\nK.X=1\n", "new", "KK=1\nXK=1\nK.X=1\nK=new\n"},
		"inside another's value":   {"A='\nK=not this\n'\nK=old\n", "new", "A='\nK=not this\n'\nK=new\n"},
		"several lines replaced":   {"K=\"a\nb\"\nB=2\n", "new", "K=\"new\"\nB=2\n"},
		"special characters":       {"K=old\n", `a b$c"d` + "`#!\\x", "K='a b$c\"d`#!\\x'\n"},
		"single quote":             {"K=old\n", `it's "$5"`, `K="it's \"\$5\""` + "\n"},
		"line breaks":              {"K=old\n", "-----BEGIN\nx\n", "K='-----BEGIN\nx\n'\n"},
		"carriage return":          {"K=old\n", "a\rb", `K="a\rb"` + "\n"},
		"emptied":                  {"K='old' # c\n", "", "K='' # c\n"},
		"other lines":              {"set -a\n\n;x\n: \"y\n", "new", "set -a\n\n;x\n: \"y\nK=new\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dotenv{"K"}.set([]byte(c.file), []byte(c.value))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
			values, err := dotenv{"K"}.values(got)
			if err != nil || !allEqual(values, []byte(c.value)) {
				t.Errorf("read back as %q, %v", values, err)
			}
		})
	}
}

func TestDotenvGet(t *testing.T) {
	for file, want := range map[string]string{
		"K=\"a\\nb\\tc\\\"d\\qe\"\n": "a\nb\tc\"d\\qe",
		"K='a\\nb'\n":                "a\\nb",
		"K=`a'b\"c`\n":               "a'b\"c",
		"K= a b  # c\n":              "a b",
		"K=1\nK=2\n":                 "2",
	} {
		values, err := dotenv{"K"}.values([]byte(file))
		if err != nil || len(values) == 0 || string(values[len(values)-1]) != want {
			t.Errorf("%q: %q, %v", file, values, err)
		}
	}
}

func TestDotenvRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"A=1\nK='old":            "has a quote that is not closed in line 2",
		"A=\"x\nK=old\n":         "has a quote that is not closed in line 1",
		"K: old\n":               "sets K with a colon in line 1, which only some readers understand: write K=",
		"K='a'b\n":               "has text behind the closing quote of K in line 1, which readers understand differently",
		"K='a'#comment or not\n": "has text behind the closing quote of K in line 1, which readers understand differently",
	} {
		if _, err := (dotenv{"K"}).set([]byte(file), []byte("new")); err == nil || err.Error() != want {
			t.Errorf("%q: %v", file, err)
		}
	}
	if _, err := (dotenv{"K"}).set(nil, []byte("a\x00b")); err == nil {
		t.Error("a NUL was taken")
	}
}

// TestDotenvAsAShellReadsIt sources what set writes.
func TestDotenvAsAShellReadsIt(t *testing.T) {
	for _, value := range []string{
		"plain", "a=b:c/d+e,f%g@h-i_j.k==", "a b", "$HOME", "`id`", "$(id)", `"`, `\`, `\\`, `a\`, `a\\`, `\n`, "'", `'"\$` + "`",
		"two\nlines\n", "it's\ntwo \\lines", "#", "a #b", "~", "*", "!x", "ü€", "\t", "a;b&c|d<e>f(g){h}[i]?^",
	} {
		file, err := dotenv{"K"}.set([]byte("A=1\nK=old # kept\nB=2\n"), []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("/bin/sh", "-c", `. "$1"; printf '%s|%s|%s' "$A" "$K" "$B"`, "sh", path).CombinedOutput()
		if err != nil || string(out) != "1|"+value+"|2" {
			t.Errorf("%q: the shell read %q, %v", value, out, err)
		}
	}
}

func TestJSONSet(t *testing.T) {
	for name, c := range map[string]struct{ path, file, value, want string }{
		"no file":         {"db.password", "", "x", "{\"db\": {\"password\": \"x\"}}\n"},
		"replaced":        {"k", `{ "a":1,"k" : "old" , "b":[1, 2]}`, "new", `{ "a":1,"k" : "new" , "b":[1, 2]}`},
		"nested":          {"db.password", "{\n  \"db\": {\"user\": \"u\", \"password\": \"old\"}\n}\n", "new", "{\n  \"db\": {\"user\": \"u\", \"password\": \"new\"}\n}\n"},
		"same name above": {"db.k", `{"k":"no","db":{"x":{"k":"no"},"k":"old"}}`, "new", `{"k":"no","db":{"x":{"k":"no"},"k":"new"}}`},
		"repeated":        {"k", `{"k":"1","k":"2"}`, "new", `{"k":"new","k":"new"}`},
		"repeated above":  {"a.k", `{"a":{"k":"1"},"a":{"k":"2"}}`, "new", `{"a":{"k":"new"},"a":{"k":"new"}}`},
		"escaped name":    {"k", `{"\u006b":"old"}`, "new", `{"\u006b":"new"}`},
		"dot in a name":   {`a\.b`, `{"a":{"b":"no"},"a.b":"old"}`, "new", `{"a":{"b":"no"},"a.b":"new"}`},
		"in an array":     {"users.1.pw", `{"users":[{"pw":"a"},{"pw":"b"}]}`, "new", `{"users":[{"pw":"a"},{"pw":"new"}]}`},
		"array at top":    {"0", `["old", "x"]`, "new", `["new", "x"]`},
		"null":            {"k", `{"k":null}`, "new", `{"k":"new"}`},
		"number":          {"k", `{"k":12e3,"n":12345678901234567890}`, "new", `{"k":"new","n":12345678901234567890}`},
		"added":           {"k", "{\n\t\"a\": 1\n}", "new", "{\n\t\"a\": 1,\n\t\"k\": \"new\"\n}"},
		"added, compact":  {"k", `{"a":1}`, "new", `{"a":1,"k":"new"}`},
		"added, empty":    {"k", `{}`, "new", `{"k": "new"}`},
		"added below":     {"db.x.k", `{"db":{"a":1},"z":2}`, "new", `{"db":{"a":1,"x":{"k":"new"}},"z":2}`},
		"characters":      {"k", `{"k":"<old>"}`, "<a&b>\"\\\n\u2028ü", `{"k":"<a&b>\"\\\n\u2028ü"}`},
		"the same":        {"k", `{"k":"\u0061"}`, "a", `{"k":"\u0061"}`},
		"emptied":         {"k", `{"k":"old","b":1}`, "", `{"k":"","b":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := splitPath(c.path)
			if err != nil {
				t.Fatal(err)
			}
			f := jsonFormat{path}
			got, err := f.set([]byte(c.file), []byte(c.value))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if !json.Valid(got) {
				t.Error("that is not JSON")
			}
			values, err := f.values(got)
			if err != nil || !allEqual(values, []byte(c.value)) {
				t.Errorf("read back as %q, %v", values, err)
			}
		})
	}
}

func TestJSONRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"{\n\"a\": s3cret\n}":    "is not valid JSON (line 2)",
		`{"a":1} x`:              "is not valid JSON (line 1)",
		`"s3cret"`:               "is neither a JSON object nor an array",
		`{"a":"s3cret"}`:         "has no object at a",
		`{"a":{"k":{"x":1}}}`:    "has an object or array at a.k, not a string",
		`{"a":[{"k":"s3cret"}]}`: "has an array at a: the path must go on with a number",
	} {
		if _, err := (jsonFormat{[]string{"a", "k"}}).set([]byte(file), []byte("new")); err == nil || err.Error() != want {
			t.Errorf("%q: %v", file, err)
		}
	}
	if _, err := (jsonFormat{[]string{"3"}}).set([]byte(`[1]`), []byte("new")); err == nil {
		t.Error("an array was taken that is too short")
	}
	if _, err := (jsonFormat{[]string{"k"}}).set(nil, []byte("\xff")); err == nil {
		t.Error("bytes were taken that are no UTF-8")
	}
	deep := strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000)
	if _, err := (jsonFormat{[]string{"a", "k"}}).set([]byte(deep), []byte("new")); err == nil {
		t.Error("100,000 levels were taken")
	}
}
