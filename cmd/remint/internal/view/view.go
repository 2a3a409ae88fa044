// Package view puts results and events before people and machines. It and
// package terminal are the only ones that print. Results go to stdout, narration
// to stderr; whatever a stranger may have named is escaped.
package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/remint-dev/remint/cmd/remint/internal/terminal"
	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
)

// View writes for one invocation.
type View struct {
	term *terminal.Terminal
	// JSON asks for machine output.
	JSON bool
	// Events is whether that is events, and not one document.
	Events bool

	mu sync.Mutex
	// stream is set while a run's events go to stdout as JSON lines.
	stream *jsonStream
}

// New is a view onto t.
func New(t *terminal.Terminal) *View { return &View{term: t} }

// Text writes a result as it is; the caller vouches for what is in it.
func (v *View) Text(s string) { _, _ = io.WriteString(v.term.Out, s) }

// Formatted names the files that fmt changed, or would change, and what is wrong.
func (v *View) Formatted(changed []string, diags diag.Diagnostics) {
	if v.JSON {
		if diags == nil {
			diags = diag.Diagnostics{}
		}
		v.document(map[string]any{"format_version": "1.0", "changed": changed, "diagnostics": diags})
		return
	}
	for _, path := range changed {
		v.Text(safe(path) + "\n")
	}
	v.Diagnostics(diags)
}

// Note narrates on stderr, a line: what a stranger named cannot begin another.
func (v *View) Note(s string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintln(v.term.Err, safe(s))
}

// Prompt asks on stderr, without a line break.
func (v *View) Prompt(s string) { _, _ = io.WriteString(v.term.Err, s) }

// document writes one JSON document to stdout, made visible.
func (v *View) document(doc any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(doc)
	if err == nil {
		_, err = v.term.Out.Write(addrs.VisibleJSON(buf.Bytes()))
	}
	if err != nil {
		fmt.Fprintln(v.term.Err, "The answer cannot be written: "+err.Error())
	}
}

// style colors text where the stream is a terminal that wants it.
type style struct {
	on bool
	// width is how many columns there are; 0 where nobody looks at them.
	width int
}

func (v *View) out() style { return style{on: v.term.Color && v.term.OutTTY} }

func (v *View) err() style {
	st := style{on: v.term.Color && v.term.ErrTTY}
	if v.term.ErrTTY {
		st.width = v.term.Width()
	}
	return st
}

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(t string) string   { return s.paint("1", t) }
func (s style) red(t string) string    { return s.paint("31", t) }
func (s style) green(t string) string  { return s.paint("32", t) }
func (s style) yellow(t string) string { return s.paint("33", t) }
func (s style) dim(t string) string    { return s.paint("2", t) }

// safe is s on one line, with what could deceive escaped.
func safe(s string) string { return addrs.Visible(s) }

// plural is "1 reset" or "3 resets".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
