package executor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/verify"
)

const once = "retry {\n attempts = 1\n }\n"

func (e *env) evidence() string {
	var b strings.Builder
	for _, id := range e.w.order {
		b.WriteString(e.w.filed[id] + "\n")
	}
	return b.String()
}

// A state that cannot be read begins nothing, and claims nothing.
func TestAStateThatCannotBeRead(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "acquire"})
	if out := e.apply(); out.Result != nil || out.diags.Exit() != diag.ExitError || !strings.Contains(out.diags.Err().Error(), "cannot be leased") {
		t.Errorf("%v", out.diags.Err())
	}
	e.w.fail(fault{op: "unfiled"})
	if out := e.apply(); out.Result != nil || out.diags.Exit() != diag.ExitError || !strings.Contains(out.diags.Err().Error(), "cannot be read from the state") {
		t.Errorf("%v", out.diags.Err())
	}
	e.untouched(t)

	e = start(t, setup{})
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.w.fail(fault{op: "records"})
	if out := e.resume(); out.Result != nil || out.diags.Exit() != diag.ExitUnfinished || !strings.Contains(out.diags.Err().Error(), "cannot be read") {
		t.Errorf("%v", out.diags.Err())
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
	p := e.process()
	defer p.close()
	e.w.fail(fault{op: "records"})
	if docs, _, err := executor.Kept(p.ctx, p.x.Journal, e.run); err == nil || docs != nil {
		t.Errorf("approvals were read: %v", docs)
	}
	e.w.fail(fault{op: "open", kind: permanent})
	j := p.job()
	j.Run = "denied-1"
	if err := p.x.Deny(p.ctx, j, []string{"no"}); err == nil {
		t.Error("a denial that could not be opened was written")
	}
}

// What cannot be reached leaves the reset where it was, for a resume.
func TestWhatCannotBeReached(t *testing.T) {
	t.Parallel()
	for kind, at := range map[string]string{"provider": "Put", "store": "Put", "consumer": "Reload", "notifier": "Send"} {
		e := start(t, setup{consumers: 1, retry: ptr(once)})
		e.w.fail(fault{op: at, kind: crash})
		if out := e.apply(); !out.died {
			t.Fatal("it lives")
		}
		n := e.w.count(at)
		e.w.unopenable = kind
		out := e.resume()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || !r.Changed || out.Exit() != diag.ExitUnfinished || out.Closed || !strings.Contains(r.Error, "nobody is there") || e.w.count(at) != n {
			t.Errorf("%s: %+v, exit %d", kind, r, out.Exit())
		}
		e.w.unopenable = ""
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", kind, out.reset(t, 0))
		}
	}
	for kind, want := range map[string]string{"provider": "nobody is there", "store": "could not take the new secret, so none was made"} {
		e := start(t, setup{retry: ptr(once), stores: []string{"value"}})
		e.plan()
		e.w.unopenable = kind
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != executor.Failed || r.Changed || r.Open || !strings.Contains(r.Error, want) {
			t.Errorf("%s, nothing begun: %+v", kind, r)
		}
		e.untouched(t)
	}
}

func ptr[T any](v T) *T { return &v }

// A store that cannot be read back has what it was given.
func TestAStoreThatCannotBeReadBack(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.writeOnly = true
	if out := e.apply(); out.Exit() != diag.ExitOK || !e.w.works("a", e.w.stores["a-value"]) {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// A sweep that is interrupted is gone on with: what could still log in is ended.
func TestAnInterruptedSweep(t *testing.T) {
	t.Parallel()
	for _, reason := range reasons {
		e := start(t, setup{reason: reason, retry: ptr(once)})
		e.w.settle = 4 * time.Second
		e.plan()
		e.w.fail(somebody("EndSessions", 0, func(*world) { e.last.halt() }))
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || !r.Changed || !strings.HasPrefix(r.Step, "terminate.") || e.w.count("EndSessions") != 1 {
			t.Errorf("%s: %+v, swept %d times", reason, r, e.w.count("EndSessions"))
		}
		if out := e.resume(); out.Exit() != diag.ExitOK || !strings.Contains(e.evidence(), `"swept_for":"4s"`) {
			t.Errorf("%s: %+v", reason, out.reset(t, 0))
		}
	}
}

// A failure that may pass is not tried again once somebody stopped the run.
func TestNoRetryAfterAStop(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*process){"softly": func(p *process) { p.halt() }, "at once": func(p *process) { p.kill() }} {
		e := start(t, setup{})
		e.plan()
		e.w.fail(fault{op: "Put", kind: transient, before: func(*world) { stop(e.last) }})
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || e.w.count("Put") != 1 {
			t.Errorf("%s: %+v, put %d times", name, r, e.w.count("Put"))
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", name, out.reset(t, 0))
		}
	}
}

// Evidence says how surely the requester was verified, and what the target said.
func TestWhatEvidenceSays(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.apply(func(_ *process, j *executor.Job) {
		j.Verified = verify.Outcome{Identity: "carol", Strength: lifecycle.AAL2}
	})
	said := e.evidence()
	for want, is := range map[string]bool{`"strength":"aal2"`: true, "a claim, not verified": false, "it was set there": true, "no approval was required": true} {
		if strings.Contains(said, want) != is {
			t.Errorf("%q in evidence: %v", want, !is)
		}
	}
	e = start(t, setup{})
	e.apply()
	if !strings.Contains(e.evidence(), "a claim, not verified") {
		t.Error("a claim passes for more")
	}
}

// While the gates are closed, what restores goes on though its first attempt came to
// nothing; what begins does not.
func TestHeldAfterAnAttemptWithoutEffect(t *testing.T) {
	t.Parallel()
	e := start(t, setup{reason: lifecycle.Compromised})
	e.w.fail(fault{op: "Set", kind: crash})
	e.apply()
	if out := e.resume(held); out.Exit() != diag.ExitOK {
		t.Errorf("restoring: %+v", out.reset(t, 0))
	}
	e = start(t, setup{typ: "mem_token"})
	e.w.fail(fault{op: "Mint", kind: crash})
	e.apply()
	out := e.resume(held)
	if r := out.reset(t, 0); e.w.count("Mint") != 1 || !r.Open || e.w.live("a", e.old) > 0 || out.Exit() == diag.ExitOK {
		t.Errorf("minting: %+v, exit %d, minted %d times", r, out.Exit(), e.w.count("Mint"))
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("open gates: %+v", out.reset(t, 0))
	}
}

// An orphan that cannot be looked for is not minted over.
func TestAnOrphanThatCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_token", retry: ptr(once)})
	e.w.fail(fault{op: "Mint", kind: crash, effect: true})
	e.apply()
	e.w.fail(fault{op: "Inspect", kind: permanent})
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open || e.w.count("Mint") != 1 {
		t.Errorf("%+v, minted %d times", r, e.w.count("Mint"))
	}
	if out := e.resume(); out.Exit() != diag.ExitOK || e.w.live("a", e.old) != 1 {
		t.Errorf("%+v, %d live", out.reset(t, 0), e.w.live("a", e.old))
	}
}

// An interrupted Set is found by the name that its secret has, by its label, or,
// where there is but one, by being accepted.
func TestAnInterruptedSetIsFound(t *testing.T) {
	t.Parallel()
	unlabelled := func(w *world) {
		for i := range w.account("a").versions {
			w.account("a").versions[i].label = ""
		}
	}
	for name, tc := range map[string]struct {
		typ   string
		world func(*world)
	}{
		"by name, labels gone": {"mem_key", func(w *world) { w.identifies = true; unlabelled(w) }},
		"by name, and refused": {"mem_key", func(w *world) { w.identifies, w.account("a").enabled = true, true; unlabelled(w) }},
		"by label":             {"mem_key", func(*world) {}},
		"accepted, no label":   {"mem_password", unlabelled},
		"accepted, not listed": {"mem_password", func(w *world) { w.account("a").unlisted = true }},
	} {
		e := start(t, setup{typ: tc.typ, retry: ptr(once)})
		e.w.fail(fault{op: "Set", kind: crash, effect: true})
		e.apply()
		var id string
		for _, v := range e.w.account("a").versions {
			if v.value != e.old {
				id = v.id
			}
		}
		tc.world(e.w)
		out := e.resume()
		said := e.evidence()
		if out.Exit() != diag.ExitOK || e.w.count("Set") != 1 || !strings.Contains(said, "an interrupted attempt had set it already") {
			t.Errorf("%s: %+v, set %d times", name, out.reset(t, 0), e.w.count("Set"))
		}
		if named := strings.Contains(said, `"version":"`+id+`"`); named == (name == "accepted, not listed") {
			t.Errorf("%s: the version %s is named: %v", name, id, named)
		}
	}
	e := start(t, setup{typ: "mem_key", retry: ptr(once)})
	e.w.fail(fault{op: "Set", kind: crash, effect: true})
	e.apply()
	e.w.identifies = true
	e.w.fail(fault{op: "VersionOf", kind: permanent})
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open || e.w.count("Set") != 1 {
		t.Errorf("%+v, set %d times", r, e.w.count("Set"))
	}
}

// Tested means: refused where it was accepted before, while the new one is accepted
// there. Elsewhere, or by records, it is only reported.
func TestWhatTestedMeans(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*world)
		skip   int
		want   lifecycle.Proof
	}{
		"the same place":           {nil, 2, lifecycle.Tested},
		"another place":            {func(w *world) { w.place = "mem://other" }, 2, lifecycle.Reported},
		"the control elsewhere":    {func(w *world) { w.place = "mem://other" }, 3, lifecycle.Reported},
		"the target's word for it": {func(w *world) { w.basis = lifecycle.Reported }, 2, lifecycle.Reported},
	} {
		e := start(t, setup{})
		e.plan()
		e.w.fail(somebody("Probe", tc.skip, tc.change))
		out := e.apply()
		if r := out.reset(t, 0); out.Exit() != diag.ExitOK || r.Proof != tc.want || !strings.Contains(e.evidence(), `"proof":"`+string(tc.want)+`"`) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What the target adds to its answer is told.
func TestTheTargetsOwnWords(t *testing.T) {
	t.Parallel()
	for _, skip := range []int{0, 1, 2, 3} {
		e := start(t, setup{retry: ptr(once)})
		e.plan()
		e.w.fail(fault{op: "Probe", skip: skip, kind: unclear, before: func(w *world) { w.detail = "the sun is down" }})
		if r := e.apply().reset(t, 0); !strings.Contains(r.Error, "the sun is down") || r.Outcome == executor.Finished {
			t.Errorf("%d: %+v", skip, r)
		}
	}
}

// Result policies that only warn deny nothing.
func TestResultPoliciesThatWarn(t *testing.T) {
	t.Parallel()
	e := start(t, setup{rego: "package remint.result\nwarn contains {\"id\": \"a\", \"msg\": \"m\"} if true\n"})
	if out := e.apply(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// Where several steps that may be passed over fail, the first is told.
func TestTheFirstFailureIsTold(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 3, steps: map[string]string{"reload": `on_failure = "continue"`}})
	e.plan()
	e.w.fail(fault{op: "Reload", kind: permanent, times: 2})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || r.Step != `reload.it["mem.c0"]` || e.w.count("Reload") != 3 {
		t.Errorf("%+v, %d reloads", r, e.w.count("Reload"))
	}
}

// In place there is nothing to go back to: a new one that is not accepted stays, and
// a resume goes on with it.
func TestInPlaceIsNotTakenBack(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.account("a").broken = true
	r := e.apply().reset(t, 0)
	if r.Outcome != executor.Halted || !r.Open || e.w.count("Revoke") > 0 || len(e.sealedNames()) == 0 {
		t.Errorf("%+v, revoked %d times", r, e.w.count("Revoke"))
	}
	e.w.account("a").broken = false
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("resumed: %+v", out.reset(t, 0))
	}
}

// Of two credentials, the one that another run holds is named.
func TestTheHeldOneIsNamed(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.plan()
	first := e.process()
	defer first.close()
	if _, err := first.journal.Acquire(first.ctx, "run-0", "bob", []journal.Key{{Name: "mem-1 mem_password b"}}); err != nil {
		t.Fatal(err)
	}
	if out := e.apply(); out.Result != nil || !strings.Contains(out.diags.Err().Error(), "credential.mem_password.b is being reset") {
		t.Errorf("%v", out.diags.Err())
	}
	e.untouched(t)
}

// The target's list that cannot be read at the end proves nothing.
func TestRecordsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		e := start(t, setup{typ: typ, retry: ptr(once)})
		e.plan()
		e.w.fail(somebody("Probe", 2, func(w *world) { w.fail(fault{op: "Inspect", kind: permanent}) }))
		if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || !r.Open || !strings.HasPrefix(r.Step, "prove.") {
			t.Errorf("%s: %+v", typ, r)
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", typ, out.reset(t, 0))
		}
	}
}
