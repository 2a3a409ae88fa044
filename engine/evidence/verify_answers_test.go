package evidence

import (
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/event"
)

// A person's word is found wherever it stands without her signature, and a fault
// with it is one finding, on the line of the record that carries it.
func TestVerifyAnswers(t *testing.T) {
	alice := testSigner(t, Ed25519)
	mint := func(x *trial) {
		x.halted.Question.Step, x.said.Step, x.step.Step, x.step.Phase, x.end.Outcome, x.end.Proof = "issue.it", "issue.it", "issue.it", "issue", Abandoned, ""
	}
	plain := func(x *trial) {
		x.by, x.step.Outcome, x.step.Answer, x.step.AssertedBy = nil, "done", "", ""
	}
	for name, tc := range map[string]struct {
		change func(x *trial)
		// says is what the only finding says, on line; "" for none.
		says     string
		line     int
		asserted int
	}{
		"nobody was asked":                {plain, "", 0, 0},
		"a done step names a person":      {func(x *trial) { plain(x); x.step.AssertedBy = "alice" }, "the step is done, and carries a person's answer", 2, 0},
		"a done step has an answer":       {func(x *trial) { plain(x); x.step.Answer = event.AnswerDone }, "the step is done, and carries a person's answer", 2, 0},
		"a done step has a signed answer": {func(x *trial) { plain(x); x.by = alice }, "the step is done, and carries a person's answer", 2, 0},
		"a finished reset names a person": {func(x *trial) { plain(x); x.end.AssertedBy = "alice" }, "the reset is finished, and carries a person's answer", 3, 0},
		"a finished reset has a signed answer": {func(x *trial) {
			x.whole = true
		}, "the reset is finished, and carries a person's answer", 2, 0},
		"about another plan's name":  {func(x *trial) { x.said.PlanID = "another" }, "another run, plan or credential", 2, 1},
		"another step was asked for": {func(x *trial) { x.halted.Question.Step = "notify.owner" }, "another question than the one that was asked", 2, 1},
		"the first of the approvers": {func(x *trial) { x.approvers[0], x.approvers[1] = x.approvers[1], x.approvers[0] }, "", 0, 1},
		"no answer at all": {func(x *trial) {
			x.by, x.step.Resolution = nil, json.RawMessage(`{}`)
		}, "not an answer", 2, 1},
		"a mint that was not done ends nothing": {func(x *trial) {
			mint(x)
			x.said.Answer, x.step.Answer = event.AnswerNotDone, event.AnswerNotDone
		}, "nobody's signed answer stands in it", 3, 2},
		"another step that was done ends nothing": {func(x *trial) {
			x.end.Outcome, x.end.Proof = Abandoned, ""
		}, "nobody's signed answer stands in it", 3, 2},
		"a mint, and a false answer beside it": {func(x *trial) { mint(x); x.end.Resolution = json.RawMessage(`{}`) }, "not an answer", 3, 2},
		"a mint, and the reset went on":        {func(x *trial) { mint(x); x.again = true }, "nobody's signed answer stands in it", 4, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrial(alice)
			x.approvers = []crypto.PublicKey{testSigner(t, Ed25519).Public(), alice.Public()}
			tc.change(x)
			r := x.report(t)
			if r.Asserted != tc.asserted {
				t.Errorf("%d are asserted: %v", r.Asserted, r.Findings)
			}
			if tc.says == "" {
				if !r.Sound() {
					t.Error(r.Findings)
				}
				return
			}
			if len(r.Findings) != 1 || r.Findings[0].Code != CodeAssertion || r.Findings[0].Line != tc.line || !strings.Contains(r.Findings[0].Message, tc.says) {
				t.Error(r.Findings)
			}
		})
	}
}
