// Package docs_test loads the examples that the documentation shows.
package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/softkey"
	"github.com/remint-dev/remint/policies"
	"github.com/remint-dev/remint/providers/builtin"
	"github.com/remint-dev/remint/runbooks"
)

// examples are the HCL blocks of a page, in a workspace, with more beside them.
func examples(t *testing.T, page string, beside map[string]string) (dir string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllSubmatch(text, -1) {
		source.Write(m[1])
	}
	dir = t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.remint.hcl", source.String())
	for name, text := range beside {
		write(name, text)
	}
	return dir
}

// Every verifier of the page is what its kind wants.
func TestTheVerificationPageLoads(t *testing.T) {
	key, err := softkey.New("login.example.com", "https://login.example.com")
	if err != nil {
		t.Fatal(err)
	}
	declared, err := key.Declaration("alice@example.com", true)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal([]any{declared})
	if err != nil {
		t.Fatal(err)
	}
	_, line, err := builtin.Registry().Verifier("recovery").NewCode("ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	dir := examples(t, "verification.md", map[string]string{
		"webauthn.json": string(list), "recovery.codes": line + "\n",
		"keys/carol.pub":  "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
		"vars.remint.hcl": "variable \"totp_secrets\" {\n  type = string\n  sensitive = true\n}\nvariable \"ticket_token\" {\n  type = string\n  sensitive = true\n}\n",
	})
	r := builtin.Registry()
	w, diags := config.Load(config.Options{Dir: dir, Registry: r, Builtin: runbooks.FS, Vars: map[string]string{
		"totp_secrets": "carol@example.com JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "ticket_token": "x",
	}})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if len(w.Verifiers) != 8 {
		t.Errorf("the page makes %d verifiers", len(w.Verifiers))
	}
	for _, b := range w.Verifiers {
		if _, err := r.Verifier(b.Type).Open(t.Context(), provider.Block{Name: b.Name, Attrs: b.Attrs}); err != nil {
			t.Errorf("%s: %v", b.Key(), err)
		}
	}
}

func TestTheLanguagePageLoads(t *testing.T) {
	dir := examples(t, "language.md", nil)
	w, diags := engine.New(engine.Options{Dir: dir, Registry: builtin.Registry(), Runbooks: runbooks.FS, Policies: policies.FS,
		Vars: map[string]string{"admin_url": "postgres://admin@127.0.0.1/postgres"}}).Load(false)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if len(w.Credentials) != 4 {
		t.Errorf("the page makes %d credentials, want billing, two of team and zoe", len(w.Credentials))
	}
}

func TestTheTestingPageLoads(t *testing.T) {
	page, err := os.ReadFile("testing.md")
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, m := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllSubmatch(page, -1) {
		source = append(source, m[1]...)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.reminttest.hcl"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	files, diags := config.LoadTests(dir)
	if diags.HasErrors() || len(files) != 1 || len(files[0].Runs) != 4 {
		t.Fatal(files, diags.Err())
	}
}
