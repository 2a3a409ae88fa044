package executor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// For every state in which no probe can tell: one question, and what each of its
// answers does, when it is true.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, d := range doubts() {
		for _, answer := range []string{event.AnswerDone, event.AnswerNotDone} {
			t.Run(name+"/"+answer, func(t *testing.T) {
				t.Parallel()
				e, c := d.into(t, answer == event.AnswerDone)
				c.answer("alice", answer, false)
				d.over(e)
				before := e.w.count(d.count)
				out := e.resume(c.real)
				r := out.reset(t, 0)
				want := d.done
				if answer == event.AnswerNotDone {
					want = d.notDone
				}
				if r.Outcome != want || r.Open || !out.Closed || !r.Changed {
					t.Fatalf("%+v, want %s; records %v", r, want, e.records())
				}
				if exit := diag.ExitUnfinished; (out.Exit() == diag.ExitOK) != (want == executor.Finished) || want != executor.Finished && out.Exit() != exit {
					t.Errorf("exit %d", out.Exit())
				}
				again := e.w.count(d.count) - before
				switch {
				case d.count == "":
				case answer == event.AnswerDone && d.step == `distribute.it["mem.private_key"]` && d.op == "Put" && again == 1: // the other store
				case answer == event.AnswerDone && d.op == "Send" && again == 0:
				case answer == event.AnswerDone && again > 0 && d.op != "Send" && d.op != "Reload":
					if d.s.typ == "mem_key" && d.op == "Set" || d.op == "EndSessions" {
						break
					}
					t.Errorf("%s was called %d more times after the answer that it was done", d.count, again)
				case answer == event.AnswerNotDone && again == 0:
					t.Errorf("%s was not called again", d.count)
				}
				if want == executor.Finished {
					if r.Proof != lifecycle.Tested {
						t.Errorf("proof %s", r.Proof)
					}
					if e.w.works("a", e.old) {
						t.Error("the old secret works")
					}
				} else if e.w.live("a", e.old) > 0 && want == executor.RolledBack {
					t.Error("the new one still lives")
				}
				asserted := of(e.records(), strings.SplitN(d.step, ".", 2)[0])
				if !slices.Contains(asserted, d.step+" asserted") {
					t.Errorf("records %v", asserted)
				}
				if answer == event.AnswerDone && want == executor.Finished {
					if diff := cmp.Diff([]string{d.step}, r.Asserted); diff != "" {
						t.Errorf("asserted (-want +got):\n%s", diff)
					}
				}
				c.sound(1)
				before = len(e.records())
				if out := e.resume(c.real); out.Result != nil || out.diags.HasErrors() || len(e.records()) != before {
					t.Errorf("a closed run was resumed: %+v, %v", out.Result, out.diags.Err())
				}
			})
		}
	}
}

// Whatever people answer, and however wrong they are: nothing is called dead that
// works, no secret that works is lost, and giving the reset up closes the run.
func TestLies(t *testing.T) {
	t.Parallel()
	for name, d := range doubts() {
		for _, truth := range []string{event.AnswerDone, event.AnswerNotDone} {
			t.Run(name+"/"+truth, func(t *testing.T) {
				t.Parallel()
				e, c := d.into(t, truth == event.AnswerDone)
				lie := event.AnswerDone
				if truth == lie {
					lie = event.AnswerNotDone
				}
				c.answer("bob", lie, false)
				d.over(e)
				n := 1
				for i := 0; i < 3 && !e.closed(); i++ {
					out := e.resume(c.real)
					r := out.reset(t, 0)
					if r.Outcome == executor.Finished && (e.w.works("a", e.old) || r.Proof == "") {
						t.Fatalf("finished, and the old secret works: %+v, %v", r, e.records())
					}
					if r.Outcome != executor.Finished && out.Exit() != diag.ExitUnfinished {
						t.Errorf("exit %d: %+v", out.Exit(), r)
					}
					usable(t, e, d.s.reason)
				}
				if !e.closed() {
					c.answer("alice", event.AnswerNotDone, true)
					n++
					out := e.resume(c.real)
					if r := out.reset(t, 0); r.Outcome != executor.Abandoned || r.Open || !out.Closed || out.Exit() != diag.ExitUnfinished {
						t.Fatalf("given up: %+v, closed %v, exit %d", r, out.Closed, out.Exit())
					}
					usable(t, e, d.s.reason)
				}
				c.sound(n)
			})
		}
	}
}

// usable is promise 1 in a cutover: a secret that works is in the state or in a store.
func usable(t *testing.T, e *env, reason lifecycle.Reason) {
	t.Helper()
	if reason != "" && reason != lifecycle.Scheduled {
		return
	}
	field := probeField(e.setup.typ)
	if e.w.works("a", e.w.stores["a-"+field]) {
		return
	}
	for _, m := range e.sealed() {
		if e.w.works("a", m.Field(field).RevealString()) {
			return
		}
	}
	t.Errorf("no secret that works can be recovered: stores %v, sealed %v", e.w.stores, e.sealedNames())
}

// A target that is gone for good leaves a run that can be closed, and nothing that
// is said to be dead.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		c := newCourt(e)
		e.plan()
		op, _ := firstEffect(s)
		e.w.fail(fault{op: op, kind: ambiguous, before: func(w *world) {
			for _, op := range []string{"Identity", "Inspect", "Probe", "Control", "Set", "Mint", "Revoke", "EndSessions"} {
				w.fail(fault{op: op, kind: transient, times: 10000})
			}
		}})
		e.apply(c.real)
		out := e.resume(c.real)
		if r := out.reset(t, 0); r.Question == nil || out.Exit() != diag.ExitUnfinished {
			t.Fatalf("%+v", r)
		}
		notices, changes := len(e.w.notices), e.w.count("Put")+e.w.count("Empty")+e.w.count(op)
		c.answer("alice", event.AnswerNotDone, true)
		out = e.resume(c.real)
		r := out.reset(t, 0)
		if r.Outcome != executor.Abandoned || r.Open || r.Proof != "" || !r.Changed || !out.Closed || out.Exit() != diag.ExitUnfinished {
			t.Fatalf("%+v, exit %d", r, out.Exit())
		}
		if n := e.w.count("Put") + e.w.count("Empty") + e.w.count(op) - changes; n > 0 {
			t.Errorf("%d changes after it was given up", n)
		}
		if len(e.w.notices) != notices+1 {
			t.Errorf("%d notices", len(e.w.notices)-notices)
		}
		if !slices.Contains(e.sealedNames(), executor.OldSecret) {
			t.Errorf("the old secret, which may still work, is not sealed any more: %v", e.sealedNames())
		}
		c.sound(1)
	})
}

// That a secret is dead is never answered: what keeps a proof from looking asks
// about the reset as a whole.
func TestAProofIsNeverAnswered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		c := newCourt(e)
		e.w.fail(fault{op: "Probe", kind: unclear, times: 1000, before: func(*world) {}})
		e.w.faults[0].skip = 1 // the old one, before anything is done
		if s.reason != lifecycle.Compromised && s.reason != lifecycle.Offboarding {
			e.w.faults[0].skip = 2 // and the new one
		}
		out := e.apply(c.real)
		r := out.reset(t, 0)
		if !strings.HasPrefix(r.Step, "prove.") || r.Question == nil || r.Question.Step != "" || r.Question.Done != "" {
			t.Fatalf("%+v, question %+v", r, r.Question)
		}
		c.answer("alice", event.AnswerNotDone, true)
		if out = e.resume(c.real); out.reset(t, 0).Outcome != executor.Abandoned || out.reset(t, 0).Proof != "" {
			t.Errorf("%+v", out.reset(t, 0))
		}
		c.sound(1)
	})
}

// Two people who differ have not answered; one person's last word counts.
func TestContradiction(t *testing.T) {
	t.Parallel()
	d := doubts()["a consumer's reply"]
	e, c := d.into(t, true)
	c.answer("alice", event.AnswerDone, false)
	c.answer("bob", event.AnswerNotDone, false)
	d.over(e)
	reloads := e.w.count("Reload")
	for range 2 { // the question stays the same, and so do the answers
		out := e.resume(c.real)
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || r.Question == nil || !strings.Contains(r.Error, "differently") || e.w.count("Reload") != reloads {
			t.Fatalf("%+v", r)
		}
	}
	c.answer("bob", event.AnswerDone, false)
	if out := e.resume(c.real); out.Exit() != diag.ExitOK || e.w.count("Reload") != reloads {
		t.Errorf("%+v", out.reset(t, 0))
	}
	c.sound(1)
}

// An answer is to the question that was asked, not to the next one.
func TestAnAnswerIsToOneQuestion(t *testing.T) {
	t.Parallel()
	d := doubts()["a consumer's reply"]
	e, c := d.into(t, true)
	e.resume(func(p *process, j *executor.Job) { // the same words, from another record
		c.answer("alice", event.AnswerDone, false)
		c.real(p, j)
		j.Answers = nil
	})
	out := e.resume(c.real)
	if r := out.reset(t, 0); r.Outcome != executor.Halted || len(r.Asserted) > 0 {
		t.Errorf("%+v", r)
	}
}

// A step that did not happen begins again only while its gates are open.
func TestNotDoneNeedsTheGate(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a set, no clear login", "a mint, no list", "a key's revocation"} {
		d := doubts()[name]
		e, c := d.into(t, false)
		c.answer("alice", event.AnswerNotDone, false)
		d.over(e)
		before := e.w.count(d.op)
		out := e.resume(c.real, held)
		r := out.reset(t, 0)
		if e.w.count(d.op) != before || r.Outcome != executor.Halted || !r.Open || r.Question != nil || out.Exit() != diag.ExitUnfinished || !e.w.works("a", e.old) {
			t.Errorf("%s: %+v, exit %d", name, r, out.Exit())
		}
		if out = e.resume(c.real); out.Exit() != diag.ExitOK {
			t.Errorf("%s: gates open: %+v", name, out.reset(t, 0))
		}
		c.sound(1)
	}
}

// A result policy sees what rests on a person's word, and can refuse it before the
// old one is revoked.
func TestPoliciesJudgeWhatIsAsserted(t *testing.T) {
	t.Parallel()
	for name, rego := range map[string]string{
		"not accepted": "not r.result.new_accepted", "asserted": "count(r.result.asserted) > 0",
	} {
		d := doubts()["a key's login, no answer"]
		d.s.rego = "package remint.result\nimport rego.v1\ndeny contains {\"id\": \"word\", \"msg\": \"a word is not enough\"} if {\n" +
			" some r in input.resets\n not r.result.final\n " + rego + "\n}\n"
		e, c := d.into(t, true)
		c.answer("alice", event.AnswerDone, false)
		d.over(e)
		out := e.resume(c.real)
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || r.Step != "revoke.old" || e.w.count("Revoke") > 0 || !e.w.works("a", e.old) {
			t.Errorf("%s: %+v", name, r)
		}
		if r.Question == nil || r.Question.Step != "" {
			t.Errorf("%s: question %+v", name, r.Question)
		}
	}
}

// Killed at any write after an answer was given, the answer is taken once.
func TestAnAnswerIsTakenOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a consumer's reply", "a mint, no list", "a key's login, no answer", "what did not work, taken back"} {
		for _, answer := range []string{event.AnswerDone, event.AnswerNotDone} {
			for skip := range 5 {
				t.Run(fmt.Sprintf("%s/%s/%d", name, answer, skip), func(t *testing.T) {
					t.Parallel()
					d := doubts()[name]
					e, c := d.into(t, answer == event.AnswerDone)
					c.answer("alice", answer, false)
					d.over(e)
					e.w.fail(fault{op: "append", skip: skip, kind: crash, effect: skip%2 == 0})
					e.resume(c.real)
					e.w.faults = nil
					for i := 0; i < 3 && !e.closed(); i++ {
						e.resume(c.real)
					}
					n := 0
					for _, r := range e.records() {
						if r == d.step+" asserted" {
							n++
						}
					}
					if n != 1 || !e.closed() {
						t.Fatalf("%d records, closed %v: %v", n, e.closed(), e.records())
					}
					c.sound(1)
				})
			}
		}
	}
}

// The sessions that an asserted change leaves are ended by the target's clock.
func TestSessionsAfterAnAssertedChange(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a set, no clear login", "a revocation in contain"} {
		d := doubts()[name]
		e, c := d.into(t, true)
		e.w.account("a").sessions = append(e.w.account("a").sessions, e.w.now())
		c.answer("alice", event.AnswerDone, false)
		d.over(e)
		if out := e.resume(c.real); out.Exit() != diag.ExitOK || len(e.w.account("a").sessions) > 0 {
			t.Errorf("%s: %+v, %d sessions", name, out.reset(t, 0), len(e.w.account("a").sessions))
		}
	}
}
