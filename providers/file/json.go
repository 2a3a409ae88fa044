package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonFormat is a JSON document in which one string is replaced. path leads
// through objects, and through arrays by number. A repeated key is replaced
// everywhere, since readers differ on which one counts.
type jsonFormat struct{ path []string }

// splitPath cuts a dotted path; a backslash makes the next character literal.
func splitPath(s string) ([]string, error) {
	var out []string
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			part.WriteByte(s[i])
		case s[i] == '.':
			out = append(out, part.String())
			part.Reset()
		default:
			part.WriteByte(s[i])
		}
	}
	out = append(out, part.String())
	for _, p := range out {
		if p == "" {
			return nil, errors.New("must be a dotted path without empty parts, such as database.password")
		}
	}
	return out, nil
}

func (j jsonFormat) values(file []byte) ([][]byte, error) {
	f, err := j.find(file)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, s := range f.found {
		out = append(out, scalar(file[s.start:s.end]))
	}
	return out, nil
}

func (j jsonFormat) set(file, value []byte) ([]byte, error) {
	if !utf8.Valid(value) {
		return nil, errors.New("cannot hold a value that is not UTF-8 in JSON: use the format raw")
	}
	text := encode(string(value))
	if len(bytes.TrimSpace(file)) == 0 {
		return append(nest(j.path, text, ": "), '\n'), nil
	}
	f, err := j.find(file)
	if err != nil {
		return nil, err
	}
	if len(f.found) > 0 {
		return splice(file, f.found, func(i int) []byte {
			old := file[f.found[i].start:f.found[i].end]
			if old[0] == '"' && bytes.Equal(scalar(old), value) {
				return old
			}
			return text
		}), nil
	}
	if f.into == nil {
		return nil, fmt.Errorf("has no place for %s: an array is too short for it", strings.Join(j.path, "."))
	}
	o := f.into
	member := append([]byte(o.lead), member(j.path[o.depth:], text, o.colon)...)
	if o.members > 0 {
		member = append([]byte{','}, member...)
	}
	return splice(file, []span{{o.end, o.end}}, func(int) []byte { return member }), nil
}

// member writes the rest of a path as one member of an object.
func member(path []string, text []byte, colon string) []byte {
	if len(path) > 1 {
		text = nest(path[1:], text, colon)
	}
	return append(append(encode(path[0]), colon...), text...)
}

func nest(path []string, text []byte, colon string) []byte {
	return append(append([]byte{'{'}, member(path, text, colon)...), '}')
}

// encode writes a JSON string, leaving <, > and & alone.
func encode(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // strings always encode
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// scalar is what a scalar's text means: nothing for null, the text itself for
// numbers and booleans.
func scalar(text []byte) []byte {
	if text[0] == '"' {
		var s string
		_ = json.Unmarshal(text, &s) // the document was found valid
		return []byte(s)
	}
	if string(text) == "null" {
		return nil
	}
	return text
}

// object is where a missing member can be added.
type object struct {
	depth   int    // how much of the path leads here
	members int    // how many there are already
	end     int    // just behind the last of them, or behind the brace
	lead    string // the white space before the first member
	colon   string // the colon as this object writes it
}

// finding is what a walk along the path came to.
type finding struct {
	found []span
	into  *object // the deepest object on the path that lacks the next part
}

func (j jsonFormat) find(file []byte) (finding, error) {
	if len(bytes.TrimSpace(file)) == 0 {
		return finding{}, nil
	}
	if !json.Valid(file) {
		return finding{}, fmt.Errorf("is not valid JSON%s", fault(file))
	}
	w := walk{file: file, dec: json.NewDecoder(bytes.NewReader(file)), path: j.path}
	if err := w.value(0); err != nil {
		return finding{}, err
	}
	return w.finding, nil
}

// fault says where, never what: the text around it may be a secret.
func fault(file []byte) string {
	var v any
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(file, &v), &syntax) {
		return " (line " + strconv.Itoa(lineOf(file, min(int(syntax.Offset), len(file)))) + ")"
	}
	return ""
}
