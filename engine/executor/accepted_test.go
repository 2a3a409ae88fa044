package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// ofRun are the lines of a run's own evidence, in the order in which they were filed.
func (e *env) ofRun(run string) []evidence.Run {
	e.t.Helper()
	var out []evidence.Run
	for _, id := range e.w.order {
		var r evidence.Run
		if err := json.Unmarshal([]byte(e.w.filed[id]), &r); err != nil {
			e.t.Fatal(err)
		}
		if r.Event != "" && r.Run == run {
			out = append(out, r)
		}
	}
	return out
}

// told is what a line of a run's own evidence says that is not the same in all.
type told struct {
	Event, Outcome string
	Facts          map[string]string
	Approval       string
	Sequence       int
	Total          int
}

func tell(lines []evidence.Run) []told {
	var out []told
	for _, l := range lines {
		out = append(out, told{l.Event, l.Outcome, l.Facts, string(l.Approval), l.Sequence, l.Total})
	}
	return out
}

// trusting is a job that asks the state to take another trust base for its own.
func (e *env) trusting(p *process) *executor.Job {
	file := *e.file
	file.Plan.TrustDigest = "sha256:old"
	file.Plan.TrustChange = &plan.TrustChange{To: "sha256:new", Changes: []string{"alice is out", "bob is in"}}
	j := p.job()
	j.File, j.Resets, j.Facts = &file, nil, map[string]string{"ci": "none"}
	for _, who := range []string{"alice", "bob"} {
		j.Gate.Approvals = append(j.Gate.Approvals, gate.Approval{
			Approver: config.Approver{Name: who}, Document: gate.Document{Name: who, Content: fmt.Appendf(nil, `{"from":%q}`, who)},
		})
	}
	return j
}

// accepted is what evidence says of another trust base that was accepted.
var accepted = []told{
	{Event: "opened", Facts: map[string]string{"ci": "none"}, Sequence: 1},
	{Event: "approval", Approval: `{"from":"alice"}`, Sequence: 2},
	{Event: "approval", Approval: `{"from":"bob"}`, Sequence: 3},
	{Event: "trust", Outcome: "accepted", Sequence: 4, Facts: map[string]string{
		"from": "sha256:old", "to": "sha256:new", "changes": "alice is out\nbob is in",
	}},
	{Event: "closed", Outcome: "trust accepted", Sequence: 5, Total: 5},
}

// remembered is what the state knows of its judges.
func (e *env) remembered() (digest, run string) {
	e.t.Helper()
	return look(e, func(j journal.Journal) string {
		d, r, err := executor.Remembered(context.Background(), j)
		if err != nil {
			e.t.Fatal(err)
		}
		run = r
		return d
	}), run
}

// Another trust base is the state's once it was accepted, and evidence says who
// agreed to what.
func TestTrustIsAccepted(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	if digest, run := e.remembered(); digest != "" || run != "" {
		t.Errorf("a state that knows no judges remembers %q of %q", digest, run)
	}
	p := e.process()
	defer p.close()
	job := e.trusting(p)
	if err := p.x.AcceptTrust(p.ctx, job); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accepted, tell(e.ofRun(e.run))); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	r, err := p.journal.Run(p.ctx, e.run)
	if err != nil {
		t.Fatal(err)
	}
	if r.PlanID != "trust/"+e.file.ID || r.PlanDigest != e.file.Digest || r.Operator != "op" || !json.Valid(r.Plan) || r.ClosedAt.IsZero() || r.Outcome != "trust accepted" {
		t.Errorf("%+v", r)
	}
	if digest, run := e.remembered(); digest != "sha256:new" || run != e.run {
		t.Errorf("remembered %q of %q", digest, run)
	}
	// Its plan is spent: an agreement counts once.
	job.Run = "run-2"
	if err := p.x.AcceptTrust(p.ctx, job); !errors.Is(err, journal.ErrSpent) {
		t.Errorf("accepted twice: %v", err)
	}
}

// Whatever interrupts the acceptance, it is not called accepted before all of it is
// evidenced, and it is finished later.
func TestAnInterruptedAcceptanceIsFinished(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		{op: "open", kind: permanent}, {op: "open", kind: crash, effect: true}, {op: "append", kind: permanent}, {op: "append", kind: crash, effect: true},
		{op: "sign", kind: permanent}, {op: "sign", kind: permanent, skip: 4}, {op: "file", kind: permanent}, {op: "append filed", kind: permanent},
	} {
		t.Run(fmt.Sprint(f.op, f.kind, f.skip, f.effect), func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{})
			e.plan()
			p := e.process()
			e.w.fail(f)
			if err := p.x.AcceptTrust(p.ctx, e.trusting(p)); err == nil {
				t.Error("nothing went wrong")
			}
			p.close()
			p = e.process()
			defer p.close()
			var err error
			switch {
			case e.closed():
				err = p.x.FileEvidence(p.ctx)
			case f.op == "open" && !f.effect:
				err = p.x.AcceptTrust(p.ctx, e.trusting(p))
			default:
				err = p.x.FinishTrust(p.ctx, e.trusting(p))
			}
			if err != nil || !e.closed() {
				t.Errorf("%v, closed %v", err, e.closed())
			}
			if diff := cmp.Diff(accepted, tell(e.ofRun(e.run))); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
			if digest, _ := e.remembered(); digest != "sha256:new" {
				t.Errorf("remembered %q", digest)
			}
		})
	}
}

// The state knows its judges from the newest run that says whose they were. A run
// that was denied teaches it nothing, since it could name any, and a review neither.
func TestWhoseJudgesAreRemembered(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.file.Plan.TrustDigest = "sha256:first"
	if out := e.apply(); out.Result == nil {
		t.Fatal(out.diags.Err())
	}
	p := e.process()
	defer p.close()
	job := p.job()
	other := *e.file
	other.Plan.TrustDigest = "sha256:strangers"
	job.File, job.Run = &other, "run-2"
	if err := p.x.Deny(p.ctx, job, []string{"no"}); err != nil {
		t.Fatal(err)
	}
	if digest, run := e.remembered(); digest != "sha256:first" || run != "run-1" {
		t.Errorf("after a denial: %q of %q", digest, run)
	}
	job.Run = "run-2b"
	if err := p.x.Review(p.ctx, job, "run-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if digest, run := e.remembered(); digest != "sha256:first" || run != "run-1" {
		t.Errorf("after a review: %q of %q", digest, run)
	}
	open := func(run string) {
		e.w.clock = e.w.clock.Add(1000000)
		if err := p.journal.Open(p.ctx, journal.Run{ID: run, PlanID: "of " + run, OpenedAt: e.w.now(), Plan: []byte("{}"), Meta: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	note := func(run, data string) {
		err := p.journal.Append(p.ctx, &journal.Batch{Records: []journal.Record{{Run: run, Kind: journal.Note, At: e.w.now(), Data: json.RawMessage(data)}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	open("run-3") // a crash came before it said anything
	open("run-4") // an older version, which did not write it down
	note("run-4", `{"facts":{"event":"opened"}}`)
	if digest, run := e.remembered(); digest != "sha256:first" || run != "run-1" {
		t.Errorf("after runs that do not say: %q of %q", digest, run)
	}
	open("run-5")
	note("run-5", `{"facts":{"event":"opened","trust":"sha256:second"}}`)
	note("run-5", `{"facts":{"event":"closed","trust":"sha256:late"}}`)
	if digest, run := e.remembered(); digest != "sha256:second" || run != "run-5" {
		t.Errorf("after another run: %q of %q", digest, run)
	}
	// What cannot be read is no state that knows nothing, and not an older answer.
	e.w.fail(fault{op: "records"})
	if digest, _, err := executor.Remembered(p.ctx, p.x.Journal); err == nil || !strings.Contains(err.Error(), "cannot be read") || digest != "" {
		t.Errorf("records that cannot be read: %q, %v", digest, err)
	}
	if digest, _, err := executor.Remembered(p.ctx, listless{p.journal}); !errors.Is(err, errListless) || digest != "" {
		t.Errorf("runs that cannot be listed: %q, %v", digest, err)
	}
	open("run-6")
	note("run-6", `[]`)
	if digest, _, err := executor.Remembered(p.ctx, p.journal); err == nil || !strings.Contains(err.Error(), "is damaged") || digest != "" {
		t.Errorf("a damaged record: %q, %v", digest, err)
	}
}

// listless is a journal whose runs cannot be listed.
type listless struct{ journal.Journal }

var errListless = errors.New("the runs cannot be listed")

// Runs fails.
func (listless) Runs(context.Context) ([]journal.Run, error) { return nil, errListless }
