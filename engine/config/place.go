package config

import (
	"bytes"
	"strings"
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
	return block(w.files, r)
}

// Block is where the runbook begins, or that step of it, with its text likewise. An
// instance of a step is the step; of one that it does not have, it is the runbook.
func (r *Runbook) Block(step string) (*diag.Range, *diag.Snippet) {
	at := r.Range
	name, _, _ := strings.Cut(step, "[")
	name, _, _ = strings.Cut(name, "#")
	for _, s := range r.steps {
		if s.name() == name {
			at = diag.RangeOf(s.at)
		}
	}
	return block(r.files, at)
}

func block(files diag.Sources, r diag.Range) (*diag.Range, *diag.Snippet) {
	place, snippet := files.Place(hclRange(r))
	f := files[r.Filename]
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
