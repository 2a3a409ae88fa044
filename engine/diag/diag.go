// Package diag holds what remint tells a person about a mistake: where it is,
// what is wrong, and what to do. Every fault of a run is collected before any
// is shown.
package diag

import (
	"fmt"
	"strings"
)

// Severity tells faults, which stop a command, from warnings, which do not.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Pos is a place in a file. Line and Column count from 1, Column in characters.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a stretch of a file. Filename is as the user would type it.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// String is file:line,column, as editors and people read it.
func (r Range) String() string {
	return fmt.Sprintf("%s:%d,%d", r.Filename, r.Start.Line, r.Start.Column)
}

// Snippet is the text around a fault, cut at the source when the diagnostic is
// made, so that showing it needs no file.
type Snippet struct {
	// Context names the block around it, as in `credential "x" "y"`; may be empty.
	Context string `json:"context,omitempty"`
	// Code is whole lines of source; StartLine is the number of the first.
	Code      string `json:"code"`
	StartLine int    `json:"start_line"`
	// HighlightStart and HighlightEnd are byte offsets into Code.
	HighlightStart int `json:"highlight_start"`
	HighlightEnd   int `json:"highlight_end"`
}

// Diagnostic is one fault or warning.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Summary is what is wrong, in a few words, without a full stop.
	Summary string `json:"summary"`
	// Detail is a sentence or two: what was found, and what to do about it.
	Detail  string   `json:"detail,omitempty"`
	Address string   `json:"address,omitempty"`
	Range   *Range   `json:"range,omitempty"`
	Snippet *Snippet `json:"snippet,omitempty"`
	// Rule is the policy's that denies; Range is then what it is about.
	Rule *Rule `json:"rule,omitempty"`
	// Runbook is the runbook, or the step of it, that the rule is about.
	Runbook *Excerpt `json:"runbook,omitempty"`
	// Exit is the exit code that this fault asks for; 0 means the ordinary 1.
	Exit Exit `json:"exit,omitempty"`
}

// Rule is a rule of a policy, as it is written.
type Rule struct {
	Title string `json:"title,omitempty"`
	// Remedy is what its METADATA says is to be done.
	Remedy  string   `json:"remedy,omitempty"`
	Range   *Range   `json:"range,omitempty"`
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Excerpt is another place, as it is written; without a snippet, the place alone.
type Excerpt struct {
	Range   *Range   `json:"range,omitempty"`
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Exit is a documented exit code.
type Exit int

// The exit codes of the command line. ExitError, ExitDenied, ExitMissing and
// ExitStale promise that nothing outside was changed.
const (
	ExitOK         Exit = 0
	ExitError      Exit = 1
	ExitChanges    Exit = 2
	ExitDenied     Exit = 3
	ExitMissing    Exit = 4
	ExitStale      Exit = 5
	ExitUnfinished Exit = 6
)

// Diagnostics is a list of faults and warnings. The zero value is ready to use.
type Diagnostics []Diagnostic

// HasErrors reports whether any of them is a fault.
func (d Diagnostics) HasErrors() bool {
	for _, x := range d {
		if x.Severity == Error {
			return true
		}
	}
	return false
}

// Exit is the exit code that the list as a whole asks for. Of several, the
// gravest wins: unfinished, error, stale, denied, missing.
func (d Diagnostics) Exit() Exit {
	rank := map[Exit]int{ExitMissing: 1, ExitDenied: 2, ExitStale: 3, ExitError: 4, ExitUnfinished: 5}
	out := ExitOK
	for _, x := range d {
		if x.Severity != Error {
			continue
		}
		e := x.Exit
		if e == 0 {
			e = ExitError
		}
		if rank[e] > rank[out] {
			out = e
		}
	}
	return out
}

// Errorf appends a fault without a place. detail is a format for args.
func (d Diagnostics) Errorf(summary, detail string, args ...any) Diagnostics {
	return append(d, Diagnostic{Severity: Error, Summary: summary, Detail: fmt.Sprintf(detail, args...)})
}

// Warnf appends a warning without a place. detail is a format for args.
func (d Diagnostics) Warnf(summary, detail string, args ...any) Diagnostics {
	return append(d, Diagnostic{Severity: Warning, Summary: summary, Detail: fmt.Sprintf(detail, args...)})
}

// Errored is one fault without a place, with the exit code it asks for.
func Errored(exit Exit, summary, detail string, args ...any) Diagnostics {
	return Diagnostics{{Severity: Error, Summary: summary, Detail: fmt.Sprintf(detail, args...), Exit: exit}}
}

// Err is nil when there are no faults, and otherwise an error that lists them.
func (d Diagnostics) Err() error {
	if !d.HasErrors() {
		return nil
	}
	return listError{d}
}

type listError struct{ list Diagnostics }

// Error joins summaries and details, a line each.
func (e listError) Error() string {
	var lines []string
	for _, x := range e.list {
		if x.Severity != Error {
			continue
		}
		line := x.Summary
		if x.Range != nil {
			line = x.Range.String() + ": " + line
		}
		if x.Detail != "" {
			line += ": " + x.Detail
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
