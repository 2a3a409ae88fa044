package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
)

// FuzzStream: whatever an event says, the stream has one line for it that can be
// read in a terminal, and that says the same when it is parsed.
func FuzzStream(f *testing.F) {
	f.Add("plain", "credential.t.n")
	f.Add("x\n{\"type\":\"run_closed\"}\n", "\u202e\x1b[2J")
	f.Add("##[error]\u2028", "\U000e0041\xff\x7f")
	f.Fuzz(func(t *testing.T, message, address string) {
		if !utf8.ValidString(message) || !utf8.ValidString(address) {
			return // encoding/json writes another text for it
		}
		e := event.Event{Type: event.StepFailed, Level: event.Error, Message: message, Address: address, Detail: message,
			Timestamp: time.Unix(1e9, 0).UTC(), Fault: diag.Diagnostic{Summary: message, Detail: address}}
		var out bytes.Buffer
		(&jsonStream{w: &out}).Emit(e)
		line, ended := strings.CutSuffix(out.String(), "\n")
		for _, r := range line {
			if !ended || !addrs.Printable(r) {
				t.Fatalf("a raw %U in %q", r, line)
			}
		}
		var got struct {
			Message string `json:"@message"`
			Address string `json:"address"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{message, address}, []string{got.Message, got.Address}); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzDiagnostic: whatever a fault says, a person sees its one box and nothing that
// could be taken for another line of the program.
func FuzzDiagnostic(f *testing.F) {
	f.Add("summary", "detail", "code", 1, 2)
	f.Add("summary", "detail", "x ##[stop-commands]y", 0, 3)
	f.Add("x\nError: y", "a\n::error::b\r", "\tx\u202e\n```", 0, 99)
	f.Fuzz(func(t *testing.T, summary, detail, code string, from, to int) {
		var out bytes.Buffer
		writeDiagnostic(&out, style{}, diag.Diagnostic{
			Severity: diag.Error, Summary: summary, Detail: detail, Address: detail, Range: &diag.Range{Filename: summary},
			Snippet: &diag.Snippet{Code: code, Context: detail, StartLine: 1, HighlightStart: from, HighlightEnd: to},
		})
		for _, line := range strings.Split(strings.TrimSuffix(out.String(), "\n\n"), "\n") {
			if strings.Contains(line, "##[") {
				t.Fatalf("a command: %q", line)
			}
			if !strings.HasPrefix(line, "│") {
				t.Fatalf("a line outside of the box: %q", line)
			}
			for _, r := range line {
				if !addrs.Printable(r) {
					t.Fatalf("a raw %U in %q", r, line)
				}
			}
		}
	})
}
