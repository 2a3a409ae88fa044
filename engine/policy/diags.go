package policy

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ast/location"

	"github.com/remint-dev/remint/engine/diag"
)

// maxErrors is how many faults of one source are shown.
const maxErrors = 20

// maxLine is how long a line of Rego may be that is shown.
const maxLine = 4 << 10

// denied is one fault that denies.
func denied(summary, detail string, args ...any) diag.Diagnostics {
	return diag.Errored(diag.ExitDenied, summary, detail, args...)
}

// at is one fault that denies, shown at its place in the Rego.
func (t texts) at(loc *location.Location, summary, detail string, args ...any) diag.Diagnostics {
	d := denied(summary, detail, args...)
	d[0].Range, d[0].Snippet = t.place(loc)
	return d
}

// place is loc with the line that it is on.
func (t texts) place(loc *location.Location) (*diag.Range, *diag.Snippet) {
	text, ok := []byte(nil), false
	if loc != nil {
		text, ok = t[loc.File]
	}
	if !ok || loc.Row < 1 {
		return nil, nil
	}
	lines := bytes.SplitN(text, []byte("\n"), loc.Row+1)
	if len(lines) < loc.Row {
		return nil, nil
	}
	line := lines[loc.Row-1]
	if len(line) > maxLine {
		return &diag.Range{Filename: loc.File, Start: diag.Pos{Line: loc.Row, Column: 1}, End: diag.Pos{Line: loc.Row, Column: 1}}, nil
	}
	start := min(max(loc.Col-1, 0), len(line))
	length := len(bytes.SplitN(loc.Text, []byte("\n"), 2)[0])
	end := min(start+max(length, 1), len(line))
	offset := min(max(loc.Offset, 0), len(text))
	column := utf8.RuneCount(line[:start]) + 1
	r := &diag.Range{
		Filename: loc.File,
		Start:    diag.Pos{Line: loc.Row, Column: column, Byte: offset},
		End:      diag.Pos{Line: loc.Row, Column: column + utf8.RuneCount(line[start:end]), Byte: offset + end - start},
	}
	return r, &diag.Snippet{Code: string(line), StartLine: loc.Row, HighlightStart: start, HighlightEnd: end}
}

// fromOPA turns parser's and compiler's errors into faults with their places.
func (t texts) fromOPA(source, summary string, err error) diag.Diagnostics {
	var list ast.Errors
	if !errors.As(err, &list) {
		return denied(summary, "Policy %q: %v.", source, err)
	}
	var out diag.Diagnostics
	for i, e := range list {
		if i == maxErrors {
			return append(out, denied(summary, "Policy %q has %d more faults.", source, len(list)-i)...)
		}
		out = append(out, t.at(e.Location, summary, "Policy %q: %s", source, explainOPA(e))...)
	}
	return out
}

// explainOPA adds what to do to the errors that remint's own rules cause.
func explainOPA(e *ast.Error) string {
	msg := e.Message
	if name, ok := cutUndefinedFunction(msg); ok {
		if why, known := takenAway[name]; known {
			return fmt.Sprintf("%s is not available to policies: %s.", name, why)
		}
		if isBuiltin(name) {
			return fmt.Sprintf("%s is not available to policies; policies/README.md lists what is.", name)
		}
	}
	if e.Details != nil {
		for _, l := range e.Details.Lines() {
			msg += "\n  " + l
		}
	}
	return msg
}
