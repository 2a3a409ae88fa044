package jsonstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestDense(t *testing.T) {
	many := func(s string) string { return "[" + strings.Repeat(s+",", 100_000) + s + "]" }
	for text, sparse := range map[string]bool{
		`{}`: false, `[{},{},{}]`: false,
		many(`{}`):       true,
		many(`{"a":""}`): true,
		many(`""`):       true,
		many(`0`):        true,
		many(`[]`):       true,
		many(`{"address":"a.bcdefghijklm","sessions":-1}`): false,
		many(`"{,{,{,{,{,{,"`):                             false, // all of it in strings
		many(`"\"{\",{,\\\"{,{,{,"`):                       false,
		many(`"\\",{}`):                                    true,
		many(`"a \"",{},"b"`):                              true,
		strings.Repeat("[", 1<<20):                         true,
		many(`"` + strings.Repeat("é", 8) + `"`):           false,
		"[" + strings.Repeat(" ", 1<<20) + "]":             false,
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := io.ReadAll(Dense(r))
			if sparse != errors.Is(err, ErrSparse) {
				t.Errorf("%.40s, %s: %v", text, name, err)
			}
			if !sparse && string(got) != text {
				t.Errorf("%.40s, %s, is not what is read", text, name)
			}
		}
	}
}

type doc struct {
	Name  string `json:"name"`
	Items []item `json:"items"`
}

type item struct {
	A string `json:"a"`
	B [40]int64
}

func read(text string, most int) (doc, error) {
	dec := NewDecoder(strings.NewReader(text))
	var d doc
	err := Object(dec, &d, map[string]func() error{"items": func() error {
		return List(dec, func(i item, _ int64) error {
			if d.Items = append(d.Items, i); len(d.Items) > most {
				return errors.New("too many")
			}
			return nil
		})
	}})
	if err == nil {
		err = End(dec)
	}
	return d, err
}

func TestObject(t *testing.T) {
	want := doc{Name: "n", Items: []item{{A: "1"}, {A: "2"}}}
	for _, text := range []string{
		`{"name":"n","items":[{"a":"1"},{"a":"2"}]}`,
		` { "items" : [ {"a":"1"} , {"a":"2"} ] , "name" : "n" } ` + "\n",
		`{"NAME":"n","ITEMS":[{"a":"1"},{"a":"2"}]}`,
	} {
		got, err := read(text, 2)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(text, err, diff)
		}
	}
	names := map[string]int{}
	for i := range 100 {
		names[strings.Repeat("x", i)] = i
	}
	unknown, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		``: "EOF", `{`: "EOF", `[]`: "[ stands where { must be", `null`: "null stands where { must be",
		`{"name":"n"`: "EOF", `{"items":[`: "EOF", `{"items":[{"a":"1"}`: "EOF",
		`{"items":"a"}`:           "a text stands where a list must be",
		`{"items":{}}`:            "{ stands where a list must be",
		`{"items":[1]}`:           "cannot unmarshal number",
		`{"items":[{"b":"1"}]}`:   "cannot unmarshal string",
		`{"items":[{"c":"1"}]}`:   "unknown field",
		`{"other":1}`:             "unknown field",
		`{"name":1}`:              "cannot unmarshal number",
		`{"name":"n"}{}`:          "more behind",
		`{"name":"n"}]`:           "more behind",
		string(unknown):           "too many members",
		`{"items":[{},{},{}]}`:    "too many",
		`{"name":{},"name":"n"}`:  "twice",
		`{"items":[],"Items":[]}`: "twice",
	} {
		if _, err := read(text, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: want %q, got %v", text, want, err)
		}
	}
}

// What is refused costs no more memory than it is long.
func TestSparseCostsNothing(t *testing.T) {
	text := []byte(`{"items":[` + strings.Repeat("{},", 1<<20) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var d doc
	err := Strict(text, &d)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrSparse) {
		t.Error(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

// FuzzStrict: what is taken is what encoding/json takes, and no more of it.
func FuzzStrict(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"n","items":[{"a":"\"{"}]}`, `[]`, `{"name":"n"} x`, "{\"name\":\"\\u0000\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var a, b doc
		err := Strict(text, &a)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		plain := dec.Decode(&b)
		if _, end := dec.Token(); plain == nil && !errors.Is(end, io.EOF) {
			plain = errors.New("more")
		}
		if (err == nil) != (plain == nil) && !errors.Is(err, ErrSparse) {
			t.Errorf("%q: %v, and encoding/json says %v", text, err, plain)
		}
		if err == nil {
			if diff := cmp.Diff(a, b); diff != "" {
				t.Error(diff)
			}
		}
	})
}
