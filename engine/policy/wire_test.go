package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// framed is what is sent for these values.
func framed(t *testing.T, values ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	c := newWire(nil, &out)
	for _, v := range values {
		if err := c.write(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Frames arrive one by one as they were sent, and the end of them is told from a cut.
func TestFramesArriveWhole(t *testing.T) {
	sent := []any{request{Op: opAsk, Source: "a"}, request{Op: opInput, Input: &Input{Resets: []Reset{{Attributes: map[string]any{"n": json.Number("12345678901234567890")}}}}}, request{}}
	b := framed(t, sent...)
	c := newWire(bytes.NewReader(b), nil)
	c.left = len(b) - 4*len(sent) // to the byte
	for _, want := range sent {
		var got request
		if err := c.read(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if err := c.read(&request{}); !errors.Is(err, io.EOF) || errors.Is(err, errFrame) {
		t.Errorf("after the last frame: %v", err)
	}
	for _, n := range []int{1, 3, 4, 5, len(framed(t, sent[0])) - 1} {
		if err := newWire(bytes.NewReader(b[:n]), nil).read(&request{}); err == nil || n < 4 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

// A frame that is cut where its value is whole is cut nevertheless.
func TestACutFrameIsNoFrame(t *testing.T) {
	if err := newWire(strings.NewReader("\x00\x00\x00\x04{} "), nil).read(&reply{}); err == nil {
		t.Error("it is read")
	}
}

// What is longer than agreed, or more than agreed in all, is not even looked at.
func TestFramesHaveBounds(t *testing.T) {
	text := strings.Repeat("x", maxFrame-3) // with its quotes and line end as long as may be
	b := framed(t, text)
	var got string
	if err := newWire(bytes.NewReader(b), nil).read(&got); err != nil || got != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := newWire(nil, io.Discard).write(text + "x"); !errors.Is(err, errFrame) || !strings.Contains(err.Error(), "of 8 MiB") {
		t.Errorf("a longer frame is sent: %v", err)
	}
	if err := newWire(nil, io.Discard).write(func() {}); err == nil {
		t.Error("what has no JSON is sent")
	}
	long := append([]byte{0, 0x80, 0, 1}, bytes.Repeat([]byte{' '}, maxFrame)...)
	if err := newWire(bytes.NewReader(append(long, '1')), nil).read(new(int)); !errors.Is(err, errFrame) {
		t.Errorf("a longer frame is read: %v", err)
	}
	c := newWire(bytes.NewReader(framed(t, "0123456789", "0123456789")), nil)
	c.left = 25 // two frames are 26 bytes
	if err := c.read(&got); err != nil {
		t.Error(err)
	}
	if err := c.read(&got); !errors.Is(err, errFrame) {
		t.Errorf("more than agreed in all is read: %v", err)
	}
}

// A frame is one value with the agreed members, or nothing.
func TestFramesAreStrict(t *testing.T) {
	frame := func(text string) []byte { return append([]byte{0, 0, 0, byte(len(text))}, text...) }
	for _, bad := range []string{`{"parts": 1} {}`, `{"parts": 1}x`, `{"allowed": true}`, `{"parts": "1"}`, `{`, ``} {
		if err := newWire(bytes.NewReader(frame(bad)), nil).read(&reply{}); !errors.Is(err, errFrame) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// broken takes some bytes and no more.
type broken struct{ room int }

func (b *broken) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// What could not be sent is said by the next write or the flush.
func TestWhatIsNotSentIsSaid(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	if err := newWire(nil, &broken{}).write(long); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	c := newWire(nil, &broken{room: 110 << 10})
	if err := errors.Join(c.write(long), c.write("x"), c.w.Flush()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(c.write(long), c.w.Flush()); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// A list is cut into pages and arrives whole.
func TestPages(t *testing.T) {
	put := func(p *page, l []finding) { p.Findings = l }
	for n, want := range map[int]int{0: 0, 1: 1, pageLength: 1, pageLength + 1: 2, 3 * pageLength: 3} {
		list := make([]finding, n)
		for i := range list {
			list[i].Approvals = i
		}
		before := []page{{Asked: []AskedRule{{Held: 7}}}}
		got := pages(before, list, put)
		if len(got) != 1+want || got[0].Asked[0].Held != 7 {
			t.Fatalf("%d findings: %d pages", n, len(got)-1)
		}
		next := 0
		for _, p := range got[1:] {
			for _, f := range p.Findings {
				if f.Approvals != next {
					t.Fatalf("%d comes where %d should", f.Approvals, next)
				}
				next++
			}
		}
		if next != n {
			t.Errorf("%d of %d arrive", next, n)
		}
	}
}

// Resets of one shape share its number, whether they share its memory or only
// its text, and no others do.
func TestShapes(t *testing.T) {
	steps := func() []Step { return []Step{{Address: "issue.x", Phase: lifecycle.Issue}, {Address: "prove.x"}} }
	phases := func() []lifecycle.Phase { return []lifecycle.Phase{"issue", "prove"} }
	s, p := steps(), phases()
	shapes := newShapes()
	for i, tc := range []struct {
		reset Reset
		want  int
		fresh bool
	}{
		{Reset{Steps: s, Phases: p}, 0, true},
		{Reset{Steps: s, Phases: p, Address: "other"}, 0, false},
		{Reset{Steps: steps(), Phases: phases()}, 0, false},
		{Reset{Steps: s[:1], Phases: p}, 1, true},
		{Reset{Steps: s, Phases: p[:1]}, 2, true},
		{Reset{Steps: s[1:], Phases: p}, 3, true},
		{Reset{Steps: s, Phases: p[1:]}, 4, true},
		{Reset{Steps: s, Phases: p, Runbook: plan.Runbook{Name: "r"}}, 5, true},
		{Reset{Phases: p}, 6, true},
		{Reset{Steps: s}, 7, true},
		{Reset{}, 8, true},
		{Reset{}, 8, false},
		{Reset{Steps: s[:1], Phases: p}, 1, false},
		{Reset{Steps: steps()[1:], Phases: phases()}, 3, false},
	} {
		n, shape, err := shapes.of(&tc.reset)
		if err != nil || n != tc.want || (shape != nil) != tc.fresh {
			t.Errorf("%d: %d, %v, %v", i, n, shape, err)
		}
		if shape != nil {
			if diff := cmp.Diff(tc.reset, Reset{Runbook: shape.Runbook, Phases: shape.Phases, Steps: shape.Steps, Address: tc.reset.Address}); diff != "" {
				t.Errorf("%d: %s", i, diff)
			}
		}
	}
	if len(shapes.shared) != 11 { // those of the same memory are not compared again
		t.Errorf("%d shapes are remembered by their memory", len(shapes.shared))
	}
}

// What is wrong is told as the evaluator found it.
func TestDiagsArriveWhole(t *testing.T) {
	want := reply{Diags: diag.Diagnostics{{Severity: diag.Error, Summary: "s", Detail: "d <&>\u2028", Exit: diag.ExitDenied, Range: &diag.Range{Filename: "f", Start: diag.Pos{Line: 1, Column: 2, Byte: 3}}}}, Stages: []Stage{StagePlan}, Covered: 1, Missed: 2, Parts: 3}
	var got reply
	if err := newWire(bytes.NewReader(framed(t, want)), nil).read(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
