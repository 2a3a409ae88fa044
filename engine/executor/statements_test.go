package executor

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// doc is a signed document of which only the name matters.
func doc(name string) gate.Document {
	return gate.Document{Name: name, Content: []byte(`{"is":"` + name + `"}`)}
}

// signed is that document in evidence.
func signed(name string) json.RawMessage { return json.RawMessage(`{"is":"` + name + `"}`) }

// The first records of a run say who opened it, under which decisions, and what it
// rests on.
func TestWhatARunBeginsWith(t *testing.T) {
	t.Parallel()
	for _, broken := range []bool{false, true} {
		b := &book{}
		r, _ := booked(b, "credential.t.a", "credential.t.b")
		r.job.Facts = map[string]string{"ci": "none"}
		r.job.Judged, r.job.JudgedAgain = []plan.Judgement{{ID: "first"}}, []plan.Judgement{{ID: "again"}}
		r.job.File.Plan.Requirements, r.job.File.Plan.Decisions = plan.Requirements{Strength: "aal2"}, []plan.Decision{{Rule: "d"}}
		r.job.Gate.Approvals = []gate.Approval{{Document: doc("a")}}
		r.job.Gate.Lifting.Overrides = []gate.Override{{Document: doc("o")}}
		want := []evidence.Run{
			{Event: "opened", Facts: r.job.Facts, Addresses: []string{"credential.t.a", "credential.t.b"}},
			{Event: "decisions", Requirements: &plan.Requirements{Strength: "aal2"}, Decisions: []plan.Decision{{Rule: "d"}}, Judged: []plan.Judgement{{ID: "first"}, {ID: "again"}}},
			{Event: "approval", Approval: signed("a")},
		}
		if broken {
			r.job.BreakGlass = &BreakGlass{Document: doc("g"), Due: noon}
			want = append(want, evidence.Run{Event: "break_glass", BreakGlass: signed("g"), ReviewDue: noon})
		}
		want = append(want, evidence.Run{Event: "override", Override: signed("o")})
		for i := range want {
			want[i].Sequence = i + 1
		}
		if err := r.opened(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.lines()); diff != "" {
			t.Errorf("broken %v (-want +got):\n%s", broken, diff)
		}
		if len(b.filed) != len(want) || r.total != len(want) || b.entries()[0].Facts[trustFact] != "sha256:base" {
			t.Errorf("filed %v, %d lines, %+v", b.filed, r.total, b.entries()[0])
		}
		b.unwritten = errGone
		if err := r.opened(t.Context()); !errors.Is(err, errGone) {
			t.Error(err)
		}
	}
}

// A resume writes down who went on and what was given to it, and the run keeps that.
func TestWhatAResumeWritesDown(t *testing.T) {
	t.Parallel()
	b := &book{}
	r, _ := booked(b, "credential.t.a")
	r.total = 4
	r.job.Gate.Told, r.job.JudgedAgain = map[string]string{"use": "told"}, []plan.Judgement{{ID: "again"}}
	r.job.KeptVerifications, r.job.Kept = []gate.Document{doc("v")}, []gate.Document{doc("a")}
	r.job.KeptBreakGlass, r.job.KeptOverrides = []gate.Document{doc("g")}, []gate.Document{doc("o")}
	r.job.BreakGlass = &BreakGlass{Due: noon}
	if err := r.goOn(t.Context(), r.job.Gate.Told); err != nil {
		t.Fatal(err)
	}
	want := []evidence.Run{
		{Event: "resumed", Facts: r.job.Gate.Told, Judged: r.job.JudgedAgain}, {Event: "verification"}, {Event: "approval", Approval: signed("a")},
		{Event: "break_glass", BreakGlass: signed("g"), ReviewDue: noon}, {Event: "override", Override: signed("o")},
	}
	for i := range want {
		want[i].Sequence = i + 5
	}
	if diff := cmp.Diff(want, b.lines()); diff != "" || len(b.filed) != 5 || r.total != 9 {
		t.Errorf("filed %v, %d lines (-want +got):\n%s", b.filed, r.total, diff)
	}
	approvals, verifications, err := Kept(t.Context(), b, "run-1")
	if diff := cmp.Diff([][]gate.Document{{doc("a")}, {doc("v")}}, [][]gate.Document{approvals, verifications}); diff != "" || err != nil {
		t.Errorf("%v, kept (-want +got):\n%s", err, diff)
	}
	for name, tc := range map[string]struct {
		read func(context.Context, journal.Journal, string) ([]gate.Document, error)
		want gate.Document
	}{"break-glass": {KeptBreakGlass, doc("g")}, "overrides": {KeptOverrides, doc("o")}} {
		got, err := tc.read(t.Context(), b, "run-1")
		if diff := cmp.Diff([]gate.Document{tc.want}, got); diff != "" || err != nil {
			t.Errorf("%s: %v, kept (-want +got):\n%s", name, err, diff)
		}
	}
}

// What cannot be read is not taken for nothing.
func TestStatementsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(journal.Journal) (any, error){
		"approvals": func(j journal.Journal) (any, error) { a, _, err := Kept(t.Context(), j, "run-1"); return len(a), err },
		"break-glass": func(j journal.Journal) (any, error) {
			a, err := KeptBreakGlass(t.Context(), j, "run-1")
			return len(a), err
		},
		"overrides": func(j journal.Journal) (any, error) {
			a, err := KeptOverrides(t.Context(), j, "run-1")
			return len(a), err
		},
		"voided": func(j journal.Journal) (any, error) {
			why, err := Voided(t.Context(), j, "run-1")
			return len(why), err
		},
	} {
		b := kept([2]string{"note", `{"approval":{},"break_glass":{},"override":{}}`})
		b.unreadable = errGone
		if got, err := read(b); !errors.Is(err, errGone) || got != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		const want = "journal record 2 of run run-1 is damaged"
		if got, err := read(kept([2]string{"note", `{"approval":{},"break_glass":{},"override":{}}`}, [2]string{"ended", "[]"})); err == nil || err.Error() != want || got != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A process that goes on knows what the ones before it told, and how far they wrote.
func TestWhatAnEarlierProcessTold(t *testing.T) {
	t.Parallel()
	opened, told := [2]string{"note", `{"sequence":1,"facts":{"event":"opened"}}`}, [2]string{"note", `{"sequence":2,"facts":{"event":"told"}}`}
	for _, tc := range []struct {
		records [][2]string
		told    bool
	}{
		{nil, false}, {[][2]string{opened}, false}, {[][2]string{told}, true}, {[][2]string{opened, told}, true}, {[][2]string{told, opened}, true},
	} {
		r, _ := booked(kept(tc.records...))
		if _, err := r.histories(t.Context()); err != nil || r.told != tc.told || r.total != len(tc.records) {
			t.Errorf("%v: told %v, %d lines, %v", tc.records, r.told, r.total, err)
		}
	}
}
