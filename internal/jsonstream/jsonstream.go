// Package jsonstream reads JSON that strangers may have written without holding more
// than its text is worth: long lists an element at a time, and nothing of a text whose
// values are too short for their number. `{}` takes three bytes in a list, and some
// hundreds as what it is read into.
package jsonstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrSparse says that a text has more values than its length is good for.
var ErrSparse = errors.New("it has more values than its size is good for: they are empty or nearly so")

// A text must have perValue bytes for each value in a list and each member, and four
// times that for an object in a list; what is written has more than twice as much. The
// first bytes are free, so that small texts may be of any kind.
const (
	perValue = 8
	free     = 64 << 10
)

// Dense passes JSON text on, and fails with ErrSparse where that has too many values.
func Dense(r io.Reader) io.Reader { return &dense{r: r} }

// dense counts what begins a value, outside of strings.
type dense struct {
	r               io.Reader
	bytes, values   int64
	quoted, escaped bool
}

// Read passes on what is dense enough.
func (d *dense) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for i := 0; i < n; i++ {
		if d.quoted {
			i += d.skip(p[i:n])
			continue
		}
		switch p[i] {
		case '"':
			d.quoted = true
		case '{':
			d.values += 4 - 1 // the comma before it is counted too
		case '[', ',':
			d.values++
		}
	}
	if d.bytes += int64(n); d.values*perValue > d.bytes+free {
		return 0, ErrSparse
	}
	return n, err
}

// skip gives where the quote is that ends the string which p begins in, or where p ends.
func (d *dense) skip(p []byte) int {
	at := 0
	if d.escaped {
		at, d.escaped = 1, false
	}
	for {
		i := bytes.IndexByte(p[at:], '"')
		part := p[at:]
		if i >= 0 {
			part = p[at : at+i]
		}
		escaped := (len(part)-len(bytes.TrimRight(part, `\`)))%2 == 1
		switch {
		case i < 0:
			d.escaped = escaped
			return len(p)
		case !escaped:
			d.quoted = false
			return at + i
		}
		at += i + 1
	}
}

// NewDecoder reads dense text, and takes no unknown members.
func NewDecoder(r io.Reader) *json.Decoder {
	dec := json.NewDecoder(Dense(r))
	dec.DisallowUnknownFields()
	return dec
}

// Strict reads a text that is one dense value without unknown members.
func Strict(text []byte, into any) error {
	dec := NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(into); err != nil {
		return err
	}
	return End(dec)
}

// End wants nothing more.
func End(dec *json.Decoder) error {
	switch _, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, ErrSparse):
		return err
	}
	return errors.New("there is more behind the document")
}

// maxMembers is how many different names of members are held.
const maxMembers = 64

// Object reads an object: members that own names by what it has for them, in the order
// of the text, and the others into v, which must know them. As encoding/json has it, the
// case of names does not count. A member that is there twice says two things: it is refused.
func Object(dec *json.Decoder, v any, own map[string]func() error) error {
	if err := delim(dec, '{'); err != nil {
		return err
	}
	rest, seen := map[string]json.RawMessage{}, map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name := t.(string) // between braces
		if seen[strings.ToLower(name)] {
			return errors.New("a member is there twice")
		}
		seen[strings.ToLower(name)] = true
		if read := find(own, name); read != nil {
			err = read()
		} else {
			var raw json.RawMessage
			err = dec.Decode(&raw)
			rest[name] = raw
		}
		if err != nil {
			return err
		}
		if len(seen) > maxMembers {
			return errors.New("it has too many members")
		}
	}
	if err := delim(dec, '}'); err != nil {
		return err
	}
	text, err := json.Marshal(rest)
	if err != nil {
		return err
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	return strict.Decode(v)
}

func find(own map[string]func() error, name string) func() error {
	for n, read := range own {
		if strings.EqualFold(n, name) {
			return read
		}
	}
	return nil
}

// List reads a list an element at a time, and gives each with the length of its text. It
// ends with the first error. null is an empty list.
func List[T any](dec *json.Decoder, each func(element T, length int64) error) error {
	if t, err := dec.Token(); err != nil || t == nil {
		return err
	} else if t != json.Delim('[') {
		return fmt.Errorf("%s stands where a list must be", kind(t))
	}
	for dec.More() {
		var element T
		from := dec.InputOffset()
		if err := dec.Decode(&element); err != nil {
			return err
		}
		if err := each(element, dec.InputOffset()-from); err != nil {
			return err
		}
	}
	return delim(dec, ']')
}

func delim(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err == nil && t != want:
		return fmt.Errorf("%s stands where %v must be", kind(t), want)
	}
	return err
}

// kind names a token without quoting it.
func kind(t json.Token) string {
	switch t.(type) {
	case json.Delim:
		return fmt.Sprint(t)
	case string:
		return "a text"
	case bool:
		return "true or false"
	case nil:
		return "null"
	}
	return "a number"
}
