package executor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// reloaded is the step that doubtful leaves a doubt about.
const reloaded = `reload.it["mem.c0"]`

// doubtful is a reset of which nobody knows whether its consumer was reloaded.
func doubtful(t *testing.T) *env {
	t.Helper()
	e := start(t, setup{consumers: 1, retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Reload", kind: ambiguous, times: 1000})
	e.stopped(e.apply(), reloaded)
	return e
}

// stopped says that a reset stopped with a question about step.
func (e *env) stopped(out outcome, step string) {
	e.t.Helper()
	r := out.reset(e.t, 0)
	if r.Outcome != executor.Halted || r.Question == nil || r.Question.Step != step || len(r.Asserted) > 0 {
		e.t.Fatalf("%+v, question %+v; want one about %q", r, r.Question, step)
	}
}

// asked is what the journal says is asked, and how far the steps got.
func (e *env) asked() (executor.Asked, map[string]map[string]journal.Kind) {
	e.t.Helper()
	var steps map[string]map[string]journal.Kind
	return look(e, func(j journal.Journal) executor.Asked {
		asked, s, err := executor.Questions(context.Background(), j, e.run)
		if err != nil || len(asked) != 1 {
			e.t.Fatalf("asked %v, %v", asked, err)
		}
		steps = s
		for _, q := range asked {
			return q
		}
		panic("unreachable")
	}), steps
}

// says is somebody's answer to the open question, changed as told.
func (e *env) says(by, answer string, change ...func(*executor.Answer)) executor.Answer {
	e.t.Helper()
	q, _ := e.asked()
	a := executor.Answer{By: by, Document: gate.Document{Name: by, Content: fmt.Appendf(nil, `{"by":%q}`, by)}, Resolution: evidence.Resolution{
		Run: e.run, Address: q.Address, Step: q.Step, Question: q.Asks, Record: q.Record, Answer: answer, Approver: by, CreatedAt: e.w.now(),
	}}
	for _, c := range change {
		c(&a)
	}
	return a
}

// whole turns an answer into one about the reset as a whole.
func whole(a *executor.Answer) { a.Step = "" }

func hears(answers ...executor.Answer) func(*process, *executor.Job) {
	return func(_ *process, j *executor.Job) { j.Answers = append(j.Answers, answers...) }
}

// steps are the evidence records of one step, in the order in which they were filed.
func (e *env) steps(address string) []evidence.Step {
	e.t.Helper()
	var out []evidence.Step
	for _, id := range e.w.order {
		var s evidence.Step
		if err := json.Unmarshal([]byte(e.w.filed[id]), &s); err != nil {
			e.t.Fatal(err)
		}
		if s.Step == address {
			out = append(out, s)
		}
	}
	return out
}

// end is the last evidence record of a reset.
func (e *env) end() evidence.Reset {
	e.t.Helper()
	var out evidence.Reset
	for _, id := range e.w.order {
		var r evidence.Reset
		if err := json.Unmarshal([]byte(e.w.filed[id]), &r); err != nil {
			e.t.Fatal(err)
		}
		if r.Planned > 0 {
			out = r
		}
	}
	return out
}

// What is not an answer to the very question that is open does not count.
func TestWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	e := doubtful(t)
	for name, change := range map[string]func(*executor.Answer){
		"to another reset's question": func(a *executor.Answer) { a.Address = "credential.mem_password.b" },
		"to an earlier question":      func(a *executor.Answer) { a.Record = strings.Repeat("0", 64) },
		"about another step":          func(a *executor.Answer) { a.Step = "install.it" },
		"to other words":              func(a *executor.Answer) { a.Question = "Did it?" },
	} {
		out := e.resume(hears(e.says("alice", event.AnswerDone, change)))
		if r := out.reset(t, 0); r.Outcome != executor.Halted || len(r.Asserted) > 0 || r.Question == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	out := e.resume(hears(e.says("alice", event.AnswerDone)))
	if r := out.reset(t, 0); r.Outcome != executor.Finished || !slices.Equal(r.Asserted, []string{reloaded}) {
		t.Errorf("to the question: %+v", r)
	}
}

// Several people's answers count when they are one.
func TestPeopleWhoAgree(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alice, bob func(e *env) executor.Answer
		want       executor.Outcome
	}{
		"both that it was done": {
			func(e *env) executor.Answer { return e.says("alice", event.AnswerDone) },
			func(e *env) executor.Answer { return e.says("bob", event.AnswerDone) }, executor.Finished,
		},
		"both to give it up": {
			func(e *env) executor.Answer { return e.says("alice", event.AnswerNotDone, whole) },
			func(e *env) executor.Answer { return e.says("bob", event.AnswerNotDone, whole) }, executor.Abandoned,
		},
		"one of the step, one of all of it": {
			func(e *env) executor.Answer { return e.says("alice", event.AnswerNotDone) },
			func(e *env) executor.Answer { return e.says("bob", event.AnswerNotDone, whole) }, executor.Halted,
		},
		"done and not": {
			func(e *env) executor.Answer { return e.says("alice", event.AnswerDone) },
			func(e *env) executor.Answer { return e.says("bob", event.AnswerNotDone) }, executor.Halted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := doubtful(t)
			asked, _ := e.asked()
			reloads := e.w.count("Reload")
			r := e.resume(hears(tc.bob(e), tc.alice(e))).reset(t, 0)
			if r.Outcome != tc.want || e.w.count("Reload") != reloads {
				t.Fatalf("%+v, want %s; reloaded %d more times", r, tc.want, e.w.count("Reload")-reloads)
			}
			if tc.want != executor.Halted {
				by := e.end().AssertedBy
				if tc.want == executor.Finished {
					by = e.steps(reloaded)[1].AssertedBy
				}
				if by != "alice" { // whoever is asked about it later, it is always the same one
					t.Errorf("evidence names %q", by)
				}
				return
			}
			if want := "alice and bob answer the question about " + asked.Subject() + " differently"; !strings.Contains(r.Error, want) {
				t.Errorf("%q does not say %q", r.Error, want)
			}
			if again, _ := e.asked(); again.Record != asked.Record {
				t.Error("another question is open than the one that they answered")
			}
		})
	}
}

// Evidence and people are told whose word a step rests on, and how much that is worth.
func TestWhatAnAnswerLeaves(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer  string
		change  []func(*executor.Answer)
		facts   map[string]string
		message string
	}{
		"done": {event.AnswerDone, nil, map[string]string{"detail": "alice says so; nobody could see it"}, reloaded + ": done, as alice says"},
		"not done, her own run, with a comment": {event.AnswerNotDone, []func(*executor.Answer){func(a *executor.Answer) {
			a.Own, a.Comment = true, "it still runs the old one"
		}}, map[string]string{
			"detail": "alice says that it did not happen; nobody could see it", "own": "alice asked for the run, or operates it", "comment": "it still runs the old one",
		}, reloaded + ": not-done, as alice says"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := doubtful(t)
			e.w.faults = nil
			a := e.says("alice", tc.answer, tc.change...)
			if out := e.resume(hears(a)); out.reset(t, 0).Outcome != executor.Finished {
				t.Fatalf("%+v", out.reset(t, 0))
			}
			var said []evidence.Step
			for _, s := range e.steps(reloaded) {
				if s.Outcome == string(journal.Asserted) {
					said = append(said, s)
				}
			}
			if len(said) != 1 {
				t.Fatalf("%d records rest on her word", len(said))
			}
			s := said[0]
			if diff := cmp.Diff(tc.facts, s.Facts); diff != "" || s.AssertedBy != "alice" || s.Answer != tc.answer || string(s.Resolution) != `{"by":"alice"}` || !s.StartedAt.Equal(a.CreatedAt) {
				t.Errorf("%+v; facts (-want +got):\n%s", s, diff)
			}
			told := slices.DeleteFunc(slices.Clone(e.last.events.Events()), func(x event.Event) bool { return x.Outcome != string(journal.Asserted) })
			if len(told) != 1 || told[0].Message != tc.message || told[0].Level != event.Warn || told[0].Step != reloaded || told[0].Detail != tc.facts["detail"] || told[0].Attempt != s.Attempts || told[0].Phase != "reload" {
				t.Errorf("events %+v", told)
			}
		})
	}
}

// An answer that cannot be evidenced is not gone by, and is there for the next resume.
func TestAnAnswerWithoutEvidence(t *testing.T) {
	t.Parallel()
	e := doubtful(t)
	e.w.faults = nil
	a := e.says("alice", event.AnswerDone)
	reloads := e.w.count("Reload")
	e.w.fail(fault{op: "sign", kind: permanent, skip: 1}) // after that of the resume itself
	out := e.resume(hears(a))
	if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || !r.Changed || r.Question == nil || !strings.Contains(r.Error, "evidence cannot be signed") {
		t.Errorf("%+v", r)
	}
	if out = e.resume(hears(a)); out.reset(t, 0).Outcome != executor.Finished || e.w.count("Reload") != reloads {
		t.Errorf("%+v, reloaded %d more times", out.reset(t, 0), e.w.count("Reload")-reloads)
	}
}

// A question about a step that the runbook has not any more has no answer that counts.
func TestAQuestionAboutAStepThatIsGone(t *testing.T) {
	t.Parallel()
	e := doubtful(t)
	e.w.faults = nil
	err := look(e, func(j journal.Journal) error {
		return j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: e.run, Address: addressA, Kind: journal.Ended, At: e.w.now(),
			Data: json.RawMessage(`{"outcome":"halted","sequence":99,"evidence":"ab","question":{"address":"` + addressA + `","step":"reload.gone","asks":"Did it?"}}`)}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	a := e.says("alice", event.AnswerDone)
	if a.Step != "reload.gone" || a.Address != addressA {
		t.Fatalf("%+v", a)
	}
	out := e.resume(hears(a))
	if r := out.reset(t, 0); r.Outcome != executor.Finished || len(r.Asserted) > 0 || slices.ContainsFunc(e.records(), func(r string) bool { return strings.HasSuffix(r, " asserted") }) {
		t.Errorf("%+v, records %v", r, e.records())
	}
}

// The version of a secret that a person says is set is named where its material
// tells which one it is; otherwise none is made up.
func TestTheVersionOfAnAssertedSet(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		world  func(*env)
		want   string
		asked  int
	}{
		"the material tells":             {event.AnswerDone, func(e *env) { e.w.identifies = true }, "v3", 1},
		"it does not":                    {event.AnswerDone, func(*env) {}, "", 0},
		"it does not this time":          {event.AnswerDone, func(e *env) { e.w.identifies = true; e.w.fail(fault{op: "VersionOf", kind: permanent, effect: true}) }, "", 1},
		"the material cannot be read":    {event.AnswerDone, func(e *env) { e.w.identifies = true; e.erase("issue.it") }, "", 0},
		"it was not set, so there is no": {event.AnswerNotDone, func(e *env) { e.w.identifies = true }, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{typ: "mem_key", retry: ptr(once)})
			e.plan()
			e.w.fail(fault{op: "Set", kind: ambiguous, effect: true, before: func(w *world) { w.fail(fault{op: "Probe", kind: unclear}) }})
			e.w.fail(fault{op: "Set", kind: permanent, times: 100})
			e.apply()
			e.w.fail(fault{op: "Probe", kind: unclear})
			e.stopped(e.resume(), "install.it")
			tc.world(e)
			a := e.says("alice", tc.answer)
			e.w.fail(fault{op: "Probe", kind: permanent, times: 100}) // it stops again right after
			before := e.w.count("VersionOf")
			e.resume(hears(a), held)
			if n := e.w.count("VersionOf") - before; n != tc.asked {
				t.Errorf("asked %d times", n)
			}
			if got := e.end().After; got != tc.want {
				t.Errorf("the version is called %q, want %q", got, tc.want)
			}
		})
	}
}

// No secret is unsealed for an answer that is about no version.
func TestAnAnswerAboutNoVersionOpensNothing(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", consumers: 1, retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Reload", kind: ambiguous})
	e.stopped(e.apply(), reloaded)
	e.w.identifies = true
	a := e.says("alice", event.AnswerDone)
	e.w.fail(fault{op: "Inspect", kind: permanent, times: 100})
	e.w.calls = nil
	e.resume(hears(a))
	if n := e.w.count("VersionOf"); n > 0 || !slices.Contains(e.records(), reloaded+" asserted") {
		t.Errorf("asked %d times; %v", n, e.records())
	}
}

// erase takes a sealed secret out of the state.
func (e *env) erase(name string) {
	e.t.Helper()
	err := look(e, func(j journal.Journal) error {
		return j.Append(context.Background(), &journal.Batch{Erase: []journal.Sealed{{Run: e.run, Address: "credential." + e.setup.typ + ".a", Name: name}}})
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

// A step that a person says did not happen rests on nobody's word.
func TestNotDoneIsNotAsserted(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Set", kind: ambiguous})
	e.apply()
	e.w.fail(fault{op: "Probe", kind: unclear})
	e.stopped(e.resume(), "install.it")
	out := e.resume(hears(e.says("alice", event.AnswerNotDone)), held)
	if r := out.reset(t, 0); r.Outcome != executor.Halted || len(r.Asserted) > 0 || !slices.Contains(e.records(), "install.it asserted") {
		t.Errorf("%+v, records %v", r, e.records())
	}
	if out = e.resume(); out.reset(t, 0).Outcome != executor.Finished || len(out.reset(t, 0).Asserted) > 0 {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// Whoever gives a reset up is told what may still be alive, and what to do.
func TestWhatIsLeftWhenItIsGivenUp(t *testing.T) {
	t.Parallel()
	const sealed = "The old secret stays sealed (`remint recover -old`)"
	e := doubtful(t)
	told := len(e.w.notices)
	r := e.resume(hears(e.says("alice", event.AnswerNotDone, whole))).reset(t, 0)
	if len(e.w.notices) != told+1 || !strings.Contains(e.w.notices[told].Summary, r.Error) {
		t.Errorf("the owner was told %+v", e.w.notices[told:])
	}
	if r.Outcome != executor.Abandoned || r.Step != "" || !strings.HasPrefix(r.Error, "alice says that it cannot be finished.") || !strings.HasSuffix(r.Error, sealed) {
		t.Errorf("%+v", r)
	}
	if sealed := e.sealedNames(); !slices.Contains(sealed, executor.OldSecret) {
		t.Errorf("sealed %v", sealed)
	}
	end := e.end()
	if end.AssertedBy != "alice" || string(end.Resolution) != `{"by":"alice"}` || end.Outcome != string(executor.Abandoned) {
		t.Errorf("%+v", end)
	}

	e = start(t, setup{retry: ptr(once), stores: []string{}}) // no store: the old one is not known
	e.plan()
	e.w.fail(fault{op: "EndSessions", kind: ambiguous})
	e.stopped(e.apply(), "terminate.sessions")
	if r = e.resume(hears(e.says("alice", event.AnswerNotDone, whole))).reset(t, 0); r.Outcome != executor.Abandoned || strings.Contains(r.Error, sealed) {
		t.Errorf("%+v", r)
	}

	// After a word that nothing was set, nothing is known of what there was before.
	e = start(t, setup{typ: "mem_key", retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Set", kind: ambiguous})
	e.apply()
	e.w.fail(fault{op: "Probe", kind: unclear})
	e.stopped(e.resume(), "install.it")
	e.w.fail(fault{op: "Inspect", kind: permanent})
	e.stopped(e.resume(hears(e.says("alice", event.AnswerNotDone))), "")
	if r = e.resume(hears(e.says("alice", event.AnswerNotDone))).reset(t, 0); r.Outcome != executor.Abandoned || !r.Changed {
		t.Errorf("%+v", r)
	}

	e = start(t, setup{typ: "mem_token", retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Mint", kind: ambiguous, effect: true, before: unlisted})
	e.apply()
	e.stopped(e.resume(), "issue.it")
	mark := strings.TrimSuffix(e.w.account("a").versions[0].label, ".1")
	r = e.resume(hears(e.says("alice", event.AnswerDone))).reset(t, 0)
	if want := "alice says that the target made a version, of which the secret never arrived here: revoke the version marked " + mark + " by hand"; r.Outcome != executor.Abandoned ||
		r.Step != "issue.it" || !strings.Contains(r.Error, want) || e.end().AssertedBy != "" {
		t.Errorf("%+v, want %q", r, want)
	}
}

// A version is this reset's by its name or by the mark of its install, and by
// nothing that only looks like it: in contain everything else is to be dead.
func TestWhoseVersionItIs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		typ    string
		label  func(ours string) string
		finish bool
	}{
		"the mark of an earlier attempt": {"mem_key", func(s string) string { return strings.TrimSuffix(s, ".1") + ".7" }, true},
		"longer than the mark":           {"mem_key", func(s string) string { return strings.TrimSuffix(s, ".1") + "0.1" }, false},
		"no mark":                        {"mem_key", func(string) string { return "" }, false},
		"a mint of which nobody knows":   {"mem_token", func(s string) string { return strings.TrimSuffix(s, ".1") + ".7" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{typ: tc.typ, reason: lifecycle.Compromised, retry: ptr(once)})
			e.plan()
			e.w.fail(somebody("Put", 0, func(w *world) {
				w.add(w.account("a"), tc.label(w.account("a").versions[0].label), theirs)
			}))
			r := e.apply().reset(t, 0)
			if (r.Outcome == executor.Finished) != tc.finish || !tc.finish && !strings.Contains(r.Error, "which somebody added after this reset began") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// What is asked, and how far each step got, is read from the journal.
func TestQuestionsAreRead(t *testing.T) {
	t.Parallel()
	e := doubtful(t)
	q, steps := e.asked()
	if q.Run != e.run || q.Address != addressA || q.Step != reloaded || len(q.Record) != 64 || !strings.Contains(e.evidence(), `"question":{`) {
		t.Errorf("%+v", q)
	}
	done := journal.Done
	if diff := cmp.Diff(map[string]map[string]journal.Kind{addressA: {
		"verify.requester": done, "approve.owners": done, "issue.it": done, "install.it": done, "confirm.it": done, `distribute.it["mem.value"]`: done, reloaded: journal.Unknown,
	}}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	p := e.process()
	defer p.close()
	e.w.fail(fault{op: "records"})
	if asked, steps, err := executor.Questions(p.ctx, p.x.Journal, e.run); err == nil || !strings.Contains(err.Error(), "cannot be read") || asked != nil || steps != nil {
		t.Errorf("%v, %v, %v", asked, steps, err)
	}
	err := p.journal.Append(p.ctx, &journal.Batch{Records: []journal.Record{{Run: e.run, Address: addressA, Kind: journal.Note, At: e.w.now(), Data: json.RawMessage("[]")}}})
	if err != nil {
		t.Fatal(err)
	}
	if asked, _, err := executor.Questions(p.ctx, p.journal, e.run); err == nil || !strings.Contains(err.Error(), "is damaged") || asked != nil {
		t.Errorf("%v, %v", asked, err)
	}
	e.w.faults = nil
	if q, _, err := executor.Questions(p.ctx, p.journal, "no-run"); err != nil || len(q) != 0 {
		t.Errorf("%v, %v", q, err)
	}
}

// A run without a question asks none, and its steps are told all the same.
func TestNothingIsAskedOfAFinishedRun(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.apply()
	asked, steps := map[string]executor.Asked{}, map[string]map[string]journal.Kind{}
	err := look(e, func(j journal.Journal) (err error) {
		asked, steps, err = executor.Questions(t.Context(), j, e.run)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 0 || len(steps) != 2 || len(steps[addressA]) != len(steps["credential.mem_password.b"]) || len(steps[addressA]) < 8 {
		t.Errorf("%v, %v", asked, steps)
	}
}

// Every answer that was kept is given back, as signed, in the order in which it came.
func TestResolutionsAreKept(t *testing.T) {
	t.Parallel()
	e := doubtful(t)
	p := e.process()
	defer p.close()
	for _, content := range []string{`{"n":1}`, `{"n":2}`} {
		if err := executor.KeepResolution(p.ctx, p.x.Journal, e.run, e.w.now(), []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for rec, err := range p.journal.Records(p.ctx, e.run, "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(rec.Data), `"resolution":{`) { // the log says what each line of it is
			if kept++; rec.Kind != journal.Note || !strings.Contains(string(rec.Data), `"event":"resolution"`) {
				t.Errorf("%s %s", rec.Kind, rec.Data)
			}
		}
	}
	docs, err := executor.Resolutions(p.ctx, p.x.Journal, e.run)
	if kept != len(docs) {
		t.Errorf("%d records, %d answers", kept, len(docs))
	}
	want := []gate.Document{{Name: "answer-1", Content: []byte(`{"n":1}`)}, {Name: "answer-2", Content: []byte(`{"n":2}`)}}
	if diff := cmp.Diff(want, docs); diff != "" || err != nil {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
	e.w.fail(fault{op: "append", kind: permanent})
	if err := executor.KeepResolution(p.ctx, p.x.Journal, e.run, e.w.now(), []byte(`{"n":3}`)); err == nil {
		t.Error("an answer that was not kept is said to be")
	}
	e.w.fail(fault{op: "records"})
	if docs, err := executor.Resolutions(p.ctx, p.x.Journal, e.run); err == nil || !strings.Contains(err.Error(), "cannot be read") || docs != nil {
		t.Errorf("%v, %v", docs, err)
	}
	err = p.journal.Append(p.ctx, &journal.Batch{Records: []journal.Record{{Run: e.run, Kind: journal.Note, At: e.w.now(), Data: json.RawMessage("[]")}}})
	if err != nil {
		t.Fatal(err)
	}
	if docs, err := executor.Resolutions(p.ctx, p.x.Journal, e.run); err == nil || !strings.Contains(err.Error(), "is damaged") || docs != nil {
		t.Errorf("%v, %v", docs, err)
	}
}

// Where nothing is asked, nobody's word ends anything.
func TestNobodyWasAsked(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 1})
	e.plan()
	e.w.fail(somebody("Put", 0, func(*world) { e.last.halt() }))
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || r.Question != nil {
		t.Fatalf("%+v", r)
	}
	last := ""
	for _, id := range e.w.order {
		if line := e.w.filed[id]; strings.Contains(line, `"planned":`) {
			last = evidence.LineDigest([]byte(line))
		}
	}
	if len(last) != 64 {
		t.Fatal("it has no last line")
	}
	r := e.resume(hears(executor.Answer{By: "alice", Resolution: evidence.Resolution{Address: addressA, Record: last, Answer: event.AnswerNotDone}})).reset(t, 0)
	if r.Outcome != executor.Finished {
		t.Errorf("%+v", r)
	}
}
