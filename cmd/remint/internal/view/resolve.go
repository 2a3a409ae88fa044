package view

import (
	"fmt"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
)

// Resolved says what was answered, and what comes of it.
func (v *View) Resolved(s *engine.SignedResolution) {
	r := s.Resolution
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "resolution": r, "does": s.Does, "next": "remint resume " + r.Run})
		return
	}
	v.Note(fmt.Sprintf("%s asserts %s: %s", r.Approver, r.Answer, r.Question))
	v.Note("Then: " + s.Does + ".")
	v.Note("Next: remint resume " + r.Run)
}

// questions are what people are asked, one for each reset that stopped.
func (v *View) questions(r *executor.Result) {
	listed := 0
	for _, x := range r.Resets {
		if x.Question == nil {
			continue
		}
		if listed++; listed > maxListed {
			v.Text(fmt.Sprintf("  … and more questions: remint runs %s\n", safe(r.Run)))
			return
		}
		v.question("", x.Question)
	}
}

// question shows one, with what each answer does and the command for it.
func (v *View) question(indent string, q *event.Question) {
	st := v.out()
	if q.Step == "" {
		v.Text(indent + st.bold("Question: ") + safe(q.Asks) + "\n")
		v.Text(indent + "  If so, mend what keeps it from that: " + "remint resume " + safe(q.Run) + "\n")
		v.Text(indent + "  not-done  " + safe(q.NotDone) + "\n" + indent + "            " + safe(q.Command(event.AnswerNotDone)) + "\n")
		return
	}
	v.Text(indent + st.bold("Question about "+safe(q.Subject())+": ") + safe(q.Asks) + "\n")
	for _, a := range []struct{ answer, does string }{{event.AnswerDone, q.Done}, {event.AnswerNotDone, q.NotDone}} {
		v.Text(fmt.Sprintf("%s  %-9s %s\n%s            %s\n", indent, a.answer, safe(a.does), indent, safe(q.Command(a.answer))))
	}
}

// openQuestion shows one with what was answered so far.
func (v *View) openQuestion(indent string, q *engine.OpenQuestion) {
	v.question(indent, &q.Question)
	for _, g := range q.Answers {
		v.Text(fmt.Sprintf("%s  %s said %s at %s; remint resume %s goes on by it\n", indent, safe(g.By), safe(g.Answer), g.At.UTC().Format(time.RFC3339), safe(q.Run)))
	}
}
