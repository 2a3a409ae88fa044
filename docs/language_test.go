// Package docs_test loads the examples that the documentation shows.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/policies"
	"github.com/remint-dev/remint/providers/builtin"
	"github.com/remint-dev/remint/runbooks"
)

func TestTheLanguagePageLoads(t *testing.T) {
	page, err := os.ReadFile("language.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllSubmatch(page, -1) {
		source.Write(m[1])
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.remint.hcl"), []byte(source.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w, diags := engine.New(engine.Options{Dir: dir, Registry: builtin.Registry(), Runbooks: runbooks.FS, Policies: policies.FS,
		Vars: map[string]string{"admin_url": "postgres://admin@127.0.0.1/postgres"}}).Load(false)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if len(w.Credentials) != 3 {
		t.Errorf("the page makes %d credentials, want billing and two of team", len(w.Credentials))
	}
}

func TestTheTestingPageLoads(t *testing.T) {
	page, err := os.ReadFile("testing.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindSubmatch(page)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.reminttest.hcl"), m[1], 0o600); err != nil {
		t.Fatal(err)
	}
	files, diags := config.LoadTests(dir)
	if diags.HasErrors() || len(files) != 1 || len(files[0].Runs) != 3 {
		t.Fatal(files, diags.Err())
	}
}
