// Package examples_test checks that what documentation shows is true of this
// version. `make quickstart` runs the quickstart itself.
package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/providers/builtin"
	"github.com/remint-dev/remint/runbooks"
)

func valid(t *testing.T, dir string) {
	t.Helper()
	w, diags := config.Load(config.Options{Dir: dir, Registry: builtin.Registry(), Builtin: runbooks.FS, Version: "0.1.0", Offline: true})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	if err := w.Validate().Err(); err != nil {
		t.Error(err)
	}
}

// Every directory here that has a workspace is valid, given keys.
func TestExamples(t *testing.T) {
	found, err := filepath.Glob("*/main.remint.hcl")
	if err != nil || len(found) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	const public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%sCWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	for _, main := range found {
		t.Run(filepath.Dir(main), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Dir(main))); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{"alice", "bob"} {
				key := []byte(public)
				key = regexp.MustCompile("%s").ReplaceAll(key, []byte{"GH"[i], 'b', '9', 'E'})
				if err := os.WriteFile(filepath.Join(dir, "keys", name+".pub"), key, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			valid(t, dir)
		})
	}
}
