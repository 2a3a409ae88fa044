package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
)

// EventFormat is the version of the event stream.
const EventFormat = "1.0"

// Run gives the sink for a run's events: JSON lines on stdout with -json, a
// moving display on a terminal, plain lines elsewhere. flush ends it; it may be
// called twice.
func (v *View) Run() (sink event.Sink, flush func()) {
	switch {
	case v.JSON:
		s := &jsonStream{w: v.term.Out}
		s.Emit(event.Event{Type: event.Version, Level: event.Info, Message: "remint events " + EventFormat, Format: EventFormat, Timestamp: time.Now().UTC()})
		v.stream = s
		return s, func() {}
	case v.term.ErrTTY:
		p := newProgress(v.term.Err, v.err(), v.term.Width)
		return p, p.stop
	}
	return &plainLines{view: v, waiting: map[string]string{}}, func() {}
}

// Planning gives the sink for what happens while a plan is made.
func (v *View) Planning() event.Sink {
	if v.JSON || !v.term.ErrTTY {
		return event.Discard
	}
	return &planning{w: v.term.Err}
}

// jsonStream writes events as JSON lines.
type jsonStream struct {
	mu sync.Mutex
	w  io.Writer
}

// Emit writes e.
func (s *jsonStream) Emit(e event.Event) {
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now().UTC()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(e) == nil {
		_, _ = s.w.Write(addrs.VisibleJSON(buf.Bytes())) // a closed pipe must not stop a run
	}
}

// plainLines writes a line per event that matters in a log. That a step waits
// is said once.
type plainLines struct {
	view *View

	mu      sync.Mutex
	waiting map[string]string // address to step
}

// Emit writes e.
func (p *plainLines) Emit(e event.Event) {
	p.mu.Lock()
	again := e.Type == event.StepWaiting && p.waiting[e.Address] == e.Step
	switch e.Type {
	case event.StepWaiting:
		p.waiting[e.Address] = e.Step
	case event.ResetFinished:
		delete(p.waiting, e.Address)
	}
	p.mu.Unlock()
	if again {
		return
	}
	if s := plain(e); s != "" {
		p.view.Note(s)
	}
}

// plain puts an event into a line, "" for those that are only for displays.
func plain(e event.Event) string {
	switch e.Type {
	case event.RunOpened:
		return fmt.Sprintf("run %s: %s, trust: %s", e.Run, plural(e.Total, "reset"), e.Trust)
	case event.StepCompleted:
		line := e.Address + ": " + e.Step
		if e.Detail != "" {
			line += ": " + e.Detail
		}
		return line
	case event.StepWaiting:
		if e.Until != nil {
			return fmt.Sprintf("%s: %s: waiting until %s: %s", e.Address, e.Step, e.Until.UTC().Format("15:04:05 MST"), e.Message)
		}
	case event.StepFailed:
		return e.Address + ": FAILED: " + e.Message
	case event.ResetFinished:
		if e.Proof != "" {
			return fmt.Sprintf("%s: %s, the old one's death is %s", e.Address, e.Outcome, e.Proof)
		}
		return e.Message
	case event.Diagnostic:
		return "warning: " + e.Message
	case event.Evidence, event.RunClosed, event.KeyUsed:
		return e.Message
	}
	return ""
}

// planning shows how many targets have been read.
type planning struct {
	mu sync.Mutex
	w  io.Writer
}

// Emit updates the count.
func (p *planning) Emit(e event.Event) {
	if e.Type != event.PlanProgress || e.Total < 1000 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d of %d", safe(e.Message), e.Done, e.Total)
	if e.Done == e.Total {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// Results sums runs up, with the next command where something is left.
func (v *View) Results(results []*executor.Result) {
	for _, r := range results {
		if v.JSON {
			continue // reset_finished and run_closed have said it, the commands too
		}
		v.result(r)
	}
}

// sealed names the secrets that only the state has, and those that it need not have.
func (v *View) sealed(r *executor.Result) {
	var only, replaced, old []string
	for _, x := range r.Resets {
		if x.SealedOld {
			old = append(old, x.Address)
		}
		switch {
		case !x.Sealed:
		case x.Outcome == executor.Superseded:
			replaced = append(replaced, x.Address)
		default:
			only = append(only, x.Address)
		}
	}
	v.addresses(fmt.Sprintf("%s sealed in the state, because no store has it: remint recover -out=FILE ADDRESS", plural(len(only), "new secret")), only)
	v.addresses(fmt.Sprintf("%s superseded and still sealed in the state: remint recover -erase -run=%s ADDRESS", was(len(replaced), "secret"), safe(r.Run)), replaced)
	v.addresses(fmt.Sprintf("%s sealed in the state, because it may still work: remint recover -old -out=FILE -run=%s ADDRESS", plural(len(old), "old secret"), safe(r.Run)), old)
}

// addresses lists addresses under a head, nothing where there are none.
func (v *View) addresses(head string, list []string) {
	if len(list) == 0 {
		return
	}
	v.Text(head + "\n")
	for i, address := range list {
		if i == maxListed {
			v.Text(fmt.Sprintf("  … and %d more\n", len(list)-maxListed))
			break
		}
		v.Text("  " + safe(address) + "\n")
	}
}

// judges says whose word the run rests on.
func (v *View) judges(r *executor.Result) {
	v.Text("Trust: " + safe(r.Trust) + ".\n")
}

// asserted counts what rests on people's word.
func (v *View) asserted(r *executor.Result) {
	n := 0
	for _, x := range r.Resets {
		n += len(x.Asserted)
	}
	if n > 0 {
		v.Text(fmt.Sprintf("%s on a person's signed word, not on anything observed: remint runs %s\n", plural(n, "step")+" rest"+third(n), safe(r.Run)))
	}
}

// third is the ending of a verb whose subject is n things.
func third(n int) string {
	if n == 1 {
		return "s"
	}
	return ""
}

// maxListed is how many unfinished resets are named.
const maxListed = 20

func (v *View) result(r *executor.Result) {
	st, c := v.out(), r.Counts()
	defer v.sealed(r)
	defer v.asserted(r)
	defer v.judges(r)
	if r.Exit() == diag.ExitOK {
		var done []string
		if dead := c.Tested + c.Reported; dead > 0 || c.Made+c.Absent == 0 {
			done = append(done, fmt.Sprintf("%s dead (%d tested, %d reported)", plural(dead, "old credential"), c.Tested, c.Reported))
		}
		if c.Made > 0 {
			done = append(done, plural(c.Made, "credential")+" made where there was none")
		}
		if c.Absent > 0 {
			done = append(done, plural(c.Absent, "credential")+" retired that did not exist")
		}
		v.Text(st.green(fmt.Sprintf("Reset complete: %s, evidence of run %s is signed.\n", strings.Join(done, ", "), safe(r.Run))))
		return
	}
	v.Text(st.paint("1;31", fmt.Sprintf("Not everything is done: %d finished, %d not.\n", c.Finished, len(r.Resets)-c.Finished)))
	listed := 0
	for _, x := range r.Resets {
		if x.Outcome == executor.Finished {
			continue
		}
		if listed++; listed > maxListed {
			v.Text(fmt.Sprintf("  … and %d more\n", len(r.Resets)-c.Finished-maxListed))
			break
		}
		at := ""
		if x.Step != "" {
			at = " at " + x.Step
		}
		v.Text(fmt.Sprintf("  %s: %s%s: %s\n", safe(x.Address), safe(string(x.Outcome)), safe(at), safe(x.Error)))
	}
	if r.Error != "" {
		v.Text("  " + safe(r.Error) + "\n")
	}
	v.questions(r)
	v.next(r)
}

// next names the commands to give next.
func (v *View) next(r *executor.Result) {
	head := "Next: "
	if r.Closed && r.Filed {
		head = "Next: mend what is named above, then plan again: "
	}
	v.Text(head + safe(strings.Join(r.Next(), "; ")) + "\n")
}
