package executor

import (
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/journal"
)

// Brief is a journal record for people.
type Brief struct {
	Outcome string
	// Why is the reason, where it is about a failure.
	Why string
	// Answer and By stand in what a person asserted.
	Answer, By string
	// Question is what she is asked, where a reset stopped.
	Question *event.Question
	// Record is the sha256 of its evidence.
	Record string
}

// Summary puts a journal record into words for people.
func Summary(rec journal.Record) Brief {
	e, err := decodeEntry(rec)
	if err != nil {
		return Brief{Outcome: "damaged", Why: err.Error()}
	}
	out := Brief{Outcome: string(rec.Kind), Why: e.Error, Answer: e.Answer, By: e.AssertedBy, Question: e.Question, Record: e.Evidence}
	switch rec.Kind {
	case journal.Ended:
		out.Outcome = string(e.Outcome)
	case journal.Intend:
		out.Outcome, out.Why = "begun", ""
	}
	return out
}
