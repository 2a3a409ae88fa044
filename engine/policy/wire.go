package policy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// What goes between the program and its evaluator: a frame is a length of four
// bytes and that much JSON.
const (
	maxFrame = 8 << 20
	// maxReply is what all frames of one reply may hold together.
	maxReply = 64 << 20
	// pageLength is how many findings or rules stand in one frame.
	pageLength = 256
)

// errFrame says that the other side does not speak as agreed.
var errFrame = errors.New("the evaluator is not understood")

// wire is one side's end of a connection.
type wire struct {
	r *bufio.Reader
	w *bufio.Writer
	// left is how many bytes may still be read.
	left int
	buf  bytes.Buffer
}

func newWire(r io.Reader, w io.Writer) *wire {
	return &wire{r: bufio.NewReaderSize(r, 64<<10), w: bufio.NewWriterSize(w, 64<<10), left: maxReply}
}

// write sends one frame with the next flush, or when the buffer is full.
func (c *wire) write(v any) error {
	c.buf.Reset()
	if err := json.NewEncoder(&c.buf).Encode(v); err != nil {
		return err
	}
	if c.buf.Len() > maxFrame {
		return fmt.Errorf("%w: a frame of %d MiB", errFrame, c.buf.Len()>>20)
	}
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(c.buf.Len()))
	_, _ = c.w.Write(head[:]) // an error of a buffered writer stays: the next write says it
	_, err := c.w.Write(c.buf.Bytes())
	return err
}

// read takes one frame, and refuses what v has no place for.
func (c *wire) read(v any) error {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > maxFrame || n > c.left {
		return fmt.Errorf("%w: it says too much", errFrame)
	}
	c.left -= n
	c.buf.Reset()
	if _, err := io.CopyN(&c.buf, c.r, int64(n)); err != nil {
		return err
	}
	d := json.NewDecoder(&c.buf)
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: a frame holds more than one value", errFrame)
	}
	return nil
}

// hello is the evaluator's first word: how much memory of the kind that
// RLIMIT_DATA counts it takes before it has seen any Rego.
type hello struct {
	Data uint64 `json:"data"`
}

// op is what a request asks for.
type op string

const (
	opCompile op = "compile" // parts are files
	opInput   op = "input"   // parts are resets
	opAsk     op = "ask"
	opTest    op = "test"   // parts are files
	opBundle  op = "bundle" // parts are files
)

// request is what the program asks. Parts more frames follow it.
type request struct {
	Op     op     `json:"op"`
	Source string `json:"source,omitempty"`
	// Time and Memory are the bounds that the evaluator keeps to by itself, so
	// that it can still say where it was; the program enforces its own.
	Time    time.Duration `json:"time,omitempty"`
	Memory  uint64        `json:"memory,omitempty"`
	Explain bool          `json:"explain,omitempty"`
	Input   *Input        `json:"input,omitempty"`
	// Path and Signing are of a bundle.
	Path    string   `json:"path,omitempty"`
	Signing *Signing `json:"signing,omitempty"`
	// Taken are packages that the source may not declare.
	Taken []string `json:"taken,omitempty"`
	Parts int      `json:"parts,omitempty"`
}

// sentFile is a file of a source.
type sentFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Test bool   `json:"test,omitempty"`
}

// shape is what resets by one runbook have in common; it is sent once, with the
// first of them.
type shape struct {
	Runbook plan.Runbook      `json:"runbook"`
	Phases  []lifecycle.Phase `json:"phases"`
	Steps   []Step            `json:"steps"`
}

// sentReset is a reset without its shape, which is the one of that number.
type sentReset struct {
	Reset
	Shape   int    `json:"shape"`
	New     *shape `json:"new,omitempty"`
	Runbook *int   `json:"runbook,omitempty"` // these three hide the shape's members
	Phases  *int   `json:"phases,omitempty"`
	Steps   *int   `json:"steps,omitempty"`
}

// reply is what the evaluator answers. Parts pages follow it, unless At is set:
// then it only says which file is being read, and the reply is still to come.
type reply struct {
	At    string           `json:"at,omitempty"`
	Diags diag.Diagnostics `json:"diags,omitempty"`
	// Stages are those that a compiled source speaks about.
	Stages []Stage `json:"stages,omitempty"`
	// Covered and Missed are lines, counted by tests.
	Covered int `json:"covered,omitempty"`
	Missed  int `json:"missed,omitempty"`
	// Revision is that of a bundle that was verified.
	Revision string `json:"revision,omitempty"`
	Parts    int    `json:"parts,omitempty"`
}

// page is a part of a reply.
type page struct {
	Findings []finding      `json:"findings,omitempty"`
	Asked    []AskedRule    `json:"asked,omitempty"`
	Tests    []TestResult   `json:"tests,omitempty"`
	Rules    []RuleCoverage `json:"rules,omitempty"`
}

// pages cuts a list into parts.
func pages[T any](out []page, list []T, put func(*page, []T)) []page {
	for len(list) > 0 {
		n := min(len(list), pageLength)
		var p page
		put(&p, list[:n])
		out, list = append(out, p), list[n:]
	}
	return out
}

// shapes numbers the shapes of resets. Those by one runbook mostly share the
// memory of their steps and phases; where not, their text is compared.
type shapes struct {
	shared map[shared]int
	texts  map[string]int
}

type shared struct {
	book          plan.Runbook
	steps         *Step
	phases        *lifecycle.Phase
	nSteps, nRows int
}

func newShapes() *shapes { return &shapes{shared: map[shared]int{}, texts: map[string]int{}} }

// of is the number of r's shape, and the shape itself where it is new.
func (s *shapes) of(r *Reset) (int, *shape, error) {
	k := shared{book: r.Runbook, nSteps: len(r.Steps), nRows: len(r.Phases)}
	if len(r.Steps) > 0 {
		k.steps = &r.Steps[0]
	}
	if len(r.Phases) > 0 {
		k.phases = &r.Phases[0]
	}
	if n, ok := s.shared[k]; ok {
		return n, nil, nil
	}
	one := &shape{r.Runbook, r.Phases, r.Steps}
	text, err := json.Marshal(one)
	if err != nil {
		return 0, nil, err
	}
	n, ok := s.texts[string(text)]
	if !ok {
		n = len(s.texts)
		s.texts[string(text)] = n
	} else {
		one = nil
	}
	s.shared[k] = n
	return n, one, nil
}
