package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/config"
)

// FuzzLoadTests: whatever a file of tests is, it is refused, or has runs of which each
// asserts something; and an assertion holds, or its fault says where it stands.
func FuzzLoadTests(f *testing.F) {
	for _, seed := range []string{
		"run \"a\" {\n  reason = \"compromised\"\n  addresses = [\"credential.t.n\"]\n  assert {\n    condition = length(resets) == 1\n    error_message = \"got ${length(resets)}\"\n  }\n}\n",
		"mock {\n  address = \"credential.t.n[\\\"a\\\"]\"\n  age = \"90d\"\n  sessions = -1\n}\nrun \"a\" {\n  expect_denied = [\"house/late\"]\n  result { address = \"credential.t.n\" }\n  approval { approver = \"x\" }\n}\n",
		"run \"a\" {\n  assert { condition = plan[\"x\"][*].y == try(denied, null) }\n}\n", "run \"a\" {\n  assert { condition = [for r in resets : [for s in resets : r]] == [] }\n}\n",
		"run {}", "mock { address = 1 }", "run \"\" \"b\" {\n assert {}\n}\n", "a = 1", "run \"a\" {\n  expect_errors = []\n}\n", "\xef\xbb\xbf", "\x00", "run \"\u202e\" {",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	found := map[string]any{
		"plan": map[string]any{"mode": "cutover", "x": []any{}}, "resets": []any{map[string]any{"address": "credential.t.n"}},
		"denied": []any{}, "warned": []any{}, "required": map[string]any{}, "diagnostics": []any{},
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, "x.reminttest.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files, diags := config.LoadTests(dir)
		if (files == nil) != diags.HasErrors() {
			t.Fatalf("tests and faults, or neither: %v", diags.Err())
		}
		for _, file := range files {
			if len(file.Runs) == 0 {
				t.Error("a file without a run was taken")
			}
			for _, run := range file.Runs {
				for _, d := range file.Assert(run, found) {
					if d.Range == nil || d.Range.Filename != "x.reminttest.hcl" {
						t.Errorf("a fault that does not say where: %s: %s", d.Summary, d.Detail)
					}
				}
			}
		}
	})
}
