package schemas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/policies"
	"github.com/remint-dev/remint/schemas"
	"github.com/remint-dev/remint/schemas/schematest"
)

// object is as much of a schema as says what a field is and means.
type object struct {
	Ref         string            `json:"$ref"`
	Items       *object           `json:"items"`
	Description string            `json:"description"`
	Examples    []json.RawMessage `json:"examples"`
	Properties  map[string]object `json:"properties"`
}

// What policy writers read says of every field what it means, and shows it. An
// object is shown by its fields.
func TestThePolicyInputIsDocumented(t *testing.T) {
	raw, err := schemas.FS.ReadFile("policy-input.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	if len(whole.Defs) < 10 {
		t.Fatalf("there are %d objects in the input", len(whole.Defs))
	}
	for name, o := range whole.Defs {
		if o.Description == "" {
			t.Errorf("%s has no description", name)
		}
		for field, p := range o.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no description: write a comment in its type", name, field)
			}
			if p.Ref != "" || p.Items != nil && p.Items.Ref != "" {
				continue
			}
			if len(p.Examples) == 0 || slices.Contains([]string{`null`, `""`, `[]`, `{}`}, string(p.Examples[0])) {
				t.Errorf("%s.%s has no example: give it a value in schemas/examples", name, field)
			}
		}
	}
}

// The examples are inputs as the engine makes them: nothing in them is unknown or
// missing, and the library can be asked about them.
func TestExamplesOfThePolicyInput(t *testing.T) {
	library, err := policy.OpenLibrary(policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	src, err := library.Source("builtin", library.Defaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	src.Known = true
	judges, diags := policy.Compile(context.Background(), []policy.Source{src})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	defer judges.Close()
	for name, want := range map[string]struct {
		stage  policy.Stage
		denied []string
	}{
		"plan":     {policy.StagePlan, []string{"own_login_in_use"}},
		"approval": {policy.StageApproval, nil},
		"result":   {policy.StageResult, nil},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile("examples/policy-input-" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			if err := schematest.Check("policy-input", raw); err != nil {
				t.Error(err)
			}
			var in policy.Input
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&in); err != nil {
				t.Fatal(err)
			}
			if in.Stage != want.stage || in.Version != policy.InputVersion {
				t.Errorf("it is for %s, version %s", in.Stage, in.Version)
			}
			written, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			var is, again any
			if err := json.Unmarshal(raw, &is); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(written, &again); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(again, is); diff != "" {
				t.Errorf("the engine would write it otherwise: %s", diff)
			}
			verdict, diags := judges.Eval(context.Background(), &in)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			var denied []string
			for _, d := range verdict.Decisions {
				if d.Level == plan.Deny {
					denied = append(denied, d.Rule)
				}
			}
			if diff := cmp.Diff(want.denied, denied); diff != "" {
				t.Error(diff)
			}
		})
	}
}
