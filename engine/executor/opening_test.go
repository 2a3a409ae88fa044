package executor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/secret"
)

// faulty is a journal of which single calls fail.
type faulty struct {
	journal.Journal
	credentials, secrets error
	// appends is how many writes pass before the run is found to be lost; 0 for all.
	appends int
}

func (f *faulty) Credentials(ctx context.Context) ([]journal.Credential, error) {
	if f.credentials != nil {
		return nil, f.credentials
	}
	return f.Journal.Credentials(ctx)
}

func (f *faulty) Secrets(ctx context.Context, run string) ([]journal.Sealed, error) {
	if f.secrets != nil {
		return nil, f.secrets
	}
	return f.Journal.Secrets(ctx, run)
}

func (f *faulty) Append(ctx context.Context, b *journal.Batch) error {
	if f.appends > 0 && len(b.Filed) == 0 {
		if f.appends--; f.appends == 0 {
			f.appends = 1
			return journal.ErrLost
		}
	}
	return f.Journal.Append(ctx, b)
}

// What other runs finished is not known: nothing is begun, and the lease is given back.
func TestFinishedResetsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	p := e.process()
	defer p.close()
	f := &faulty{Journal: p.x.Journal, credentials: errors.New("the disk is gone")}
	p.x.Journal = f
	j := p.job()
	var diags diag.Diagnostics
	if j.Resets, diags = p.p.Restore(e.file); diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	res, diags := p.x.Apply(p.ctx, p.soft, j)
	if res != nil || diags.Exit() != diag.ExitError || !strings.Contains(diags.Err().Error(), "the disk is gone. Nothing was changed") {
		t.Errorf("%+v, %v", res, diags.Err())
	}
	e.untouched(t)
	other := e.process()
	defer other.close()
	if _, err := other.journal.Acquire(other.ctx, "run-2", "bob", []journal.Key{{Name: "mem-1 mem_password a"}}); err != nil {
		t.Errorf("it is still leased: %v", err)
	}
}

// After a run is over, in one process, another may take the credential.
func TestALeaseIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*process, *executor.Job) (*executor.Result, diag.Diagnostics){
		"apply": func(p *process, j *executor.Job) (*executor.Result, diag.Diagnostics) {
			return p.x.Apply(p.ctx, p.soft, j)
		},
		"resume": func(p *process, j *executor.Job) (*executor.Result, diag.Diagnostics) {
			return p.x.Resume(p.ctx, p.soft, j)
		},
	} {
		e := start(t, setup{})
		e.plan()
		if name == "resume" {
			e.w.fail(fault{op: "Put", kind: crash})
			e.apply()
		}
		e.work(func(p *process, j *executor.Job) (*executor.Result, diag.Diagnostics) {
			res, diags := do(p, j)
			other := e.process()
			defer other.close()
			if _, err := other.journal.Acquire(other.ctx, "run-2", "bob", []journal.Key{{Name: "mem-1 mem_password a"}}); err != nil {
				t.Errorf("%s: it is still leased: %v", name, err)
			}
			return res, diags
		}, nil)
	}
}

// Two addresses of one credential at the target, by two provider blocks of which only the
// target can tell that they lead to one, are one lease, and what the first one did is seen
// by the second.
func TestTwoAddressesOfOneCredential(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true, stores: []string{}})
	e.declare("notifier \"mem\" \"soc\" {}", "provider \"mem\" \"alias\" { environment = \"test\" }\nnotifier \"mem\" \"soc\" {}")
	e.declare("provider = mem.main\n name = \"b\"", "provider = mem.alias\n name = \"a\"")
	e.plan()
	var keys []journal.Key
	out := e.apply(func(p *process, _ *executor.Job) { p.x.Journal = &counting{p.x.Journal, &keys} })
	if len(keys) != 1 {
		t.Errorf("leased %v", keys)
	}
	if a, b := out.reset(t, 0), out.reset(t, 1); a.Outcome != executor.Finished || b.Outcome != executor.Refused {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// counting keeps what is leased.
type counting struct {
	journal.Journal
	keys *[]journal.Key
}

func (c *counting) Acquire(ctx context.Context, run, holder string, keys []journal.Key) ([]journal.Lease, error) {
	*c.keys = append(*c.keys, keys...)
	return c.Journal.Acquire(ctx, run, holder, keys)
}

// A job that was made without a look at the state is not behind it.
func TestAJobThatKnowsNothing(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	late := e.file
	e.plan()
	e.run = "run-2"
	if out := e.apply(); out.Exit() != diag.ExitOK {
		t.Fatalf("%+v", out.reset(t, 0))
	}
	e.run, e.file = "run-1", late
	if r := e.apply(func(_ *process, j *executor.Job) { j.Generations = nil }).reset(t, 0); r.Outcome != executor.Refused {
		t.Errorf("%+v", r)
	}
}

// A run that the state does not know is not resumed.
func TestAnUnknownRunIsNotResumed(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	out := e.resume()
	if out.Result != nil || out.diags.Exit() != diag.ExitUnfinished || !strings.Contains(out.diags.Err().Error(), "The run cannot be read") {
		t.Errorf("%+v, %v", out.Result, out.diags.Err())
	}
	e.untouched(t)
}

// Who was verified for a resume is in its evidence, and the run keeps the document.
func TestVerificationsOfAResumeAreKept(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Check", kind: crash})
	e.apply()
	doc := gate.Document{Name: "v.json", Content: []byte(`{"who":"carol"}`)}
	if out := e.resume(agreed, func(_ *process, j *executor.Job) {
		j.KeptVerifications, j.Kept = []gate.Document{doc}, []gate.Document{{Name: "alice.approval.json", Content: []byte(`{"from":"alice"}`)}}
	}); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
	kept := look(e, func(j journal.Journal) []gate.Document {
		_, list, err := executor.Kept(context.Background(), j, e.run)
		if err != nil {
			t.Fatal(err)
		}
		return list
	})
	if diff := cmp.Diff([]gate.Document{doc}, kept); diff != "" {
		t.Error(diff)
	}
	resumed := ""
	for _, line := range e.w.filed {
		if strings.Contains(line, `"event":"resumed"`) {
			resumed = line
		}
	}
	if !strings.Contains(resumed, "oidc.corp") || !strings.Contains(e.evidence(), `"event":"verification"`) || strings.Contains(e.evidence(), `"who"`) ||
		!strings.Contains(e.evidence(), `"approval":{"from":"alice"}`) {
		t.Errorf("evidence: %s", e.evidence())
	}
}

// A reset of the plan about which nobody says anything stays open.
func TestAResetThatNobodySpeaksOf(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.plan()
	out := e.apply(func(_ *process, j *executor.Job) { j.Resets = j.Resets[:1] })
	a, b := out.reset(t, 0), out.reset(t, 1)
	if a.Outcome != executor.Finished || b.Address != "credential.mem_password.b" || b.Outcome != executor.NotStarted || !b.Open || out.Closed || e.closed() {
		t.Errorf("%+v\n%+v, closed %v", a, b, out.Closed)
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.Resets)
	}
}

// Where what is sealed cannot be read, the run is not closed: its key would stay.
func TestWhatIsSealedCannotBeRead(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	out := e.apply(func(p *process, _ *executor.Job) {
		p.x.Journal = &faulty{Journal: p.x.Journal, secrets: errors.New("the disk is gone")}
	})
	if out.Closed || e.closed() || out.Error != "the disk is gone" || out.Exit() != diag.ExitUnfinished {
		t.Errorf("closed %v, %q, exit %d", out.Closed, out.Error, out.Exit())
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// A run that is lost at a write may have been changed by who took it over.
func TestLostAtAWrite(t *testing.T) {
	t.Parallel()
	for n := 2; n < 5; n++ {
		e := start(t, setup{})
		e.plan()
		out := e.apply(func(p *process, _ *executor.Job) { p.x.Journal = &faulty{Journal: p.x.Journal, appends: n} })
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Changed || !r.Open || out.Exit() != diag.ExitUnfinished {
			t.Errorf("%d: %+v, exit %d", n, r, out.Exit())
		}
	}
}

// blind seals and cannot open.
type blind struct{ sealer }

func (blind) Unseal(_, name string, _ []byte) (secret.Material, error) {
	return secret.Material{}, errors.New("no key opens " + name)
}

// A sealed secret that does not open is not made up, wherever it is needed.
func TestASealedSecretThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Set", "Put"} {
		e := start(t, setup{})
		e.w.fail(fault{op: op, kind: crash})
		e.apply()
		sets := e.w.count("Set")
		out := e.resume(func(p *process, _ *executor.Job) { p.x.Seal = blind{sealer{p}} })
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || r.Error != "no key opens issue.it" || e.w.count("Set") != sets {
			t.Errorf("%s: %+v", op, r)
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", op, out.reset(t, 0))
		}
	}
}

// A new secret that is gone is missed at every step that needs it.
func TestANewSecretThatIsGone(t *testing.T) {
	t.Parallel()
	const gone = "the secret sealed under issue.it cannot be read from the state"
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Probe", skip: 1, kind: permanent})
	e.apply()
	e.erase("issue.it")
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || r.Step != "confirm.it" || !strings.Contains(r.Error, gone) {
		t.Errorf("before it was confirmed: %+v", r)
	}
	e = start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.erase("issue.it")
	probes := e.w.count("Probe")
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || r.Step != `distribute.it["mem.value"]` || !strings.Contains(r.Error, gone) || e.w.count("Probe") != probes {
		t.Errorf("after it was confirmed: %+v, %d probes", r, e.w.count("Probe")-probes)
	}
	d := doubts()["a login that gives no answer"]
	d.s.stores, d.skip = []string{}, 0
	e, c := d.into(t, true)
	c.answer("alice", event.AnswerDone, false)
	d.over(e)
	e.erase("issue.it")
	if r := e.resume(c.real).reset(t, 0); r.Outcome != executor.Halted || r.Step != "prove.dead" || !strings.Contains(r.Error, gone) {
		t.Errorf("after it was asserted: %+v", r)
	}
}

// Of what stops a reset, a step that may be passed over is not passed over: what the
// journal does not take, and what is not ours any more.
func TestWhatIsNotPassedOver(t *testing.T) {
	t.Parallel()
	s := setup{consumers: 2, steps: map[string]string{"reload": `on_failure = "continue"`}}
	e := start(t, s)
	e.plan()
	e.w.fail(somebody("Put", 0, func(w *world) { w.fail(fault{op: "append", kind: permanent, times: 1000}) }))
	if r := e.apply().reset(t, 0); r.Step != "" || !strings.Contains(r.Error, "the state cannot be written") || e.w.count("Reload")+e.w.count("EndSessions") > 0 {
		t.Errorf("%+v, %d reloads", r, e.w.count("Reload"))
	}
	e = start(t, s)
	e.plan()
	e.w.fail(fault{op: "Reload", kind: crash})
	e.apply()
	e.w.account("a").versions = nil
	e.w.add(e.w.account("a"), "", theirs)
	ended := e.w.count("EndSessions")
	if r := e.resume().reset(t, 0); r.Outcome != executor.Superseded || r.Step != `reload.it["mem.c0"]` || e.w.count("Reload") != 1 || e.w.count("EndSessions") != ended {
		t.Errorf("%+v, %d reloads", r, e.w.count("Reload"))
	}
}

// Gates that stay shut before a step that was not begun, in a run that another one
// overtook, after it had changed something.
func TestOvertakenBeforeRevoke(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", rego: strings.Replace(denyEnd, "r.result.final", "not r.result.final", 1)})
	if r := e.apply().reset(t, 0); r.Step != "revoke.old" {
		t.Fatalf("%+v", r)
	}
	out := e.resume(held, func(_ *process, j *executor.Job) { j.Generations[e.file.Plan.Resets[0].Address] = 1 })
	if r := out.reset(t, 0); r.Outcome != executor.Superseded || r.Step != "revoke.old" || !out.Closed {
		t.Errorf("%+v, closed %v", r, out.Closed)
	}
}

// An interruption while nothing is begun yet, but looked at, leaves it to a resume.
func TestAnInterruptionBeforeTheFirstEffect(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Inspect", "Probe", "Check"} {
		e := start(t, setup{})
		e.plan()
		e.w.fail(somebody(op, 0, func(*world) { e.last.halt() }))
		out := e.apply()
		if r := out.reset(t, 0); r.Outcome != executor.Halted || !r.Open || r.Changed || r.Question != nil || out.Closed || len(e.w.notices) > 0 {
			t.Errorf("%s: %+v, %d notices", op, r, len(e.w.notices))
		}
		e.untouched(t)
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: resumed: %+v", op, out.reset(t, 0))
		}
	}
}

// after calls do once, a moment after an event.
type after struct {
	event.Sink
	typ event.Type
	do  func()
}

// Emit passes it on.
func (a *after) Emit(x event.Event) {
	a.Sink.Emit(x)
	if x.Type == a.typ && a.do != nil {
		time.AfterFunc(5*time.Millisecond, a.do)
		a.do = nil
	}
}

// Who stops a run while it waits to try again has stopped it.
func TestAStopWhileWaiting(t *testing.T) {
	t.Parallel()
	e := start(t, setup{retry: ptr("retry {\n attempts = 3\n delay = \"1h\"\n }\n")})
	e.plan()
	e.w.fail(fault{op: "Set", kind: transient, times: 3})
	out := e.apply(func(p *process, _ *executor.Job) { p.x.Events = &after{p.x.Events, event.StepFailed, p.halt} })
	if r := out.reset(t, 0); r.Error != "Set failed (transient)" || e.w.count("Set") != 1 {
		t.Errorf("%+v, set %d times", r, e.w.count("Set"))
	}
}

// Who stops a run at once has stopped it, though nobody stopped it softly before; and
// who stopped it softly, though the next attempt was due.
func TestNoAttemptAfterAStop(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Put", kind: transient, before: func(*world) { e.last.kill() }})
	e.work(func(p *process, j *executor.Job) (*executor.Result, diag.Diagnostics) {
		return p.x.Apply(p.ctx, context.Background(), j)
	}, nil)
	if n := len(of(e.records(), "distribute")); n != 2 {
		t.Errorf("stopped at once: %v", e.records())
	}
	for range 8 {
		e := start(t, setup{retry: ptr("retry {\n attempts = 3\n delay = \"1ns\"\n }\n")})
		e.plan()
		e.w.fail(fault{op: "Put", kind: transient, before: func(*world) { e.last.halt() }})
		if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || e.w.count("Put") != 1 {
			t.Errorf("stopped softly: %+v, put %d times", r, e.w.count("Put"))
		}
	}
}
