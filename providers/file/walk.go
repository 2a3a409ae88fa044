package file

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// walk goes along a path through a valid JSON document, noting offsets.
type walk struct {
	finding
	file []byte
	dec  *json.Decoder
	path []string
}

// value reads the next value, which depth parts of the path lead to.
func (w *walk) value(depth int) error {
	start := w.next()
	if depth == len(w.path) {
		if c := w.file[start]; c == '{' || c == '[' {
			return fmt.Errorf("has an object or array at %s, not a string", w.upTo(depth))
		}
		if err := w.skip(); err != nil {
			return err
		}
		w.found = append(w.found, span{start, w.at()})
		return nil
	}
	switch w.file[start] {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	}
	if depth == 0 {
		return fmt.Errorf("is neither a JSON object nor an array")
	}
	return fmt.Errorf("has no object at %s", w.upTo(depth))
}

func (w *walk) object(depth int) error {
	if err := w.token(); err != nil {
		return err
	}
	o := object{depth: depth, end: w.at(), colon: ": "}
	found := false
	for w.dec.More() {
		keyStart := w.next()
		key, err := w.dec.Token()
		if err != nil {
			return err
		}
		keyEnd := w.at()
		if o.members == 0 {
			o.lead, o.colon = string(w.file[o.end:keyStart]), string(w.file[keyEnd:w.next()])
		}
		if key == w.path[depth] {
			found = true
			err = w.value(depth + 1)
		} else {
			err = w.skip()
		}
		if err != nil {
			return err
		}
		o.members++
		o.end = w.at()
	}
	if !found && (w.into == nil || w.into.depth < depth) {
		w.into = &o
	}
	return w.token()
}

func (w *walk) array(depth int) error {
	want, err := strconv.Atoi(w.path[depth])
	if err != nil || want < 0 {
		return fmt.Errorf("has an array at %s: the path must go on with a number", w.upTo(depth))
	}
	if err := w.token(); err != nil {
		return err
	}
	for i := 0; w.dec.More(); i++ {
		if i == want {
			err = w.value(depth + 1)
		} else {
			err = w.skip()
		}
		if err != nil {
			return err
		}
	}
	return w.token()
}

// at is the offset just behind what was read last.
func (w *walk) at() int { return int(w.dec.InputOffset()) }

// next is the offset of the next value or key.
func (w *walk) next() int {
	rest := w.file[w.at():]
	return w.at() + len(rest) - len(bytes.TrimLeft(rest, " \t\r\n:,"))
}

func (w *walk) skip() error {
	var v json.RawMessage
	return w.dec.Decode(&v)
}

func (w *walk) token() error {
	_, err := w.dec.Token()
	return err
}

func (w *walk) upTo(depth int) string {
	if depth == 0 {
		return "the top"
	}
	return strings.Join(w.path[:depth], ".")
}
