package executor

import "github.com/remint-dev/remint/engine/journal"

// Summary puts a journal record into a word for people, with the reason if
// it is about a failure.
func Summary(rec journal.Record) (outcome, why string) {
	e, err := decodeEntry(rec)
	if err != nil {
		return "damaged", err.Error()
	}
	switch rec.Kind {
	case journal.Ended:
		return string(e.Outcome), e.Error
	case journal.Intend:
		return "begun", ""
	}
	return string(rec.Kind), e.Error
}
