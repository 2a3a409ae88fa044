package engine

import (
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/plan"
)

// What a person names is one step of one reset, or nothing: a name that fits more
// than one is that of the one which asks.
func TestSubject(t *testing.T) {
	step := func(address string) plan.Step { return plan.Step{Address: address} }
	file := &plan.File{Plan: plan.Plan{Resets: []plan.Reset{
		{Address: "credential.t.a", Steps: []plan.Step{step("install.it"), step("reload.it"), step("prove.dead")}},
		{Address: `credential.t.b["x/y"]`, Steps: []plan.Step{step("install.it"), step("reload.it"), step("notify.b")}},
		{Address: "credential.t.c", Steps: []plan.Step{step("install.it")}},
	}}}
	asks := func(pairs ...string) map[string]executor.Asked {
		out := map[string]executor.Asked{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = executor.Asked{Question: event.Question{Run: "r", Address: pairs[i], Step: pairs[i+1]}}
		}
		return out
	}
	for name, tc := range map[string]struct {
		asked         map[string]executor.Asked
		s             string
		address, step string
		says          string
	}{
		"in full":               {asks(), "credential.t.a/reload.it", "credential.t.a", "reload.it", ""},
		"a slash in its key":    {asks(), `credential.t.b["x/y"]/reload.it`, `credential.t.b["x/y"]`, "reload.it", ""},
		"the reset":             {asks(), `credential.t.b["x/y"]`, `credential.t.b["x/y"]`, "", ""},
		"one has it":            {asks(), "notify.b", `credential.t.b["x/y"]`, "notify.b", ""},
		"one asks":              {asks("credential.t.c", "install.it", "credential.t.a", "reload.it"), "install.it", "credential.t.c", "install.it", ""},
		"two ask":               {asks("credential.t.c", "install.it", "credential.t.a", "install.it"), "install.it", "", "", "write ADDRESS/install.it"},
		"none asks":             {asks(), "reload.it", "", "", "2 resets of this run have a step"},
		"a proof":               {asks(), "prove.dead", "credential.t.a", "prove.dead", ""},
		"no step":               {asks("credential.t.a", "reload.it"), "reload.no", "", "", "Open are: credential.t.a/reload.it"},
		"no reset":              {asks(), "credential.t.z", "", "", "No question of this run is open"},
		"the engine's own":      {asks("credential.t.a", "roll_back.new"), "roll_back.new", "credential.t.a", "roll_back.new", ""},
		"the engine's, unasked": {asks(), "roll_back.new", "", "", "has no step"},
		"hostile":               {asks(), "x\x1b[31m", "", "", `x\u001b[31m`},
	} {
		t.Run(name, func(t *testing.T) {
			address, step, diags := subject(file, tc.asked, tc.s)
			if address != tc.address || step != tc.step || diags.HasErrors() != (tc.says != "") {
				t.Errorf("%q, %q, %v", address, step, diags)
			}
			if tc.says != "" && !strings.Contains(diags[0].Summary+diags[0].Detail, tc.says) {
				t.Errorf("%q does not say %q", diags[0].Detail, tc.says)
			}
		})
	}
}
