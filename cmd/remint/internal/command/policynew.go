package command

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
)

// policyTemplate is what `policy new` lays down.
//
//go:embed policytemplate
var policyTemplate embed.FS

// policyNew makes a folder of Rego with tests that pass, and says which block
// has it asked. It overwrites nothing, and leaves the configuration alone.
func (a *app) policyNew(dir string) diag.Exit {
	dir = filepath.Clean(dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		a.fault("The folder is not empty", "%s holds something already. `remint policy new` makes a new folder; name one that is not there.", dir)
		return diag.ExitError
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		a.fault("The folder cannot be made", "%s: it is no folder, or may not be written.", dir)
		return diag.ExitError
	}
	for _, name := range []string{"rules.rego", "rules_test.rego"} {
		text, err := policyTemplate.ReadFile("policytemplate/" + name)
		if err == nil {
			err = writeNew(filepath.Join(dir, name), text)
		}
		if err != nil {
			a.fault("A file cannot be made", "%s.", err)
			return diag.ExitError
		}
		a.view.Note("made " + filepath.Join(dir, name))
	}
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, filepath.Base(dir))
	next := fmt.Sprintf("\nIt is asked once a *.remint.hcl file says so:\n\n  policy %q {\n    path        = %q\n    enforcement = \"mandatory\"\n  }\n\nThen: remint policy test", label, filepath.ToSlash(dir))
	for line := range strings.SplitSeq(next, "\n") { // a note is one line: breaks in it are shown, not made
		a.view.Note(line)
	}
	return diag.ExitOK
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("%s cannot be made", path)
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return fmt.Errorf("%s cannot be written", path)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s cannot be written", path)
	}
	return nil
}
