package executor_test

import (
	"context"
	"errors"
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
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/verify"
)

// known is what the state keeps of the first credential, ErrNotFound if nothing.
func (e *env) known() (journal.Credential, error) {
	var err error
	return look(e, func(j journal.Journal) (c journal.Credential) {
		c, err = j.Credential(context.Background(), "credential."+e.setup.typ+".a")
		return c
	}), err
}

// A reset whose end cannot be evidenced is not finished, in the state neither.
func TestAnEndWithoutEvidenceIsNone(t *testing.T) {
	t.Parallel()
	for _, reason := range reasons {
		e := start(t, setup{reason: reason})
		e.apply()
		signed := e.w.count("sign")
		if c, err := e.known(); err != nil || c.Generation != 1 || c.Run != e.run || c.Proof != string(lifecycle.Tested) || c.Mode == "" {
			t.Errorf("%s: %+v, %v", reason, c, err)
		}
		e = start(t, setup{reason: reason})
		e.plan()
		e.w.fail(fault{op: "sign", kind: permanent, skip: signed - 2}) // the last one is the run's
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || !strings.Contains(r.Error, "evidence cannot be signed") || out.Closed || slices.Contains(e.records(), "ended") {
			t.Errorf("%s: %+v, closed %v", reason, r, out.Closed)
		}
		if c, err := e.known(); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("%s: the state counts a reset that did not end: %+v, %v", reason, c, err)
		}
		if out = e.resume(); out.reset(t, 0).Outcome != executor.Finished || !out.Closed {
			t.Errorf("%s: resumed: %+v", reason, out.reset(t, 0))
		}
	}
}

// Only a reset that finished counts as one.
func TestOnlyWhatFinishedCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s setup
		f fault
	}{
		"halted": {setup{}, fault{op: "Put", kind: permanent}}, "failed": {setup{}, fault{op: "Set", kind: permanent}},
		"denied":     {setup{rego: denyEnd}, fault{op: "nothing"}},
		"taken back": {setup{typ: "mem_key"}, somebody("Probe", 1, func(w *world) { w.account("a").broken = true })},
	} {
		e := start(t, tc.s)
		e.plan()
		e.w.fail(tc.f)
		r := e.apply().reset(t, 0)
		if r.Outcome == executor.Finished || (r.Question != nil) != (r.Outcome == executor.Halted) || (e.end().Question != nil) != (r.Outcome == executor.Halted) {
			t.Errorf("%s: %+v", name, r)
		}
		if c, err := e.known(); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// The run's last line binds the last line of each reset.
func TestTheRunsEndBindsItsResets(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	shelf := &shelf{}
	out := e.apply(func(p *process, _ *executor.Job) { p.x.Archive = shelf })
	if !out.Closed {
		t.Fatalf("%+v", out.Resets)
	}
	lines, files := map[string]string{}, map[string]bool{}
	for _, b := range shelf.bundles {
		lines[b.ID], files[b.File] = evidence.LineDigest(b.Line), true
		if b.Run != e.run {
			t.Errorf("%s is of %q", b.ID, b.Run)
		}
		if !strings.Contains(string(b.Line), fmt.Sprintf(`"plan_digest":%q`, e.file.Digest)) || !strings.Contains(string(b.Line), `"program":"remint test"`) || !strings.Contains(string(b.Line), `"recorded_at":"2026-01-01T00:00:0`) {
			t.Errorf("%s: %s", b.ID, b.Line)
		}
	}
	if diff := cmp.Diff(map[string]bool{
		"run-1/run.sigstore.jsonl": true, "run-1/mem_password.a.sigstore.jsonl": true, "run-1/mem_password.b.sigstore.jsonl": true,
	}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	e.w.filed, e.w.order = map[string]string{}, nil
	for _, b := range shelf.bundles {
		e.w.order = append(e.w.order, b.ID)
		e.w.filed[b.ID] = string(b.Line)
	}
	last := e.ofRun(e.run)
	closed := last[len(last)-1]
	if len(closed.Resets) != 2 {
		t.Fatalf("%+v", closed)
	}
	for _, r := range closed.Resets {
		at := slices.IndexFunc(shelf.bundles, func(b journal.Bundle) bool { return lines[b.ID] == r.Record })
		if at < 0 || !strings.Contains(string(shelf.bundles[at].Line), fmt.Sprintf(`"address":%q`, r.Address)) || !strings.Contains(string(shelf.bundles[at].Line), `"planned":`) {
			t.Errorf("%+v binds no line of its reset", r)
		}
	}
}

// Where the target does not list an old one, there may be one all the same.
func TestWhatIsNotListedIsNotTheFirst(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	unlisted(e.w)
	out := e.apply()
	if r := out.reset(t, 0); r.Outcome != executor.Finished || r.First || out.Counts().Made > 0 {
		t.Errorf("%+v", r)
	}
}

// A new one that nobody can name is not taken back by guessing.
func TestWhatHasNoNameIsNotTakenBack(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Set", kind: ambiguous})
	e.apply()
	e.w.fail(fault{op: "Probe", kind: unclear})
	e.stopped(e.resume(), "install.it")
	r := e.resume(hears(e.says("alice", event.AnswerDone))).reset(t, 0) // it was not: nothing accepts it
	if r.Outcome != executor.Halted || !r.Open || r.Step != "confirm.it" || e.w.count("Revoke") > 0 || r.Error != "the new secret is not accepted: refused at "+endpoint {
		t.Errorf("%+v, revoked %d times", r, e.w.count("Revoke"))
	}
	if !e.w.works("a", e.old) {
		t.Error("the old one does not work")
	}
}

// Whoever resumes what is being taken back is told why, and that nothing was lost.
func TestWhyItWasTakenBack(t *testing.T) {
	t.Parallel()
	const after = "; the new one was taken back, the old one was not touched"
	e := start(t, setup{typ: "mem_key", retry: ptr(once)})
	e.plan()
	e.w.fail(somebody("Probe", 1, func(w *world) { w.account("a").broken = true }))
	e.w.fail(fault{op: "Revoke", kind: crash})
	e.w.fail(fault{op: "Revoke", kind: permanent})
	if out := e.apply(); !out.died {
		t.Fatal("it lives")
	}
	const again = "the new secret was not accepted"
	r := e.resume().reset(t, 0)
	if r.Outcome != executor.Halted || r.Step != "roll_back.new" || r.Error != again+"; taking it back failed too: Revoke failed (permanent)" {
		t.Errorf("%+v", r)
	}
	if r = e.resume().reset(t, 0); r.Outcome != executor.RolledBack || r.Error != again+after {
		t.Errorf("%+v", r)
	}
	at := start(t, setup{typ: "mem_key", retry: ptr(once)})
	at.plan()
	at.w.fail(somebody("Probe", 1, func(w *world) { w.account("a").broken = true }))
	if r = at.apply().reset(t, 0); r.Outcome != executor.RolledBack || r.Error != "the new secret is not accepted: refused at "+endpoint+after {
		t.Errorf("%+v", r)
	}
	var said []string
	for _, n := range e.w.notices {
		said = append(said, n.Summary)
	}
	if len(said) != 2 || !strings.HasSuffix(said[0], "Revoke failed (permanent)") || !strings.HasSuffix(said[1], after) {
		t.Errorf("%q", said)
	}
}

// A word that nothing was taken back lets it be taken back, and not gone on with; a
// word that it was ends it.
func TestWhatIsBeingTakenBackIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	for answer, more := range map[string]int{event.AnswerNotDone: 1, event.AnswerDone: 0} {
		e := start(t, setup{typ: "mem_key", retry: ptr(once)})
		e.plan()
		e.w.fail(somebody("Probe", 1, func(w *world) { w.account("a").broken = true }))
		e.w.fail(fault{op: "Revoke", kind: crash, effect: answer == event.AnswerDone})
		e.w.fail(fault{op: "Revoke", kind: permanent})
		e.apply()
		e.stopped(e.resume(), "roll_back.new")
		e.w.account("a").broken = false
		before := e.w.count("Revoke")
		r := e.resume(hears(e.says("alice", answer))).reset(t, 0)
		if r.Outcome != executor.RolledBack || e.w.count("Put") > 0 || e.w.live("a", e.old) > 0 || !e.w.works("a", e.old) {
			t.Errorf("%s: %+v, put %d times", answer, r, e.w.count("Put"))
		}
		if n := e.w.count("Revoke") - before; n != more {
			t.Errorf("%s: revoked %d more times", answer, n)
		}
	}
}

// Evidence of a denial says who asked, how surely, for what, and why not.
func TestWhatADenialLeaves(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.run = "denied-1"
	p := e.process()
	defer p.close()
	j := p.job()
	file := *e.file
	file.Plan.Decisions = []plan.Decision{{Source: "house", Rule: "no", Level: plan.Deny, Message: "not today"}}
	file.Plan.Requirements.Strength = lifecycle.AAL2
	j.File, j.Facts = &file, map[string]string{"ci": "none"}
	j.Verified = verify.Outcome{Identity: "carol", Strength: lifecycle.AAL2, Accepted: []verify.Accepted{{Verifier: "totp.x"}}}
	e.w.fail(fault{op: "open", kind: permanent})
	if err := p.x.Deny(p.ctx, j, []string{"no"}); err == nil || e.w.count("sign") > 0 {
		t.Errorf("%v: what is in no state was signed %d times", err, e.w.count("sign"))
	}
	if err := p.x.Deny(p.ctx, j, []string{"house/no: not today", "and not tomorrow"}); err != nil {
		t.Fatal(err)
	}
	lines := e.ofRun(e.run)
	if diff := cmp.Diff([]told{
		{Event: "opened", Facts: map[string]string{"ci": "none"}, Sequence: 1},
		{Event: "denied", Outcome: "house/no: not today\nand not tomorrow", Sequence: 2},
		{Event: "closed", Outcome: "denied", Sequence: 3, Total: 3},
	}, tell(lines)); diff != "" {
		t.Fatalf("evidence (-want +got):\n%s", diff)
	}
	if v := lines[0].Verification; v == nil || v.Identity != "carol" || len(v.Methods) != 1 {
		t.Errorf("%+v", v)
	}
	if d := lines[1]; d.Requirements == nil || d.Requirements.Strength != lifecycle.AAL2 || len(d.Decisions) != 1 || d.Decisions[0].Message != "not today" {
		t.Errorf("%+v", d)
	}
	if r, err := p.journal.Run(p.ctx, e.run); err != nil || r.PlanID != "denied/denied-1" {
		t.Errorf("%+v, %v", r, err)
	}
}

// What was given to a resume is given back by kind, and what cannot be read is not "none".
func TestWhatAResumeWasGivenIsKept(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Check", kind: crash})
	e.apply()
	a, v := gate.Document{Name: "a", Content: []byte(`{"a":1}`)}, gate.Document{Name: "v", Content: []byte(`{"v":1}`)}
	e.w.fail(fault{op: "Put", kind: crash})
	e.resume(func(_ *process, j *executor.Job) {
		j.Kept, j.KeptVerifications = []gate.Document{a}, []gate.Document{v}
	})
	p := e.process()
	defer p.close()
	approvals, verifications, err := executor.Kept(p.ctx, p.x.Journal, e.run)
	if diff := cmp.Diff([][]gate.Document{{a}, {v}}, [][]gate.Document{approvals, verifications}); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	e.w.fail(fault{op: "records"})
	if a, v, err := executor.Kept(p.ctx, p.x.Journal, e.run); err == nil || !strings.Contains(err.Error(), "cannot be read") || a != nil || v != nil {
		t.Errorf("%v, %v, %v", a, v, err)
	}
}

// A gate that is shut says what it waits for.
func TestWhyAGateIsShut(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "file", kind: crash})
	e.apply()
	if r := e.resume(held).reset(t, 0); r.Error != "an approval is missing" {
		t.Errorf("%+v", r)
	}
}
