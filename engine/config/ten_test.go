package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/config"
)

// A workspace with many different faults is told all of them in one go, each
// with a place, a snippet and what to do.
func TestAllAtOnce(t *testing.T) {
	_, diags := config.Load(options("testdata/ten"))
	got := diags.Err().Error()
	for _, want := range []string{
		`Did you mean "environment"?`, "There is no step issue.passwort", "issue.password is the new secret",
		"credential.postgresql_role.a → credential.postgresql_role.b → credential.postgresql_role.a",
		`no field "private_key"`, "needs the phase prove", "role must be a string", "does not say which provider block",
		"is already declared at main.remint.hcl:9", `30 days are "720h"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among\n%s", want, got)
		}
	}
	for _, d := range diags {
		if d.Range == nil || d.Snippet == nil || d.Snippet.Code == "" || d.Snippet.Context == "" || d.Detail == "" {
			t.Errorf("no place, snippet, context or remedy: %+v", d)
		}
	}
}

// Whatever the text, Load ends with a workspace or with faults, and without a panic.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"testdata/example/main.remint.hcl", "testdata/ten/main.remint.hcl"} {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	for _, b := range bombs {
		if len(b.text) < 4096 && b.want != "Too much to evaluate" { // those take their time, and under a fuzzer's instruments too much
			f.Add(b.text)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, "main.remint.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := options(dir)
		w, diags := config.Load(o)
		if (w == nil) != diags.HasErrors() {
			t.Errorf("a workspace and faults, or neither: %v", diags.Err())
		}
	})
}
