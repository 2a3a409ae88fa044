package schemas_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/schemas/schematest"
)

func TestDocumentsFitTheirSchemas(t *testing.T) {
	now := time.Unix(1e9, 0).UTC()
	file, err := plan.New(plan.Plan{Reason: "scheduled", Mode: "cutover", Trust: plan.SelfAsserted,
		Decisions: []plan.Decision{{Source: "builtin", Rule: "r", Level: plan.Warn}},
		Resets:    []plan.Reset{{Address: "credential.t.a", Kind: "in_place", Steps: []plan.Step{{Address: "issue.x", Phase: "issue"}}}},
	}, []plan.Seen{{Address: "credential.t.a", Sessions: -1, LastReset: &now}}, now)
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	if err := file.Write(&written); err != nil {
		t.Fatal(err)
	}
	documents := map[string][]any{
		"plan":                {json.RawMessage(written.Bytes())},
		"evidence-run":        {evidence.Run{Event: "opened", Reason: "scheduled", Mode: "cutover", RequesterStrength: "none", Requirements: &file.Plan.Requirements, Approval: json.RawMessage(`{"a":1}`), Resets: []evidence.ResetLink{{Address: "a"}}}},
		"evidence-step":       {evidence.Step{Phase: "prove", Outcome: "done", Proof: "tested", Probes: []evidence.Probe{{Subject: "old", At: now}}, Controls: []string{"c"}}},
		"evidence-reset":      {evidence.Reset{Outcome: "finished", Proof: "reported", Records: []evidence.RecordLink{}}},
		"evidence-approval":   {evidence.Approval{Decision: "approve", Targets: []string{"t"}}},
		"evidence-resolution": {evidence.Resolution{Run: "r", Answer: "done"}},
		"decision": {policy.Record{Labels: map[string]string{"app": "remint"}, Erased: []string{"/input"}, Metrics: map[string]int64{"t": 1}, Timestamp: now,
			Result: &policy.RecordResult{Decisions: []plan.Decision{}, Requirements: file.Plan.Requirements}, Custom: policy.RecordCustom{Reason: "scheduled", Mode: "cutover"}}},
		"policy-input": {policy.Input{Version: policy.InputVersion, Stage: policy.StageResult, Reason: "scheduled", Mode: "cutover", Now: &now, Requirements: &file.Plan.Requirements,
			Targets: policy.Targets{By: plan.ByDue, Addresses: []string{}, LeftOut: []policy.LeftOut{}},
			Trust:   plan.SelfAsserted, Verification: &policy.Verification{Strength: "none", Methods: []policy.VerificationMethod{}}, Resets: []policy.Reset{{Kind: "minted", Labels: map[string]string{}, Attributes: map[string]any{}, Stores: []string{},
				Consumers: []string{}, Phases: nil, Result: &policy.Result{Proof: "tested", Asserted: []string{}}, Observed: plan.Observed{Versions: []string{}}}}}},
	}
	for _, typ := range []event.Type{event.Version, event.Diagnostic, event.PlanProgress, event.RunOpened, event.ResetStarted, event.StepStarted,
		event.StepWaiting, event.StepCompleted, event.StepFailed, event.ResetFinished, event.RunClosed, event.Evidence, event.KeyUsed} {
		documents["events"] = append(documents["events"], event.Event{Type: typ, Level: event.Info, Message: "m", Timestamp: now, Until: &now,
			Counts: &event.Counts{Finished: 1}, Fault: map[string]string{"summary": "s"}})
	}
	for name, list := range documents {
		for _, d := range list {
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			if name == "policy-input" {
				b = filled(b)
			}
			if err := schematest.Check(name, b); err != nil {
				t.Errorf("%s: %v\n%s", name, err, b)
			}
			damaged := append([]byte(`{"unknown_member":1,`), b[1:]...)
			if schematest.Check(name, damaged) == nil {
				t.Errorf("%s takes an unknown member", name)
			}
		}
	}
	for _, d := range []struct{ schema, old, new string }{
		{"plan", `"mode":"cutover"`, `"mode":"sideways"`},
		{"plan", `"reason":"scheduled"`, `"reason":"boredom"`},
		{"plan", `"phase":"issue"`, `"phase":"invent"`},
		{"plan", `"kind":"in_place"`, `"kind":"eternal"`},
		{"plan", `"level":"warn"`, `"level":"shout"`},
		{"plan", `"format_version":`, `"format":`},
		{"events", `"@level":"info"`, `"@level":"loud"`},
		{"events", `"type":"version"`, `"type":"rumour"`},
		{"events", `"@message":"m"`, `"@message":7`},
		{"evidence-run", `"mode":"cutover"`, `"mode":"sideways"`},
		{"evidence-run", `"reason":"scheduled"`, `"reason":""`},
		{"evidence-run", `"requester_strength":"none"`, `"requester_strength":"sure"`},
		{"evidence-step", `"phase":"prove"`, `"phase":"believe"`},
		{"evidence-step", `"proof":"tested"`, `"proof":"likely"`},
		{"evidence-step", `"probes":[{`, `"probes":[7,{`},
		{"evidence-reset", `"proof":"reported"`, `"proof":"likely"`},
		{"evidence-reset", `"records":[]`, `"records":null`},
		{"evidence-approval", `"targets":["t"]`, `"targets":"t"`},
		{"evidence-resolution", `"run":"r"`, `"run":7`},
		{"policy-input", `"stage":"remint.result"`, `"stage":"later"`},
		{"policy-input", `"strength":"none"`, `"strength":"sure"`},
	} {
		whole, err := json.Marshal(documents[d.schema][0])
		if err != nil {
			t.Fatal(err)
		}
		if d.schema == "policy-input" {
			whole = filled(whole)
		}
		bad := bytes.Replace(whole, []byte(d.old), []byte(d.new), 1)
		if bytes.Equal(bad, whole) {
			t.Errorf("%s: the document has no %s to damage", d.schema, d.old)
		} else if schematest.Check(d.schema, bad) == nil {
			t.Errorf("%s takes %s", d.schema, d.new)
		}
	}
}

// filled puts lists where the planner would: a bare Input has none.
func filled(b []byte) []byte {
	b = bytes.Replace(b, []byte(`"phases":null`), []byte(`"phases":["issue"]`), 1)
	return bytes.Replace(b, []byte(`"steps":null`), []byte(`"steps":[]`), 1)
}
