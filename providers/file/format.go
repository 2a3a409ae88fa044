package file

import "bytes"

// format knows where in a file's bytes the value stands. Its methods do no
// I/O; their errors are the second half of a sentence about the file and
// never quote its content.
type format interface {
	// values gives the value of each place that holds it, in order: several
	// where a key is repeated, none where there is no value.
	values(file []byte) ([][]byte, error)
	// set is file with value in each of these places, or added if there is
	// none; every other byte stays.
	set(file, value []byte) ([]byte, error)
}

// raw: the file is the value.
type raw struct {
	// newline marks a file whose final newline does not belong to the value.
	newline bool
}

func (r raw) values(file []byte) ([][]byte, error) {
	if r.newline {
		file = bytes.TrimSuffix(file, []byte("\n"))
	}
	if len(file) == 0 {
		return nil, nil
	}
	return [][]byte{file}, nil
}

func (r raw) set(_, value []byte) ([]byte, error) {
	if r.newline && len(value) > 0 {
		return append(bytes.Clone(value), '\n'), nil
	}
	return append([]byte{}, value...), nil
}

// span is a half-open range of bytes in a file.
type span struct{ start, end int }

// splice replaces each span, given in order, with the text that belongs to it.
func splice(file []byte, spans []span, text func(i int) []byte) []byte {
	var out bytes.Buffer
	at := 0
	for i, s := range spans {
		out.Write(file[at:s.start])
		out.Write(text(i))
		at = s.end
	}
	out.Write(file[at:])
	return out.Bytes()
}

func allEqual(values [][]byte, to []byte) bool {
	for _, v := range values {
		if !bytes.Equal(v, to) {
			return false
		}
	}
	return len(values) > 0
}
