package engine

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/remint-dev/remint/engine/policy"
)

// An earlier version kept hidden files of a folder, which nobody was asked about: a run of
// it is judged by what it was planned under.
func TestKeptHiddenFiles(t *testing.T) {
	const rule = "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"denied\"\n"
	set, diags := policy.Compile(context.Background(), []policy.Source{{Name: "house", FS: fstest.MapFS{"a.rego": {Data: []byte(rule)}}, Enforcement: policy.Mandatory}})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	defer set.Close()
	m := meta{Policies: map[string]keptSource{"house": {Enforcement: policy.Mandatory, Files: map[string]string{
		"a.rego": rule, ".env": "token", ".prod/deny.rego": rule, "sub/.git/config": "token",
	}}}}
	kept, diags := m.judges(context.Background(), set.Digest(), policy.Options{}, nil)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	kept.Close()
	if files := m.Policies["house"].read(); len(files) != 1 || files["a.rego"] != rule {
		t.Errorf("read are %v", files)
	}
}

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
