package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/config"
)

// FuzzSelect: whatever -where is, it selects or is refused.
func FuzzSelect(f *testing.F) {
	for _, seed := range []string{
		`environment == "staging"`, `labels.tier == "1" && !startswith(owner, "x")`, `owner`, `key == null`, `can(labels[key])`, `[for a in labels : a] == []`,
		`"${"`, `((((`, `try(nothing, true)`, `max_age > 1`, "\x00", "\u202e", `length(range(1024)) > 0`,
	} {
		f.Add(seed)
	}
	w, diags := config.Load(options("testdata/example"))
	if diags.HasErrors() {
		f.Fatal(diags.Err())
	}
	f.Fuzz(func(t *testing.T, expr string) {
		chosen, diags := w.Select(expr)
		if (chosen == nil) != diags.HasErrors() {
			t.Errorf("a selection and faults, or neither: %v", diags.Err())
		}
	})
}

// FuzzVariables: whatever a file of variables, the command line and the environment
// say, it is taken or refused, and no fault quotes it.
func FuzzVariables(f *testing.F) {
	dir := f.TempDir()
	const main = "variable \"a\" {\n  type = string\n  sensitive = true\n}\nvariable \"b\" {\n  type = list(object({ x = number }))\n  default = []\n}\nvariable \"c\" { default = null }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.remint.hcl"), []byte(main), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Add("a = \"x\"\nb = [{ x = 1 }]\n", "[]")
	f.Add("a = [1]", `[{x="1"}]`)
	f.Add("a {}\nb = c.d", "${")
	f.Add("\xef\xbb\xbf", "\x00")
	f.Fuzz(func(t *testing.T, text, value string) {
		path := filepath.Join(dir, "x.remintvars")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := options(dir)
		o.VarFiles, o.Vars, o.Environ = []string{path}, map[string]string{"b": value}, []string{"REMINT_VAR_c=" + value}
		if w, diags := config.Load(o); (w == nil) != diags.HasErrors() {
			t.Errorf("a workspace and faults, or neither: %v", diags.Err())
		} else {
			for _, d := range diags {
				if d.Snippet != nil && d.Range.Filename != "main.remint.hcl" {
					t.Errorf("%s quotes values: %q", d.Summary, d.Snippet.Code)
				}
			}
		}
	})
}
