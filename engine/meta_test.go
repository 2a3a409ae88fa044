package engine

import (
	"context"
	"github.com/remint-dev/remint/engine/policy"
	"testing"
)

// FuzzMeta: whatever a run has kept besides its plan, it is read or refused, and
// policies in it are compiled or refused.
func FuzzMeta(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ``, `{"policies":{"builtin":{"enforcement":"mandatory","files":{"plan.rego":"package remint.plan\n"}}}}`,
		`{"policies":{"../x":{"files":{"../../y":"z","":"","a/":"b","/c":"d"}}},"approvals":[{"Name":"x","Content":"AA=="}],"denied":["no"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeMeta(raw)
		if err != nil {
			return
		}
		if set, diags := m.judges(context.Background(), "sha256:0", policy.Options{}, nil); (set == nil) != diags.HasErrors() {
			t.Errorf("policies and faults, or neither: %v", diags)
		}
	})
}
