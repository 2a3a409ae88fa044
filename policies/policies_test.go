package policies

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/remint-dev/remint/engine/policy"
)

// Every Rego test passes, and every rule holds in one of them.
func TestRego(t *testing.T) {
	report, diags := policy.Test(context.Background(), []policy.Source{rego(t)}, policy.Options{})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	for _, r := range report.Tests {
		if r.Outcome != "pass" {
			t.Error(r, r.Range)
		}
	}
	for _, r := range report.Rules {
		if !r.Covered || len(r.Missed) > 0 {
			t.Errorf("%v: no test makes %s.%s hold, lines %v", r.Range, r.Package, r.Name, r.Missed)
		}
	}
	if len(report.Tests) < len(report.Rules) || len(report.Rules) == 0 {
		t.Errorf("%d tests for %d rules", len(report.Tests), len(report.Rules))
	}
}

// The folder as it stands, its README and tests included; without the Go files.
func rego(t *testing.T) policy.Source {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if slices.Contains([]string{"embed.go", "policies_test.go"}, e.Name()) || e.IsDir() {
			continue
		}
		b, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+e.Name(), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return policy.Source{Name: "builtin", FS: os.DirFS(dir), Enforcement: policy.Mandatory, Path: "policies"}
}

// What is embedded is every module that is not a test.
func TestEmbedded(t *testing.T) {
	fromFolder, diags := policy.Compile(context.Background(), []policy.Source{rego(t)})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	embedded, diags := policy.Compile(context.Background(), []policy.Source{{Name: "builtin", FS: FS, Enforcement: policy.Mandatory}})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if embedded.Digest() != fromFolder.Digest() {
		t.Error("a .rego file in this folder is not embedded")
	}
}
