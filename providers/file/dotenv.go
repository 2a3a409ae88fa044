package file

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
)

// dotenv is a file of KEY=value lines, as docker compose, the dotenv libraries
// and a sourcing shell read it. A repeated key is replaced everywhere, since
// readers differ on whether the first or the last counts.
type dotenv struct{ key string }

var (
	dotenvKey  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	dotenvHead = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*([=:])[ \t]*`)
)

var utf8BOM = []byte("\xef\xbb\xbf")

// place is one value of the key: its bytes with quotes, and what they mean.
type place struct {
	span
	quote byte // 0 if bare
	value []byte
}

func (d dotenv) values(file []byte) ([][]byte, error) {
	places, err := d.places(file)
	var out [][]byte
	for _, p := range places {
		out = append(out, p.value)
	}
	return out, err
}

func (d dotenv) set(file, value []byte) ([]byte, error) {
	if bytes.IndexByte(value, 0) >= 0 {
		return nil, errors.New("cannot hold a value with a NUL byte: use the format raw")
	}
	places, err := d.places(file)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return d.add(file, value), nil
	}
	spans := make([]span, len(places))
	for i, p := range places {
		spans[i] = p.span
	}
	return splice(file, spans, func(i int) []byte {
		if bytes.Equal(places[i].value, value) {
			return file[spans[i].start:spans[i].end]
		}
		return quote(value, places[i].quote)
	}), nil
}

// add appends a line in the file's own line endings; a file whose last line is
// not ended stays that way.
func (d dotenv) add(file, value []byte) []byte {
	eol := "\n"
	if i := bytes.IndexByte(file, '\n'); i > 0 && file[i-1] == '\r' {
		eol = "\r\n"
	}
	line := append([]byte(d.key+"="), quote(value, 0)...)
	out := bytes.Clone(file)
	if len(bytes.TrimPrefix(file, utf8BOM)) > 0 && file[len(file)-1] != '\n' {
		return append(append(out, eol...), line...)
	}
	return append(append(out, line...), eol...)
}

// places scans the whole file, because a quoted value of another key may hold
// lines that look like ours.
func (d dotenv) places(file []byte) ([]place, error) {
	var out []place
	at := 0
	if bytes.HasPrefix(file, utf8BOM) {
		at = len(utf8BOM)
	}
	for at < len(file) {
		head := dotenvHead.FindSubmatchIndex(file[at:])
		if head == nil {
			at = lineEnd(file, at) + 1
			continue
		}
		key, colon := string(file[at+head[2]:at+head[3]]), file[at+head[4]] == ':'
		if colon {
			if key == d.key {
				return nil, fmt.Errorf("sets %s with a colon in line %d, which only some readers understand: write %s=", d.key, lineOf(file, at), d.key)
			}
			at = lineEnd(file, at) + 1
			continue
		}
		p, err := readValue(file, at+head[5], at+head[1])
		if err != nil {
			return nil, fmt.Errorf("%w in line %d", err, lineOf(file, at))
		}
		end := lineEnd(file, p.end)
		if key == d.key {
			if p.quote != 0 && !endsValue(file[p.end:end]) {
				return nil, fmt.Errorf("has text behind the closing quote of %s in line %d, which readers understand differently", d.key, lineOf(file, at))
			}
			out = append(out, p)
		}
		at = end + 1
	}
	return out, nil
}

// readValue reads what stands behind an equals sign and the blanks after it.
func readValue(file []byte, equals, start int) (place, error) {
	end := lineEnd(file, start)
	if start < end {
		switch q := file[start]; q {
		case '\'', '"', '`':
			body, ok := quoted(file[start+1:], q)
			if !ok {
				return place{}, errors.New("has a quote that is not closed")
			}
			return place{span{start, start + len(body) + 2}, q, unescape(body, q)}, nil
		}
	}
	if start > equals && start < end && file[start] == '#' {
		return place{span{equals, equals}, 0, nil}, nil // nothing but a comment
	}
	text := file[start:end]
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			text = text[:i]
			break
		}
	}
	text = bytes.TrimRight(text, " \t\r")
	if len(text) == 0 {
		return place{span{equals, equals}, 0, nil}, nil
	}
	return place{span{start, start + len(text)}, 0, text}, nil
}

// quoted gives the text up to the closing quote.
func quoted(text []byte, q byte) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == q:
			return text[:i], true
		case text[i] == '\\' && q == '"':
			i++
		}
	}
	return nil, false
}

func endsValue(rest []byte) bool {
	trimmed := bytes.TrimLeft(rest, " \t\r")
	return len(trimmed) == 0 || trimmed[0] == '#' && len(trimmed) < len(rest)
}

func lineEnd(file []byte, from int) int {
	if i := bytes.IndexByte(file[from:], '\n'); i >= 0 {
		return from + i
	}
	return len(file)
}

func lineOf(file []byte, at int) int { return bytes.Count(file[:at], []byte("\n")) + 1 }
