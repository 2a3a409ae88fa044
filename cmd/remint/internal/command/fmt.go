package command

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/internal/atomicfile"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// maxSource is more than any file of a workspace may have.
const maxSource = 16 << 20

func fmtVerb() *verb {
	return &verb{
		name: "fmt", args: "[FILE…]", synopsis: "bring *.remint.hcl and *.reminttest.hcl files into the usual layout",
		help: `
Rewrites the workspace's files, or those named, in the usual layout and names
those that it changed. With -check it changes nothing and exits 1 if it would.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			check := fs.Bool("check", false, "change nothing; exit 1 if something would change")
			a.jsonFlag(fs)
			return func(ctx context.Context, args []string) diag.Exit { return a.fmt(ctx, args, *check) }
		},
	}
}

func (a *app) fmt(ctx context.Context, files []string, check bool) diag.Exit {
	if len(files) == 0 {
		files, _ = filepath.Glob("*.remint*.hcl") // the pattern is well-formed
		files = slices.DeleteFunc(files, func(f string) bool {
			return !strings.HasSuffix(f, ".remint.hcl") && !strings.HasSuffix(f, ".reminttest.hcl")
		})
		if len(files) == 0 {
			a.fault("Nothing to format", "There are no *.remint.hcl files here.")
			return diag.ExitError
		}
	}
	var diags diag.Diagnostics
	changed := []string{}
	for _, path := range files {
		src, err := boundedfile.Read(path, maxSource)
		if err != nil {
			diags = diags.Errorf("A file cannot be read", "%s: %s.", path, err)
			continue
		}
		out, faults := config.Format(src, path, a.parts.Registry)
		diags = append(diags, faults...)
		if faults.HasErrors() || bytes.Equal(src, out) {
			continue
		}
		if check {
			changed = append(changed, path)
			continue
		}
		err = atomicfile.Replace(ctx, path, atomicfile.Options{Mode: 0o644, Follow: true}, func(w io.Writer) error {
			_, err := w.Write(out)
			return err
		})
		if err != nil {
			diags = diags.Errorf("A file cannot be written", "%s: %s.", path, err)
			continue
		}
		changed = append(changed, path)
	}
	a.view.Formatted(changed, diags)
	exit := diags.Exit()
	if exit == diag.ExitOK && check && len(changed) > 0 {
		return diag.ExitError
	}
	return exit
}

// exists reports whether something, even a dangling link, is at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
