package executor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// A run whose opening cannot be evidenced is not begun; a resume that cannot be
// evidenced does nothing more.
func TestNothingIsBegunWithoutEvidence(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{{op: "sign", kind: permanent}, {op: "file", kind: permanent}, {op: "append filed", kind: permanent}} {
		e := start(t, setup{})
		e.plan()
		e.w.fail(f)
		out := e.apply()
		if out.Result != nil || out.diags.Exit() != diag.ExitError || !strings.Contains(out.diags.Err().Error(), "Nothing was changed") || !e.closed() {
			t.Errorf("%s: exit %d, %v, closed %v", f.op, out.diags.Exit(), out.diags.Err(), e.closed())
		}
		e.untouched(t)
		if last := e.w.filed[e.w.order[len(e.w.order)-1]]; !strings.Contains(last, "abandoned") || !strings.Contains(last, string(executor.NotStarted)) {
			t.Errorf("%s: the last record says %s", f.op, last)
		}

		e = start(t, setup{})
		e.w.fail(fault{op: "Put", kind: crash})
		e.apply()
		puts := e.w.count("Put")
		e.w.fail(f)
		out = e.resume()
		if out.Result != nil || out.diags.Exit() != diag.ExitUnfinished || e.w.count("Put") != puts {
			t.Errorf("%s: resumed: exit %d, %v; put %d times", f.op, out.diags.Exit(), out.diags.Err(), e.w.count("Put")-puts)
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed again: %+v", f.op, out.reset(t, 0))
		}
	}
}

// Where even the end cannot be evidenced, what to do is said.
func TestAnAbandonedRunThatCannotBeClosed(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "file", kind: permanent, times: 10})
	out := e.apply()
	if out.Result != nil || out.diags.Exit() != diag.ExitError || !strings.Contains(out.diags.Err().Error(), "remint resume") {
		t.Errorf("exit %d, %v", out.diags.Exit(), out.diags.Err())
	}
	e.untouched(t)
}

// The record that closes a run counts the run's records; one that only
// interrupts it does not. Each step is told once.
func TestTheClosingRecordCounts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		if out := e.apply(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		own, totals := 0, 0
		for _, id := range e.w.order {
			var r struct {
				Outcome string `json:"outcome"`
				Event   string `json:"event"`
				Total   int    `json:"total"`
				Seq     int    `json:"sequence"`
			}
			if err := json.Unmarshal([]byte(e.w.filed[id]), &r); err != nil {
				t.Fatal(err)
			}
			if r.Outcome == string(journal.Intend) {
				t.Errorf("%s: an intention is no evidence of anything", id)
			}
			if r.Event == "" {
				continue
			}
			if own++; r.Seq != own {
				t.Errorf("record %d has the number %d", own, r.Seq)
			}
			if r.Total > 0 {
				if totals++; r.Total != own || r.Event != "closed" {
					t.Errorf("%s counts %d of %d", r.Event, r.Total, own)
				}
			}
		}
		if totals != 1 {
			t.Errorf("%d records count", totals)
		}
		told := map[string]int{}
		for _, x := range e.last.events.Events() {
			if x.Type == "step_completed" {
				told[x.Step]++
			}
		}
		for step, n := range told {
			if n != 1 {
				t.Errorf("%s was told %d times", step, n)
			}
		}
		if len(told) < 6 {
			t.Errorf("only %d steps were told", len(told))
		}
		for _, v := range e.w.account("a").versions {
			if v.value != e.old && !strings.HasPrefix(v.label, e.run+".") {
				t.Errorf("the version %s has the label %q: whose it is cannot be told", v.id, v.label)
			}
		}
	})
}

// What the target says for good is not asked again; what it cannot make is not there.
func TestForGoodIsForGood(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		typ string
		f   fault
	}{
		"probe": {"mem_password", fault{op: "Probe", kind: permanent}}, "mint": {"mem_token", fault{op: "Mint", kind: permanent}},
		"inspect": {"mem_key", fault{op: "Inspect", kind: permanent}}, "set": {"mem_key", fault{op: "Set", kind: permanent}},
	} {
		e := start(t, setup{typ: tc.typ})
		e.plan()
		e.w.fail(tc.f)
		r := e.apply().reset(t, 0)
		if r.Outcome != executor.Failed || r.Changed || r.Open || e.w.count(tc.f.op) > 2 || !strings.Contains(r.Error, tc.f.op+" failed (permanent)") || len(e.sealedNames()) > 0 {
			t.Errorf("%s: %+v, called %d times, sealed %v", name, r, e.w.count(tc.f.op), e.sealedNames())
		}
		if n := e.w.live("a", e.old); n > 0 || !e.w.works("a", e.old) {
			t.Errorf("%s: %d new ones live", name, n)
		}
	}
}

// What an earlier process saw before it changed anything is looked at again.
func TestWhatWasSeenEarlierIsSeenAgain(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Check", kind: transient}) // the failure is written down, with what was seen
	e.w.fail(fault{op: "Check", kind: crash})
	if out := e.apply(); !out.died {
		t.Fatal("it lives")
	}
	e.w.add(e.w.account("a"), "", theirs)
	if r := e.resume().reset(t, 0); r.Outcome != executor.Refused || r.Changed || e.w.count("Set") > 0 {
		t.Errorf("%+v, set %d times", r, e.w.count("Set"))
	}
}

// A secret that is not in the state any more is not made up.
func TestASealedSecretThatIsGone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"issue.it", executor.OldSecret} {
		e := start(t, setup{})
		e.w.fail(fault{op: "Set", kind: crash, effect: true})
		e.apply()
		err := look(e, func(j journal.Journal) error {
			return j.Append(t.Context(), &journal.Batch{Erase: []journal.Sealed{{Run: e.run, Address: addressA, Name: name}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open || !r.Changed || !strings.Contains(r.Error, "the secret sealed under "+name+" cannot be read from the state") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// In contain the old one is dead already: a new one that is not accepted is not
// taken back, and waits for a resume.
func TestContainTakesNothingBack(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		e := start(t, setup{typ: typ, reason: lifecycle.Compromised})
		e.plan()
		e.w.account("a").broken = true
		r := e.apply().reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || !strings.Contains(r.Error, "the new secret is not accepted: refused at "+endpoint) || strings.HasSuffix(r.Error, ", ") {
			t.Errorf("%s: %+v", typ, r)
		}
		e.w.account("a").broken = false
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", typ, out.reset(t, 0))
		}
	}
}

// What contradicts the proof stops the reset, and says what it was.
func TestContradictions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s      setup
		before fault
		says   string
	}{
		"login disabled, the old one still there": {setup{typ: "mem_key"}, somebody("Probe", 2, func(w *world) {
			w.add(w.account("a"), "", "OLD")
			w.account("a").enabled = false
		}), "login is disabled, which does not show that the old secret is dead"},
		"the old version listed again": {setup{typ: "mem_key"}, somebody("Probe", 2, func(w *world) {
			a := w.account("a")
			a.versions = append(a.versions, version{id: "v1", value: "somewhat"})
		}), "the target still lists the old version v1"},
		"a version of somebody's in contain": {setup{typ: "mem_key", reason: lifecycle.Compromised}, somebody("Probe", 1, func(w *world) {
			w.add(w.account("a"), "", theirs)
		}), "which somebody added after this reset began"},
		"enabled again in contain": {setup{reason: lifecycle.Compromised}, somebody("Probe", 1, func(w *world) {
			w.account("a").enabled = true
		}), "it can log in again"},
		"the new one disabled at the end": {setup{}, somebody("Probe", 3, func(w *world) { w.account("a").enabled = false }), "login is disabled: disabled at " + endpoint},
	} {
		e := start(t, tc.s)
		e.plan()
		e.w.fail(tc.before)
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || out.Exit() != diag.ExitUnfinished || !strings.Contains(r.Error, tc.says) || !strings.HasPrefix(r.Step, "prove.") {
			t.Errorf("%s: %+v", name, r)
		}
		for _, x := range e.last.events.Events() {
			if x.Type == event.ResetFinished && (x.Level != event.Error || !strings.Contains(x.Message, tc.says)) {
				t.Errorf("%s: %+v", name, x)
			}
		}
		if n := len(e.w.notices); n == 0 || e.w.notices[n-1].Kind != "halted" || !strings.Contains(e.w.notices[n-1].Summary, tc.says) || e.w.notices[n-1].Next != "remint resume "+e.run {
			t.Errorf("%s: the owner was told %+v", name, e.w.notices)
		}
	}
}

// What the owner is told of a reset that went well.
func TestTheNotice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		e.apply()
		if len(e.w.notices) != 1 {
			t.Fatalf("%+v", e.w.notices)
		}
		n := e.w.notices[0]
		if n.Kind != "finished" || n.To != "o@example.com" || n.Run != e.run || n.Proof != string(lifecycle.Tested) || n.Reason != string(s.reason) || n.ID == "" || n.At.IsZero() {
			t.Errorf("%+v", n)
		}
		retired := s.reason == lifecycle.Offboarding
		if retired != strings.Contains(n.Summary, "was retired") || retired == strings.Contains(n.Summary, "the new one is where it is needed") {
			t.Errorf("%q", n.Summary)
		}
		for _, c := range n.Changes {
			if !strings.Contains(c, "(") {
				t.Errorf("%q has no place", c)
			}
		}
		if len(n.Changes) < 2 {
			t.Errorf("%d changes", len(n.Changes))
		}
	})
}

// A notifier that fails halts the reset, and the owner hears of it when it works.
func TestANotifierThatFails(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Send", kind: permanent, times: 2})
	r := e.apply().reset(t, 0)
	warned := false
	for _, x := range e.last.events.Events() {
		warned = warned || strings.Contains(x.Message, "The owner could not be told through mem.soc")
	}
	if r.Outcome != executor.Halted || !r.Open || !strings.HasPrefix(r.Step, "notify.") || !warned {
		t.Errorf("%+v; warned %v", r, warned)
	}
	if out := e.resume(); out.Exit() != diag.ExitOK || len(e.w.notices) != 1 {
		t.Errorf("%+v, %d notices", out.reset(t, 0), len(e.w.notices))
	}
}
