package event

import "strings"

// The answers to a Question.
const (
	AnswerDone    = "done"
	AnswerNotDone = "not-done"
)

// Question is what a person is asked where nothing that remint can look at tells:
// one for each reset that stopped.
type Question struct {
	Run     string `json:"run"`
	Address string `json:"address"`
	// Step is the one whose outcome is asked for. Empty: the reset as a whole,
	// which an answer can give up and never call finished.
	Step string `json:"step,omitempty"`
	// Asks is the question, in plain words.
	Asks string `json:"asks"`
	// Done and NotDone say what each answer does. Done is empty where only a
	// proof could say so.
	Done    string `json:"done,omitempty"`
	NotDone string `json:"not_done"`
}

// Told is a question as machines are told it: with the commands that answer it.
type Told struct {
	Question
	Commands Commands `json:"commands"`
}

// Commands are the command for each answer, ready for a shell but for the key.
type Commands struct {
	Done    string `json:"done,omitempty"`
	NotDone string `json:"not_done"`
}

// Told adds the commands; nil where there is no question.
func (q *Question) Told() *Told {
	if q == nil {
		return nil
	}
	c := Commands{NotDone: q.Command(AnswerNotDone)}
	if q.Done != "" {
		c.Done = q.Command(AnswerDone)
	}
	return &Told{*q, c}
}

// Subject names what is asked about, as `remint resolve` takes it.
func (q *Question) Subject() string {
	if q.Step == "" {
		return q.Address
	}
	return q.Address + "/" + q.Step
}

// Command is the command that gives an answer, ready for a shell.
func (q *Question) Command(answer string) string {
	return "remint resolve " + q.Run + " " + Shell(q.Subject()) + " -as=" + answer + " -key=FILE"
}

// Shell quotes a word where a shell would take it apart.
func Shell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
