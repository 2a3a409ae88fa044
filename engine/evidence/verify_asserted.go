package evidence

import (
	"encoding/json"
	"strings"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// asked is a halted reset's record, if it is the line just read.
type asked struct {
	question *event.Question
	record   string
}

// assertedStep checks what a step's record says on a person's word: that she
// signed it, in answer to the record just before it. Nothing else carries one.
func (v *verification) assertedStep(f *recordFile, r *Step, before asked) {
	if r.Outcome != Asserted {
		if len(r.Resolution) > 0 || r.AssertedBy != "" || r.Answer != "" {
			v.bad(f, f.lines, CodeAssertion, "the step is %s, and carries a person's answer: only what is asserted can", r.Outcome)
		}
		return
	}
	if r.Proof != "" || strings.HasPrefix(r.Step, string(lifecycle.Prove)+".") {
		v.bad(f, f.lines, CodeAssertion, "a person's word stands for a proof: nothing is dead because somebody says so")
	}
	said := v.answer(f, r.Resolution, r.Common, r.Address, before)
	if said == nil {
		return
	}
	switch {
	case said.Step != r.Step || said.Answer != r.Answer || said.Approver != r.AssertedBy:
		v.bad(f, f.lines, CodeAssertion, "the record says that %s answered %s for %s, the signed answer says %s, %s, %s",
			r.AssertedBy, r.Answer, r.Step, said.Approver, said.Answer, said.Step)
	case before.question.Step != said.Step || before.question.Asks != said.Question:
		v.bad(f, f.lines, CodeAssertion, "the answer is to another question than the one that was asked")
	}
	// What the target made without anybody learning the secret ends the reset.
	f.ended = r.Phase == string(lifecycle.Issue) && r.Answer == event.AnswerDone
}

// assertedReset checks that a reset was abandoned on a person's signed word, and
// that no other end rests on one.
func (v *verification) assertedReset(f *recordFile, r *Reset, before asked) {
	ended := f.ended
	f.ended = false
	if r.Outcome != Abandoned {
		if len(r.Resolution) > 0 || r.AssertedBy != "" {
			v.bad(f, f.lines, CodeAssertion, "the reset is %s, and carries a person's answer: only an abandoned one can", r.Outcome)
		}
		return
	}
	if ended && len(r.Resolution) == 0 {
		return // the step before it carries the answer
	}
	said := v.answer(f, r.Resolution, r.Common, r.Address, before)
	if said != nil && (said.Step != "" || said.Approver != r.AssertedBy) {
		v.bad(f, f.lines, CodeAssertion, "the signed answer does not give the reset up, or is not %s's", r.AssertedBy)
	}
}

// answer verifies a signed answer: one of the approvers' keys must have signed it,
// about this run and credential, in answer to the line just before.
func (v *verification) answer(f *recordFile, content json.RawMessage, c Common, address string, before asked) *Resolution {
	v.mu.Lock()
	v.report.Asserted++
	v.mu.Unlock()
	if len(content) == 0 {
		v.bad(f, f.lines, CodeAssertion, "what it says is asserted, and nobody's signed answer stands in it")
		return nil
	}
	said, by, err := parseStatementOf[Resolution](aResolution(), content)
	if err != nil {
		v.bad(f, f.lines, CodeAssertion, "%v", err)
		return nil
	}
	v.party(f.run, nil, &Word{Name: said.Approver, By: by})
	switch {
	case !v.signedByApprover(f, aResolution(), content, said.Approver, by):
		return nil
	case said.Run != c.Run || said.PlanID != c.PlanID || said.PlanDigest != c.PlanDigest || said.Address != address:
		v.bad(f, f.lines, CodeAssertion, "%s's answer is about another run, plan or credential", said.Approver)
		return nil
	case before.question == nil || before.record != said.Record:
		v.bad(f, f.lines, CodeAssertion, "%s's answer is to a question that does not stand just before it", said.Approver)
		return nil
	}
	return said
}
