package config

import (
	"bytes"
	"unicode/utf8"

	"github.com/remint-dev/remint/engine/diag"
)

// What a block that is shown whole may take.
const (
	maxBlockLines = 12
	maxBlockLine  = 160
)

// Block is where a block begins, with its text up to its end, if that is not far. The
// literals of sensitive attributes are stars in it, as in every diagnostic.
func (w *Workspace) Block(r diag.Range) (*diag.Range, *diag.Snippet) {
	place, snippet := w.Place(r)
	f := w.files[r.Filename]
	if snippet == nil || f == nil {
		return place, snippet
	}
	from := bytes.LastIndexByte(f.Bytes[:r.Start.Byte], '\n') + 1
	indent := f.Bytes[from:r.Start.Byte]
	var out []byte
	for n, line := range bytes.SplitAfterN(f.Bytes[from:], []byte("\n"), maxBlockLines+1) {
		if n == maxBlockLines {
			out = append(out, "…"...)
			break
		}
		text := bytes.TrimRight(line, "\r\n")
		last := n == 0 && bytes.HasSuffix(text, []byte("}")) || n > 0 && bytes.HasPrefix(text, append(bytes.Clone(indent), '}'))
		if len(text) > maxBlockLine {
			text = text[:maxBlockLine]
			for !utf8.Valid(text) && len(text) > 0 {
				text = text[:len(text)-1]
			}
			text = append(bytes.Clone(text), "…"...)
		}
		out = append(append(out, text...), '\n')
		if last {
			break
		}
	}
	return place, &diag.Snippet{Context: snippet.Context, Code: string(bytes.TrimSuffix(out, []byte("\n"))), StartLine: r.Start.Line}
}
