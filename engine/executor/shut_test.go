package executor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// shut is a process that cannot open what the run has sealed, nor seal more.
func shut(p *process, j *executor.Job) {
	p.x.Seal, j.Unopened = shutSealer{}, errShut
	p.x.Parallelism = 1
}

var errShut = errors.New("no identity here opens it")

type shutSealer struct{}

// Seal fails.
func (shutSealer) Seal(string, string, secret.Material) ([]byte, error) { return nil, errShut }

// Unseal fails.
func (shutSealer) Unseal(string, string, []byte) (secret.Material, error) {
	return secret.Material{}, errShut
}

// With a seal that opens nowhere a run still comes to an end, wherever it was
// interrupted: it halts with its question, and closes when it is given up. No new
// secret is made that nobody could ever read.
func TestALostSeal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		for _, effect := range []bool{false, true} {
			e := start(t, s)
			c := newCourt(e)
			e.plan()
			op, _ := firstEffect(s)
			e.w.fail(fault{op: op, kind: crash, effect: effect})
			e.apply(c.real)
			made := e.w.count("Mint") + e.w.count("Set")
			out := e.resume(c.real, shut)
			r := out.reset(t, 0)
			if n := e.w.count("Mint") + e.w.count("Set") - made; n > 0 {
				t.Errorf("%d new secrets were set", n)
			}
			if r.Outcome != executor.Halted || !r.Open || r.Question == nil || !strings.Contains(r.Error, errShut.Error()) || out.Exit() != diag.ExitUnfinished {
				t.Fatalf("%+v, exit %d", r, out.Exit())
			}
			c.answer("alice", event.AnswerNotDone, true)
			out = e.resume(c.real, shut)
			if r := out.reset(t, 0); r.Outcome != executor.Abandoned || r.Open || !out.Closed || out.Exit() != diag.ExitUnfinished {
				t.Fatalf("given up: %+v, exit %d", r, out.Exit())
			}
			c.sound(1)
		}
	})
}

// A reset that another run overtook needs no secret to end.
func TestALostSealOfAnOvertakenRun(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		e.plan()
		op, _ := firstEffect(s)
		e.w.fail(fault{op: op, kind: crash, effect: true})
		e.apply()
		out := e.resume(shut, func(_ *process, j *executor.Job) { j.Generations[j.File.Plan.Resets[0].Address] = 1 })
		if r := out.reset(t, 0); r.Outcome != executor.Superseded || r.Open || !out.Closed {
			t.Errorf("%+v", r)
		}
	})
}

// A reset that was not begun waits while the run waits for its seal, and is begun by
// whoever has it; where nothing else waits, it ends, and the run with it.
func TestWhatIsNotBegunUnderALostSeal(t *testing.T) {
	t.Parallel()
	interrupted := func(t *testing.T) (*env, *court) {
		e := start(t, setup{two: true, apart: true})
		c := newCourt(e)
		e.plan()
		e.w.fail(fault{op: "Set", kind: crash})
		e.apply(c.real, func(p *process, _ *executor.Job) { p.x.Parallelism = 1 })
		out := e.resume(c.real, shut)
		if a, b := out.reset(t, 0), out.reset(t, 1); a.Outcome != executor.Halted || b.Outcome != executor.NotStarted || !b.Open || !strings.Contains(b.Error, errShut.Error()) || out.Closed {
			t.Fatalf("%+v\n%+v", a, b)
		}
		return e, c
	}
	e, c := interrupted(t)
	if out := e.resume(c.real); out.Exit() != diag.ExitOK {
		t.Errorf("with the seal: %+v", out.Resets)
	}
	c.sound(0)

	e, c = interrupted(t)
	c.answer("alice", event.AnswerNotDone, true)
	out := e.resume(c.real, shut)
	if a, b := out.reset(t, 0), out.reset(t, 1); a.Outcome != executor.Abandoned || b.Outcome != executor.Failed || b.Changed || b.Open || !strings.Contains(b.Error, "Plan a reset of it again") || !out.Closed {
		t.Errorf("%+v\n%+v", a, b)
	}
	if n := e.w.live("b"); !e.w.works("b", "OLD") || n != 1 {
		t.Errorf("the second was changed: %d versions", n)
	}
	if slices.ContainsFunc(e.w.notices, func(n provider.Notice) bool { return strings.HasSuffix(n.Address, ".b") }) {
		t.Errorf("notices %v", e.w.notices)
	}
	c.sound(1)
}
