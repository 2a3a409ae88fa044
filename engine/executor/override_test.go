package executor_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
)

// lifted is a job that an override opened.
func lifted(_ *process, j *executor.Job) {
	j.Gate.Lifting = gate.Lifting{
		Lifted:    []gate.Lifted{{}},
		Overrides: []gate.Override{{Approver: config.Approver{Name: "bob"}, Document: gate.Document{Name: "o.json", Content: json.RawMessage(`{"o":1}`)}}},
	}
}

// A denial by the result policies, which no override named, makes the overrides of
// the run worth nothing, and that stays known.
func TestAResultMakesOverridesVoid(t *testing.T) {
	t.Parallel()
	const denied = "denied by the result policies: no (house/a)"
	const void = "The override by bob (o.json) is void: house/a (the whole plan) denies too, and it does not name that."
	for name, tc := range map[string]struct {
		job         func(*process, *executor.Job)
		error, void string
	}{
		"an override":              {lifted, denied + ". " + void, void},
		"none":                     {func(*process, *executor.Job) {}, denied, ""},
		"one that lifted nothing":  {func(p *process, j *executor.Job) { lifted(p, j); j.Gate.Lifting.Lifted = nil }, denied, ""},
		"lifted, and by no person": {func(p *process, j *executor.Job) { lifted(p, j); j.Gate.Lifting.Overrides = nil }, denied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{rego: "package remint.result\ndeny contains {\"id\": \"a\", \"msg\": \"no\"} if true\n"})
			if r := e.apply(tc.job).reset(t, 0); r.Error != tc.error {
				t.Errorf("%q, want %q", r.Error, tc.error)
			}
			got := look(e, func(j journal.Journal) string {
				why, err := executor.Voided(context.Background(), j, e.run)
				if err != nil {
					t.Error(err)
				}
				return why
			})
			if got != tc.void {
				t.Errorf("%q, want %q", got, tc.void)
			}
			var lines []string
			for _, l := range e.ofRun(e.run) {
				if len(l.Override) > 0 {
					lines = append(lines, l.Event+" "+string(l.Override))
				}
			}
			if want := len(tc.void) > 0 || name == "one that lifted nothing"; (len(lines) == 1 && lines[0] == `override {"o":1}`) != want {
				t.Errorf("%v", lines)
			}
		})
	}
}

// What a resume was given is kept with the run, for the resumes after it.
func TestStatementsAreKept(t *testing.T) {
	t.Parallel()
	d := doubts()["a consumer's reply"]
	e, c := d.into(t, true)
	override, glass := gate.Document{Name: "o.json", Content: json.RawMessage(`{"o":1}`)}, gate.Document{Name: "g.json", Content: json.RawMessage(`{"g":1}`)}
	due := e.w.now().Add(time.Hour)
	e.resume(c.real, func(_ *process, j *executor.Job) {
		j.KeptOverrides, j.KeptBreakGlass = []gate.Document{override}, []gate.Document{glass}
		j.BreakGlass = &executor.BreakGlass{Document: glass, Member: "ann", Due: due}
	})
	for name, tc := range map[string]struct {
		kept func(context.Context, journal.Journal, string) ([]gate.Document, error)
		want gate.Document
	}{"overrides": {executor.KeptOverrides, override}, "break-glass": {executor.KeptBreakGlass, glass}} {
		got := look(e, func(j journal.Journal) []gate.Document {
			out, err := tc.kept(context.Background(), j, e.run)
			if err != nil {
				t.Error(err)
			}
			return out
		})
		if diff := cmp.Diff([]gate.Document{tc.want}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Only a closed review says which run it reviewed.
func TestReviewed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		run  journal.Run
		want string
	}{
		{journal.Run{PlanID: "review/r1", ClosedAt: time.Unix(1, 0)}, "r1"}, {journal.Run{PlanID: "review/r1"}, ""}, {journal.Run{PlanID: "r1", ClosedAt: time.Unix(1, 0)}, ""},
	} {
		if got := executor.Reviewed(tc.run); got != tc.want {
			t.Errorf("%+v: %q", tc.run, got)
		}
	}
}
