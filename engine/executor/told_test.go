package executor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
)

// glass is a job that broke it.
func glass(p *process, j *executor.Job) {
	j.BreakGlass = &executor.BreakGlass{
		Document: gate.Document{Name: "g.json", Content: []byte(`{"g":1}`)}, Member: "ann", Reason: "on fire", Due: p.e.w.now().Add(time.Hour), Notify: []string{"soc@example.com"},
	}
}

// alarms are how often people were told that the glass was broken.
func (e *env) alarms() int {
	n := 0
	for _, x := range e.w.notices {
		if x.Kind == "break_glass" {
			n++
		}
	}
	return n
}

// onlyTold says that nothing was changed outside, whoever was told.
func (e *env) onlyTold(t *testing.T) {
	t.Helper()
	if slices.ContainsFunc(e.w.calls, func(c string) bool { return c != "Send" && slices.Contains(effects, c) }) {
		t.Errorf("%v", e.w.calls)
	}
}

// Who breaks the glass is told of before anything is changed, and once over all
// processes of a run.
func TestTheAlarmComesFirst(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Set", kind: crash})
	e.apply(glass)
	if send, set := slices.Index(e.w.calls, "Send"), slices.Index(e.w.calls, "Set"); e.alarms() != 1 || send < 0 || set < send {
		t.Errorf("told %d times: %v", e.alarms(), e.w.calls)
	}
	if out := e.resume(glass); out.Exit() != diag.ExitOK || e.alarms() != 1 {
		t.Errorf("exit %d, told %d times", out.Exit(), e.alarms())
	}
}

// A process that died before it had told goes on by telling.
func TestTheAlarmIsMadeUpFor(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Send", kind: crash})
	e.apply(glass)
	e.onlyTold(t)
	if out := e.resume(glass); out.Exit() != diag.ExitOK || e.alarms() != 1 {
		t.Errorf("exit %d, told %d times", out.Exit(), e.alarms())
	}
	if send, set := slices.Index(e.w.calls, "Send"), slices.Index(e.w.calls, "Set"); set < send {
		t.Errorf("%v", e.w.calls)
	}
}

// A run whose beginning cannot be written down tells nobody, and one whose alarm
// cannot be written down changes nothing.
func TestAnAlarmThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for skip := range 2 {
		e := start(t, setup{})
		e.plan()
		e.w.fail(fault{op: "append", kind: permanent, skip: skip})
		if out := e.apply(glass); out.Result != nil || !strings.Contains(out.diags.Err().Error(), "the disk is full. Nothing was changed") || e.alarms() != skip {
			t.Errorf("apply, %d: %+v, told %d times", skip, out.diags, e.alarms())
		}
		e.onlyTold(t)

		e = start(t, setup{})
		e.plan()
		e.w.fail(fault{op: "Send", kind: crash})
		e.apply(glass)
		e.w.fail(fault{op: "append", kind: permanent, skip: skip})
		if out := e.resume(glass); out.Result != nil || out.diags.Exit() != diag.ExitUnfinished || e.alarms() != skip {
			t.Errorf("resume, %d: %+v, told %d times", skip, out.diags, e.alarms())
		}
		e.onlyTold(t)
		if out := e.resume(glass); out.Exit() != diag.ExitOK || e.alarms() != skip+1 {
			t.Errorf("resumed, %d: exit %d, told %d times", skip, out.Exit(), e.alarms())
		}
	}
}
