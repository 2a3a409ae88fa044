package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
)

// Diagnostics shows faults and warnings: for people on stderr; for machines as
// events during a run, and otherwise as one document if there are faults.
func (v *View) Diagnostics(diags diag.Diagnostics) {
	if len(diags) == 0 {
		return
	}
	if v.JSON && v.Events && v.stream == nil { // a fault of the command line
		v.Run()
	}
	if v.stream != nil {
		for _, d := range diags {
			v.stream.Emit(event.Event{Type: event.Diagnostic, Level: level(d), Message: d.Summary, Address: d.Address, Fault: d})
		}
		return
	}
	if v.JSON && diags.HasErrors() {
		v.document(map[string]any{"format_version": "1.0", "diagnostics": diags})
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, d := range diags {
		if i == maxDiagnostics && len(diags) > i+1 {
			fmt.Fprintf(v.term.Err, "… and %d more. -json shows all.\n", len(diags)-i)
			break
		}
		writeDiagnostic(v.term.Err, v.err(), d)
	}
}

// maxDiagnostics is how many a person is shown at once.
const maxDiagnostics = 50

// Validation shows the outcome of `validate`.
func (v *View) Validation(diags diag.Diagnostics) {
	if v.JSON {
		if diags == nil {
			diags = diag.Diagnostics{}
		}
		faults := 0
		for _, d := range diags {
			if d.Severity == diag.Error {
				faults++
			}
		}
		v.document(map[string]any{"format_version": "1.0", "valid": faults == 0, "error_count": faults,
			"warning_count": len(diags) - faults, "diagnostics": diags})
		return
	}
	v.Diagnostics(diags)
	if !diags.HasErrors() {
		v.Text(v.out().green("The workspace is valid.") + "\n")
	}
}

func level(d diag.Diagnostic) event.Level {
	if d.Severity == diag.Warning {
		return event.Warn
	}
	return event.Error
}

// writeDiagnostic shows one fault with its place, the source around it, and
// what to do.
func writeDiagnostic(w io.Writer, st style, d diag.Diagnostic) {
	head, bar := st.paint("1;31", "Error"), st.red("│")
	if d.Severity == diag.Warning {
		head, bar = st.paint("1;33", "Warning"), st.yellow("│")
	}
	var b strings.Builder
	line := func(s string) { b.WriteString(strings.TrimRight(bar+" "+s, " ") + "\n") }
	line(head + ": " + st.bold(safe(d.Summary)))
	switch {
	case d.Rule != nil:
		sides(line, st, d)
	case d.Range != nil:
		where := "on " + safe(d.Range.Filename)
		if d.Range.Start.Line > 0 {
			where += fmt.Sprintf(" line %d", d.Range.Start.Line)
		}
		if d.Snippet != nil && d.Snippet.Context != "" {
			where += ", in " + safe(d.Snippet.Context)
		}
		line("")
		line("  " + where + ":")
	case d.Address != "" && !strings.Contains(d.Detail, d.Address):
		line("")
		line("  about " + safe(d.Address) + ":")
	}
	if d.Snippet != nil && d.Rule == nil {
		snippet(line, st, *d.Snippet)
	}
	if d.Detail != "" {
		line("")
		for _, l := range strings.Split(d.Detail, "\n") {
			for _, wrapped := range wrap(safe(l), 96) {
				line(wrapped)
			}
		}
	}
	if d.Rule != nil && d.Rule.Remedy != "" && !strings.Contains(d.Detail, d.Rule.Remedy) {
		for _, wrapped := range wrap("What to do: "+safe(d.Rule.Remedy), 96) {
			line(wrapped)
		}
	}
	b.WriteString("\n")
	_, _ = io.WriteString(w, b.String())
}

// snippet shows source lines, the faulty part underlined (or marked by carets
// where there is no color).
func snippet(line func(string), st style, s diag.Snippet) {
	offset := 0
	for i, src := range strings.Split(strings.TrimSuffix(s.Code, "\n"), "\n") {
		from := clamp(s.HighlightStart-offset, len(src))
		to := max(from, clamp(s.HighlightEnd-offset, len(src))) // an end that is before the start marks nothing
		offset += len(src) + 1
		before, mid, after := safe(tabs(src[:from])), safe(tabs(src[from:to])), safe(tabs(src[to:]))
		if whole := safe(tabs(src)); before+mid+after != whole { // what deceives begins in one part and ends in the next
			before, mid, after = whole, "", ""
		}
		number := fmt.Sprintf("%5d: ", s.StartLine+i)
		line(number + before + st.paint("4", mid) + after)
		if !st.on && mid != "" {
			line(strings.Repeat(" ", len(number)+len([]rune(before))) + strings.Repeat("^", len([]rune(mid))))
		}
	}
}

func tabs(s string) string { return strings.ReplaceAll(strings.TrimSuffix(s, "\r"), "\t", "  ") }

func clamp(n, limit int) int { return max(0, min(n, limit)) }

// wrap breaks text at spaces; words longer than width stay whole.
func wrap(s string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Split(s, " ") {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) > width:
			out = append(out, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(out, line)
}
