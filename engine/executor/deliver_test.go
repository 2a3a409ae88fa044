package executor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// Evidence says which store, consumer and person got what.
func TestWhoGotIt(t *testing.T) {
	t.Parallel()
	facts := func(e *env) map[string]map[string]string {
		out := map[string]map[string]string{}
		for _, s := range []string{`distribute.it["mem.value"]`, `reload.it["mem.c0"]`, "notify.owner"} {
			for _, x := range e.steps(s) {
				out[s] = x.Facts
			}
		}
		return out
	}
	e := start(t, setup{consumers: 1})
	e.apply()
	if diff := cmp.Diff(map[string]map[string]string{
		`distribute.it["mem.value"]`: {"store": "mem.value", "field": "value"}, `reload.it["mem.c0"]`: {"consumer": "mem.c0"},
		"notify.owner": {"to": "o@example.com", "via": "mem.soc"},
	}, facts(e)); diff != "" {
		t.Errorf("cutover (-want +got):\n%s", diff)
	}
	e = start(t, setup{reason: lifecycle.Offboarding})
	e.apply()
	if diff := cmp.Diff(map[string]map[string]string{
		`distribute.it["mem.value"]`: {"store": "mem.value", "detail": "emptied"}, "notify.owner": {"to": "o@example.com", "via": "mem.soc"},
	}, facts(e)); diff != "" {
		t.Errorf("retire (-want +got):\n%s", diff)
	}
}

// A store that cannot be emptied is not called empty.
func TestAStoreThatCannotBeEmptied(t *testing.T) {
	t.Parallel()
	e := start(t, setup{reason: lifecycle.Offboarding})
	e.plan()
	e.w.fail(fault{op: "Empty", kind: permanent})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || r.Step != `distribute.it["mem.value"]` {
		t.Errorf("%+v", r)
	}
}

// oncall is a second notifier; bound is one of the trust base.
func oncall(bound bool) func(*process, *executor.Job) {
	return func(p *process, _ *executor.Job) {
		p.x.Notifiers = append(slices.Clone(p.x.Notifiers), &config.Block{Type: "mem", Name: "oncall", Bound: bound})
	}
}

func alone(p *process, j *executor.Job) {
	oncall(false)(p, j)
	p.x.Notifiers = p.x.Notifiers[1:]
}

func nobody(p *process, _ *executor.Job) { p.x.Notifiers = nil }

// A step tells people through the notifiers that it names, and those of the trust
// base whatever it names; without any, it does not pass for done.
func TestWhichNotifiersTell(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		via    string
		change func(*process, *executor.Job)
		want   string
	}{
		"all, when none is named":   {"", oncall(false), "mem.soc, mem.oncall"},
		"those that are named":      {`via = ["mem.soc"]`, oncall(false), "mem.soc"},
		"and those that are bound":  {`via = ["mem.soc"]`, oncall(true), "mem.soc, mem.oncall"},
		"none of those that are":    {`via = ["mem.soc"]`, alone, ""},
		"none, when there is none ": {"", nobody, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{steps: map[string]string{"notify": tc.via}})
			e.plan()
			r := e.apply(tc.change).reset(t, 0)
			if tc.want == "" {
				if r.Outcome != executor.Halted || r.Step != "notify.owner" || !strings.Contains(r.Error, "names no notifier that is declared") {
					t.Errorf("%+v", r)
				}
				return
			}
			said := e.steps("notify.owner")
			if r.Outcome != executor.Finished || len(said) != 1 || said[0].Facts["via"] != tc.want || len(e.w.notices) != strings.Count(tc.want, ",")+1 {
				t.Errorf("%+v, %+v, %d notices", r, said, len(e.w.notices))
			}
		})
	}
}

// changed makes another owner the one that the trust base names, and more those of
// further credentials that are the same account there.
func changed(owner string, more ...string) func(*process, *executor.Job) {
	return func(_ *process, j *executor.Job) {
		c := &plan.Change{Owner: owner}
		for _, o := range more {
			c.Others = append(c.Others, plan.Counterpart{Address: "credential.t." + o, Owner: o})
		}
		j.Resets[0].Plan.Change = c
	}
}

// The owner whom the trust base names is told too, each under a key that stays.
func TestBothOwnersAreTold(t *testing.T) {
	t.Parallel()
	notice := "run-1/" + addressA + "/notify.owner"
	for name, tc := range map[string]struct {
		owner string
		want  []string
	}{
		"another one":     {"base@example.com", []string{"o@example.com " + notice, "base@example.com " + notice + "/2"}},
		"the same one":    {"o@example.com", []string{"o@example.com " + notice}},
		"none":            {"", []string{"o@example.com " + notice}},
		"nothing differs": {"-", []string{"o@example.com " + notice}},
		"several":         {"base@example.com base@example.com more@example.com", []string{"o@example.com " + notice, "base@example.com " + notice + "/2", "more@example.com " + notice + "/3"}},
	} {
		e := start(t, setup{})
		e.plan()
		owners := strings.Split(tc.owner, " ")
		change := changed(owners[0], owners[1:]...)
		if tc.owner == "-" {
			change = func(*process, *executor.Job) {}
		}
		e.w.fail(fault{op: "Send", skip: len(tc.want) - 1, kind: transient}) // the last one hears it later
		if r := e.apply(change).reset(t, 0); r.Outcome != executor.Finished {
			t.Errorf("%s: %+v", name, r)
		}
		got := map[string]bool{}
		for _, n := range e.w.notices {
			got[n.To+" "+n.ID] = true
		}
		if len(got) != len(tc.want) || slices.ContainsFunc(tc.want, func(w string) bool { return !got[w] }) {
			t.Errorf("%s: told %v, want %v", name, got, tc.want)
		}
		if to := e.steps("notify.owner")[1].Facts["to"]; strings.Count(to, "@") != len(tc.want) {
			t.Errorf("%s: evidence says %q", name, to)
		}
	}
}

// One who could not be told keeps the step from passing for done, though another was.
func TestEachOwnerIsTold(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Send", kind: permanent})
	r := e.apply(changed("base@example.com")).reset(t, 0)
	if r.Outcome != executor.Halted || r.Step != "notify.owner" {
		t.Errorf("%+v", r)
	}
	finished := 0
	for _, n := range e.w.notices {
		if n.Kind == "finished" {
			finished++
		}
	}
	if finished > 0 {
		t.Errorf("%d were told that it is finished", finished)
	}
}

// The owner of a reset that stopped hears what was done, why it stopped and what to do.
func TestTheNoticeOfAStop(t *testing.T) {
	t.Parallel()
	e := start(t, setup{consumers: 1, retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Reload", kind: permanent})
	e.apply(changed("base@example.com"), oncall(false))
	var got []string
	for _, n := range e.w.notices {
		got = append(got, n.To+" "+n.ID)
		if n.Kind != "halted" || n.Outcome != "halted" || n.Next != "remint resume run-1" || n.Summary != "The reset of "+addressA+" was begun and is not finished: Reload failed (permanent)" {
			t.Errorf("%+v", n)
		}
		if diff := cmp.Diff(e.changes("issue.it", "install.it", `distribute.it["mem.value"]`)[1:], n.Changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	}
	key := "run-1/" + addressA + "/halted"
	if diff := cmp.Diff([]string{"o@example.com " + key, "base@example.com " + key + "/2", "o@example.com " + key, "base@example.com " + key + "/2"}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// changes is how a notice tells of steps of the plan.
func (e *env) changes(steps ...string) []string {
	var out []string
	for _, st := range e.file.Plan.Resets[0].Steps {
		if slices.Contains(steps, st.Address) {
			out = append(out, fmt.Sprintf("%s (%s)", st.Summary, st.Target))
		}
	}
	return out
}

// A notice of the end tells of what changed, whose word that rests on, and of nothing
// that only looked.
func TestTheNoticeOfTheEnd(t *testing.T) {
	t.Parallel()
	e := doubtful(t)
	e.w.faults = nil
	e.w.notices = nil
	if r := e.resume(hears(e.says("alice", event.AnswerDone))).reset(t, 0); r.Outcome != executor.Finished {
		t.Fatalf("%+v", r)
	}
	want := e.changes("install.it", `distribute.it["mem.value"]`, reloaded, "terminate.sessions", "prove.dead")
	want[2] += ", as alice says"
	n := e.w.notices[0]
	if diff := cmp.Diff(want, n.Changes); diff != "" || n.Summary != addressA+" was reset: the old secret is dead, the new one is where it is needed." {
		t.Errorf("%q; changes (-want +got):\n%s", n.Summary, diff)
	}
	// Denied at the end, when the owner was told already: the notice is no change.
	e = start(t, setup{rego: denyEnd})
	e.apply()
	last := e.w.notices[len(e.w.notices)-1]
	if diff := cmp.Diff(e.w.notices[0].Changes, last.Changes); diff != "" || last.Kind != "halted" || len(e.w.notices) != 2 {
		t.Errorf("%+v (-want +got):\n%s", last, diff)
	}
	e = start(t, setup{reason: lifecycle.Offboarding})
	e.apply()
	if got := e.w.notices[0].Summary; got != addressA+" was retired: nobody can use it any more." {
		t.Errorf("%q", got)
	}
}

// A run that was taken over tells nobody that it stopped: who has it now does.
func TestALostRunTellsNobody(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		e := start(t, setup{retry: ptr(once)})
		e.plan()
		e.w.fail(fault{op: "Put", kind: permanent})
		before := -1
		e.apply(func(p *process, _ *executor.Job) {
			p.x.Journal = &losing{p.x.Journal, n, func() { before = len(e.w.calls) }}
		})
		if before < 0 {
			if n < 4 {
				t.Errorf("it was looked at %d times", n-1)
			}
			return
		}
		if slices.Contains(e.w.calls[before:], "Send") {
			t.Errorf("lost at look %d, the owner was told: %v", n, e.w.calls[before:])
		}
	}
}

// What keeps an owner from being told is told to whoever runs it.
func TestAnOwnerWhoCannotBeTold(t *testing.T) {
	t.Parallel()
	e := start(t, setup{retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Put", kind: permanent})
	e.w.fail(fault{op: "Send", kind: permanent})
	e.apply(changed("base@example.com"))
	var said []string
	for _, x := range e.last.events.Events() {
		if x.Type == event.Diagnostic {
			said = append(said, string(x.Level)+" "+x.Message)
		}
	}
	if diff := cmp.Diff([]string{"warn The owner could not be told through mem.soc: Send failed (permanent)"}, said); diff != "" || len(e.w.notices) > 0 {
		t.Errorf("%d notices; said (-want +got):\n%s", len(e.w.notices), diff)
	}
	if got := of(e.records(), "distribute"); !slices.Equal(got, []string{`distribute.it["mem.value"] intend`, `distribute.it["mem.value"] ` + string(journal.Failed)}) {
		t.Errorf("%v", got)
	}
}

// A store is not given what a secret has not: it would be left empty.
func TestAFieldThatIsNotThere(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	r := e.apply(func(_ *process, j *executor.Job) { j.Resets[0].Credential.Stores[0].Field = "password" }).reset(t, 0)
	if r.Outcome != executor.Halted || !strings.Contains(r.Error, `the new secret has no field "password" for store mem.value`) || e.w.count("Put") > 0 {
		t.Errorf("%+v", r)
	}
}

// A store is given what was made, or nothing: not what the state has lost.
func TestALostSecretIsPutNowhere(t *testing.T) {
	t.Parallel()
	e := start(t, setup{retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Probe", skip: 1, kind: unclear, times: 1000})
	e.stopped(e.apply(), "confirm.it")
	e.w.faults = nil
	e.erase("issue.it")
	r := e.resume(hears(e.says("alice", event.AnswerDone))).reset(t, 0)
	if r.Outcome != executor.Halted || r.Step != `distribute.it["mem.value"]` || !strings.Contains(r.Error, "cannot be read from the state") || e.w.count("Put") > 0 {
		t.Errorf("%+v, put %d times", r, e.w.count("Put"))
	}
}

// A store that does not say whether it holds what was put there is not passed over.
func TestAStoreThatDoesNotSay(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Holds", kind: permanent})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || r.Step != `distribute.it["mem.value"]` || r.Error != "Holds failed (permanent)" {
		t.Errorf("%+v", r)
	}
}

// silent is a journal that once does not say whose the run is.
type silent struct {
	journal.Journal
	n int
}

// Holds fails the n-th time.
func (s *silent) Holds(ctx context.Context, run string) error {
	if s.n--; s.n == 0 {
		return errors.New("the state does not answer")
	}
	return s.Journal.Holds(ctx, run)
}

// A step that was kept from its effect, because nobody could say whose the run is, is
// not written down as done: a resume does it.
func TestWhatWasKeptBackIsDoneLater(t *testing.T) {
	t.Parallel()
	for _, reason := range reasons {
		n := 1
		for ; n < 20; n++ {
			e := start(t, setup{reason: reason, consumers: 1})
			e.plan()
			var s *silent
			out := e.apply(func(p *process, _ *executor.Job) {
				s = &silent{p.x.Journal, n}
				p.x.Journal = s
			})
			if s.n > 0 {
				break // it was not asked so often
			}
			if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || !strings.Contains(r.Error, "the state does not answer") {
				t.Errorf("%s, look %d: %+v", reason, n, r)
			}
			if r := e.resume().reset(t, 0); r.Outcome != executor.Finished {
				t.Errorf("%s, look %d, resumed: %+v", reason, n, r)
			}
			retired := reason == lifecycle.Offboarding
			if got := e.w.stores["a-value"]; retired != (got == "") || !retired && !e.w.works("a", got) || !retired && e.w.count("Reload") != 1 || len(e.w.notices) == 0 {
				t.Errorf("%s, look %d: the store holds %q, %d reloads, %d notices", reason, n, got, e.w.count("Reload"), len(e.w.notices))
			}
		}
		if n < 4 || n == 20 {
			t.Errorf("%s: it was looked at %d times", reason, n-1)
		}
	}
}

// overtaken is a journal that loses the run once step is about to begin.
type overtaken struct {
	journal.Journal
	step string
	lost bool
}

// Append loses the run after the intention.
func (o *overtaken) Append(ctx context.Context, b *journal.Batch) error {
	o.lost = o.lost || slices.ContainsFunc(b.Records, func(r journal.Record) bool { return r.Step == o.step && r.Kind == journal.Intend })
	return o.Journal.Append(ctx, b)
}

// Holds says that it is lost.
func (o *overtaken) Holds(ctx context.Context, run string) error {
	if o.lost {
		return journal.ErrLost
	}
	return o.Journal.Holds(ctx, run)
}

// A run that is lost between a step's intention and its effect has no effect.
func TestARunIsLostBeforeTheEffect(t *testing.T) {
	t.Parallel()
	for step, op := range map[string]string{`distribute.it["mem.value"]`: "Put", `reload.it["mem.c0"]`: "Reload", "notify.owner": "Send"} {
		e := start(t, setup{consumers: 1, retry: ptr(once)})
		e.plan()
		r := e.apply(func(p *process, _ *executor.Job) { p.x.Journal = &overtaken{Journal: p.x.Journal, step: step} }).reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || e.w.count(op) > 0 {
			t.Errorf("%s: %+v, %s was called %d times", step, r, op, e.w.count(op))
		}
	}
}
