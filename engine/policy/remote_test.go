package policy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
)

// speaking is a remote whose evaluator has said these things, whatever it is
// asked; what it is asked goes to heard.
func speaking(t *testing.T, heard io.Writer, frames ...any) *remote {
	t.Helper()
	r := newRemote(Limits{Time: 2 * time.Second, Memory: 32 << 20}.orDefaults())
	p, err := start()
	if err != nil {
		t.Fatal(err)
	}
	p.wire, p.greeted, p.base = newWire(bytes.NewReader(framed(t, frames...)), heard), true, 1<<40
	r.p = p
	t.Cleanup(r.close)
	return r
}

// house is a folder as it is read.
func house(t *testing.T, files map[string]string) *folder {
	t.Helper()
	f, diags := load(source(files))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	return f
}

// idle fails unless nobody has r's turn.
func idle(t *testing.T, r *remote) {
	t.Helper()
	if len(r.turn) != 0 {
		t.Fatal("its turn does not end")
	}
}

// A question goes to the evaluator as it is meant, in order: the files, the input
// once, and then each source; with the bounds that hold for it.
func TestWhatIsAsked(t *testing.T) {
	var heard bytes.Buffer
	said := page{Findings: []finding{{Set: "warn", Rule: "r", Message: "m"}}, Asked: []AskedRule{{Held: 3}}}
	r := speaking(t, &heard, reply{Stages: []Stage{StagePlan}}, reply{Stages: []Stage{StagePlan, StageResult}}, reply{}, reply{Parts: 1}, said, reply{})
	a, b := house(t, map[string]string{"a.rego": good, "a_test.rego": "package x\n"}), house(t, one(good))
	b.source.Name, b.index = "other", 1
	r.folders = []*folder{a, b}
	for _, diags := range r.compile(t.Context()) {
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
	}
	idle(t, r)
	answers, faults := make([]answer, 2), make([]diag.Diagnostics, 2)
	r.eval(t.Context(), anInput(), true, answers, faults)
	idle(t, r)
	if diff := cmp.Diff([]answer{{findings: said.Findings, asked: said.Asked}, {}}, answers, cmp.AllowUnexported(answer{})); diff != "" || len(faults[0])+len(faults[1]) > 0 {
		t.Error(faults, diff)
	}

	c := newWire(&heard, nil)
	hear := func(want, got any) {
		t.Helper()
		if err := c.read(got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	hear(&request{Op: opCompile, Source: "house", Parts: 2, Time: 4 * time.Second, Memory: 32 << 20}, &request{})
	hear(&sentFile{Name: "policies/a.rego", Text: good}, &sentFile{})
	hear(&sentFile{Name: "policies/a_test.rego", Text: "package x\n", Test: true}, &sentFile{})
	hear(&request{Op: opCompile, Source: "other", Parts: 1, Time: 4 * time.Second, Memory: 32 << 20}, &request{})
	hear(&sentFile{Name: "policies/a.rego", Text: good}, &sentFile{})
	head := *anInput()
	head.Resets = nil
	// Two resets add to the bounds of what is told and asked.
	hear(&request{Op: opInput, Parts: 2, Input: &head, Time: 2*time.Second + 2*time.Millisecond, Memory: 32<<20 + 64<<10}, &request{})
	hear(&sentReset{Reset: Reset{Address: "credential.t.a", Production: true}, New: &shape{}}, &sentReset{})
	hear(&sentReset{Reset: Reset{Address: "credential.t.b"}}, &sentReset{})
	hear(&request{Op: opAsk, Source: "house", Explain: true, Time: 2*time.Second + 2*time.Millisecond, Memory: 32<<20 + 64<<10}, &request{})
	hear(&request{Op: opAsk, Source: "other", Explain: true, Time: 2*time.Second + 2*time.Millisecond, Memory: 32<<20 + 64<<10}, &request{})
	if err := c.read(&request{}); !errors.Is(err, io.EOF) {
		t.Errorf("and more: %v", err)
	}
}

// A reply is taken whole, however many pages it has; what came before it says
// where it was.
func TestRepliesAreTakenWhole(t *testing.T) {
	one := page{Findings: []finding{{Rule: "a"}}, Asked: []AskedRule{{Set: "deny"}}, Tests: []TestResult{{Name: "t"}}, Rules: []RuleCoverage{{Name: "r"}}}
	two := page{Findings: []finding{{Rule: "b"}}, Asked: []AskedRule{{Set: "warn"}}, Tests: []TestResult{{Name: "u"}}, Rules: []RuleCoverage{{Name: "s"}}}
	r := speaking(t, io.Discard, reply{At: "a.rego "}, reply{At: " "}, reply{Parts: 2, Covered: 3}, one, two)
	answer, all, err := r.call(t.Context(), request{}, roomy, maxReply, nil)
	if err != nil || answer.Covered != 3 {
		t.Fatal(answer, err)
	}
	want := page{append(one.Findings, two.Findings...), append(one.Asked, two.Asked...), append(one.Tests, two.Tests...), append(one.Rules, two.Rules...)}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	for name, tc := range map[string]struct {
		frames []any
		most   int
		want   string
	}{
		"a page is missing":   {[]any{reply{Parts: 2}, one}, maxReply, "the evaluator ended: EOF"},
		"while it reads":      {[]any{reply{At: "a.rego "}, reply{At: "b.rego "}}, maxReply, "b.rego: the evaluator ended: EOF"},
		"more than it may":    {[]any{reply{Parts: 2}, one, two}, 100, "it says too much"},
		"a page of its own":   {[]any{reply{Parts: 1}, reply{At: "x"}}, maxReply, "not understood"},
		"nothing of the kind": {[]any{page{Findings: one.Findings}}, maxReply, "not understood"},
	} {
		r := speaking(t, io.Discard, tc.frames...)
		r.ready["house"] = true
		_, _, err := r.call(t.Context(), request{}, roomy, tc.most, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.HasPrefix(err.Error(), ":") {
			t.Errorf("%s: %v", name, err)
		}
		if r.p != nil || len(r.ready) > 0 {
			t.Errorf("%s: it is asked again as if nothing had been", name)
		}
	}
}

// What cannot be asked is not asked in part.
func TestQuestionsAreWhole(t *testing.T) {
	bad := errors.New("bad")
	if _, _, err := speaking(t, io.Discard, reply{}).call(t.Context(), request{}, roomy, maxReply, func(*wire) error { return bad }); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Error(err)
	}
	parts := func(*wire) error { t.Error("its parts are sent"); return nil }
	q := request{Op: opInput, Input: &Input{Resets: []Reset{{Attributes: map[string]any{"f": func() {}}}}}}
	if _, _, err := speaking(t, io.Discard, reply{}).call(t.Context(), q, roomy, maxReply, parts); err == nil || !strings.Contains(err.Error(), "unsupported type") {
		t.Error(err)
	}
	f := house(t, map[string]string{"a.rego": good, "b.rego": good})
	if err := f.send(newWire(nil, &broken{})); err != nil { // it is buffered
		t.Error(err)
	}
	f.modules[0].text = bytes.Repeat([]byte("x"), maxFrame)
	if err := f.send(newWire(nil, io.Discard)); !errors.Is(err, errFrame) {
		t.Error(err)
	}
}

// An evaluator that says more than a policy may say, or that it could not judge, gives no answer.
func TestAnswersHaveBounds(t *testing.T) {
	asked := func(told bool, frames ...any) (answer, diag.Diagnostics, error) {
		r := speaking(t, io.Discard, frames...)
		r.ready["house"] = true
		return r.ask(t.Context(), house(t, one(good)), anInput(), false, &told)
	}
	many := func(n int) page { return page{Findings: make([]finding, n)} }
	most := maxFindings(2)
	if a, diags, err := asked(true, reply{Parts: 2}, many(most-1), many(1)); err != nil || diags.HasErrors() || len(a.findings) != most {
		t.Error(len(a.findings), diags.Err(), err)
	}
	if _, _, err := asked(true, reply{Parts: 2}, many(most), many(1)); !errors.Is(err, errFrame) {
		t.Error(err)
	}
	// The room for a reply grows with the plan.
	r := speaking(t, io.Discard, reply{})
	r.ready["house"] = true
	told := true
	if _, _, err := r.ask(t.Context(), house(t, one(good)), anInput(), false, &told); err != nil || r.p.wire.left != maxReply+2<<12-len("{}\n") {
		t.Error(r.p.wire.left, err)
	}
	no := denied("No", "no")
	for name, got := range map[string]func() (answer, diag.Diagnostics, error){
		"the input":  func() (answer, diag.Diagnostics, error) { return asked(false, reply{Diags: no}, reply{}) },
		"the answer": func() (answer, diag.Diagnostics, error) { return asked(true, reply{Diags: no}) },
	} {
		if a, diags, err := got(); err != nil || cmp.Diff(no, diags) != "" || len(a.findings) > 0 {
			t.Errorf("%s: %v, %v, %v", name, a, diags, err)
		}
	}
	if _, _, err := asked(false); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Error(err)
	}
	if _, _, err := asked(true); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Error(err)
	}
}

// A source that does not compile is not ready, whenever it is compiled.
func TestWhatDoesNotCompileIsNotAsked(t *testing.T) {
	no := denied("No", "no")
	r := speaking(t, io.Discard, reply{Diags: no, Stages: []Stage{StagePlan}})
	f := house(t, one(good))
	r.folders, r.speaks["house"] = []*folder{f}, []Stage{StagePlan}
	answers, faults := make([]answer, 1), make([]diag.Diagnostics, 1)
	r.eval(t.Context(), anInput(), false, answers, faults)
	if diff := cmp.Diff(no, faults[0]); diff != "" || r.ready["house"] {
		t.Error(r.ready, diff)
	}
	r.drop()
	r.p, r.folders = speaking(t, io.Discard).p, []*folder{f}
	if diags := r.compile(t.Context())[0]; !strings.Contains(diags.Err().Error(), `Policy "house": the evaluator ended`) || diags.Exit() != diag.ExitDenied {
		t.Error(diags)
	}
	idle(t, r)
}

// Who waits for a turn that does not come in time has no answer, whatever she asks.
func TestWaitingIsNoAnswer(t *testing.T) {
	r := newRemote(Limits{}.orDefaults())
	a, b := house(t, one(good)), house(t, one(good))
	b.source.Name, b.index = "other", 1
	r.folders = []*folder{a, b}
	r.speaks["house"], r.speaks["other"] = stages, stages
	r.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	compiled := r.compile(ctx)
	if len(compiled) != 2 {
		t.Fatalf("%d of 2 are told", len(compiled))
	}
	for i, diags := range compiled {
		if !strings.Contains(diags.Err().Error(), "cancelled") || !strings.Contains(diags.Err().Error(), r.folders[i].source.Name) {
			t.Error(diags.Err())
		}
	}
	answers, faults := make([]answer, 2), make([]diag.Diagnostics, 2)
	r.eval(ctx, anInput(), false, answers, faults)
	if !strings.Contains(faults[0].Err().Error(), "cancelled") || faults[0].Exit() != diag.ExitDenied || r.p != nil {
		t.Error(faults)
	}
	if _, _, err := r.test(ctx, a, new(time.Minute)); !errors.Is(err, errCancel) || r.p != nil || len(r.turn) != 1 {
		t.Error(err)
	}
	// Who has nothing to ask does not wait.
	clear(r.speaks)
	faults = make([]diag.Diagnostics, 2)
	if r.eval(ctx, anInput(), false, answers, faults); len(faults[0])+len(faults[1]) > 0 {
		t.Error(faults)
	}
}

// A source that broke its evaluator is not asked again; the one after it gets a
// new evaluator, which is told what the other was. Nobody is asked about a stage
// of which it says nothing.
func TestAfterABreak(t *testing.T) {
	set := compileAll(t, named("broken", Mandatory, good), named("calm", Mandatory, good), named("later", Mandatory, strings.Replace(good, ".plan", ".result", 1)))
	set.remote.p.wire.r.Reset(bytes.NewReader(append(framed(t, reply{}), "nonsense"...)))
	for range 2 {
		_, diags := set.Eval(context.Background(), anInput())
		if len(diags) != 1 || !strings.Contains(diags.Err().Error(), `"broken"`) || !strings.Contains(diags.Err().Error(), "not understood") {
			t.Fatal(diags.Err())
		}
		if set.remote.ready["broken"] || !set.remote.ready["calm"] || set.remote.ready["later"] {
			t.Error(set.remote.ready)
		}
		set.remote.drop()
	}
}

// A policy says the same after its process had to be started again.
func TestAfterARestart(t *testing.T) {
	set := compileAll(t, named("house", Mandatory, about))
	want := ask(t, set, owned("mallory"))
	set.remote.drop()
	if diff := cmp.Diff(want, ask(t, set, owned("mallory")), verdictOnly); diff != "" || !want.Denied() {
		t.Error(diff)
	}
}

// files names three files at most.
func TestFilesAreNamed(t *testing.T) {
	f := &folder{}
	for _, want := range []string{"a", "a, b", "a, b, c", "a, b, c, and 1 more", "a, b, c, and 2 more"} {
		f.modules = append(f.modules, file{name: string(rune('a' + len(f.modules)))})
		if got := f.files(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// All tests of a source together have the time of each, and that for compiling.
func TestTestsHaveTheirTime(t *testing.T) {
	r := newRemote(Limits{Time: 20 * time.Second, Compile: -50 * time.Second, Memory: 64 << 20}.orDefaults())
	defer r.close()
	f := house(t, map[string]string{"a.rego": good, "a_test.rego": "package remint.plan_test\ntest_x if true\n", "b_test.rego": "package remint.plan_test\ntest_y if true\n"})
	_, all, err := r.test(t.Context(), f, new(time.Minute))
	idle(t, r)
	if err != nil || len(all.Tests) != 2 {
		t.Error(all.Tests, err)
	}
}
