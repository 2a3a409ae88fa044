package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/verify"
)

// base is where schemas say that they live.
const base = "https://remint.dev/schemas/"

// documented are the packages whose comments describe members.
var documented = []string{"engine/plan", "engine/event", "engine/evidence", "engine/policy", "engine/lifecycle", "engine/verify"}

// schemas adds the schema of every document, and the page of the policy input.
func schemas(files map[string][]byte) error {
	for name, v := range map[string]any{
		"plan": &plan.File{}, "events": &event.Event{}, "policy-input": &policy.Input{}, "decision": &policy.Record{},
		"evidence-run": &evidence.Run{}, "evidence-step": &evidence.Step{}, "evidence-reset": &evidence.Reset{}, "evidence-approval": &evidence.Approval{}, "evidence-resolution": &evidence.Resolution{},
		"evidence-override": &evidence.Override{}, "evidence-break-glass": &evidence.BreakGlass{}, "evidence-review": &evidence.Review{},
		"verification": &verify.Document{},
	} {
		r := &jsonschema.Reflector{Mapper: vocabulary, Anonymous: true}
		for _, dir := range documented {
			if err := r.AddGoComments("github.com/remint-dev/remint", "./"+dir); err != nil {
				return fmt.Errorf("the comments of %s cannot be read: %w", dir, err)
			}
		}
		for k, c := range r.CommentMap {
			r.CommentMap[k] = strings.Join(strings.Fields(c), " ")
		}
		s := r.Reflect(v)
		closeWords(s)
		s.ID = jsonschema.ID(base + name + ".schema.json")
		if name == "policy-input" {
			if err := errors.Join(exemplify(s), input(files, s)); err != nil {
				return err
			}
		}
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		files["schemas/"+name+".schema.json"] = append(b, '\n')
	}
	return nil
}

// vocabulary closes the vocabularies.
func vocabulary(t reflect.Type) *jsonschema.Schema {
	if s := policy.Words(t); s != nil {
		return s
	}
	switch t {
	case reflect.TypeFor[plan.Level]():
		return enum([]plan.Level{plan.Deny, plan.Overridden, plan.Warn})
	case reflect.TypeFor[event.Level]():
		return enum([]event.Level{event.Info, event.Warn, event.Error})
	case reflect.TypeFor[event.Type]():
		return enum([]event.Type{event.Version, event.Diagnostic, event.PlanProgress, event.RunOpened, event.ResetStarted, event.StepStarted,
			event.StepWaiting, event.StepCompleted, event.StepFailed, event.ResetFinished, event.RunClosed, event.Evidence, event.KeyUsed})
	}
	return nil
}

var proofs = []lifecycle.Proof{lifecycle.Tested, lifecycle.Reported, lifecycle.Unknown}

// words are the members that hold a word of the lifecycle as a plain string, as
// evidence and events do. They are absent where they say nothing.
var words = map[string]*jsonschema.Schema{
	"reason": enum(lifecycle.Reasons()), "mode": enum(lifecycle.Modes()), "phase": enum(lifecycle.Phases()),
	"requester_strength": enum(lifecycle.Strengths()), "proof": enum(proofs),
}

// closeWords closes the vocabularies that the types leave open.
func closeWords(s *jsonschema.Schema) {
	for _, d := range s.Definitions {
		for p := d.Properties.Oldest(); p != nil; p = p.Next() {
			if w := words[p.Key]; w != nil && p.Value.Type == "string" && p.Value.Enum == nil {
				p.Value.Enum = w.Enum
			}
		}
	}
}

func enum[T ~string](values []T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}
