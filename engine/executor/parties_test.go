package executor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
)

// parties are those of the run, as its journal tells.
func (e *env) parties() executor.Parties {
	return look(e, func(j journal.Journal) executor.Parties {
		run, err := j.Run(context.Background(), e.run)
		if err != nil {
			e.t.Fatal(err)
		}
		out, err := executor.PartiesOf(context.Background(), j, run)
		if err != nil {
			e.t.Fatal(err)
		}
		return out
	})
}

// by makes a job somebody's, under a change that others wrote.
func by(operator string, also, authors, openedBy []string) func(*process, *executor.Job) {
	return func(_ *process, j *executor.Job) {
		j.Operator, j.OperatorNames, j.Authors, j.OpenedBy = operator, also, authors, openedBy
	}
}

type beginning struct {
	Event, Operator        string
	OperatorNames, Authors []string
}

// beginnings are the records in evidence that say whose the run is.
func (e *env) beginnings() []beginning {
	var out []beginning
	for _, l := range e.ofRun(e.run) {
		if l.Event == "opened" || l.Event == "resumed" {
			out = append(out, beginning{l.Event, l.Operator, l.OperatorNames, l.Authors})
		} else if l.OperatorNames != nil || l.Authors != nil {
			e.t.Errorf("%s says whose the run is", l.Event)
		}
	}
	return out
}

// All names of whoever ran a part of a run, and of who wrote its change, stay with it.
func TestParties(t *testing.T) {
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Inspect", kind: crash})
	if out := e.apply(by("github:ann", []string{"runner", "github:bob"}, []string{"zoe@example.com"}, nil)); !out.died {
		t.Fatal("it lives")
	}
	out := e.resume(by("carl", []string{"root", "runner"}, []string{"zoe@example.com", "yan@example.com"}, []string{"github:ann"}))
	if !out.Closed {
		t.Fatalf("%+v", out)
	}
	want := executor.Parties{Operators: []string{"github:ann", "runner", "github:bob", "carl", "root"}, Authors: []string{"zoe@example.com", "yan@example.com"}}
	if diff := cmp.Diff(want, e.parties()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]beginning{
		{"opened", "github:ann", []string{"runner", "github:bob"}, []string{"zoe@example.com"}},
		{"resumed", "carl", []string{"root", "runner"}, []string{"zoe@example.com", "yan@example.com"}},
	}, e.beginnings()); diff != "" {
		t.Error(diff)
	}
}

// Where the process that opened a run ended before it could say who it was, the resume
// says so as well: evidence must not know less than the state.
func TestPartiesOfARunWithoutRecords(t *testing.T) {
	e := start(t, setup{})
	e.plan()
	var doc bytes.Buffer
	if err := e.file.Write(&doc); err != nil {
		t.Fatal(err)
	}
	err := look(e, func(j journal.Journal) error {
		return j.Open(context.Background(), journal.Run{
			ID: e.run, PlanID: e.file.ID, PlanDigest: e.file.Digest, Operator: "ann", OpenedAt: e.w.now(), Plan: doc.Bytes(), Meta: json.RawMessage("{}"),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if out := e.resume(by("carl", []string{"root"}, nil, []string{"ann", "github:ann"})); !out.Closed {
		t.Fatalf("%+v", out)
	}
	if diff := cmp.Diff([]beginning{{"opened", "carl", []string{"root", "ann", "github:ann"}, nil}}, e.beginnings()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ann", "carl", "root", "github:ann"}, e.parties().Operators); diff != "" {
		t.Error(diff)
	}
}
