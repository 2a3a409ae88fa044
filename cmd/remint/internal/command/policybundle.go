package command

import (
	"context"
	"io"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// policyBundle builds and signs a bundle of a folder.
func (a *app) policyBundle(ctx context.Context, r engine.BundleRequest, out string) diag.Exit {
	var diags diag.Diagnostics
	for _, f := range []struct{ value, name, detail string }{
		{r.Key, "A key is missing", "Name the private key to sign with: -key=FILE."},
		{r.Revision, "A revision is missing", "Say which revision it is, a number or a time that only grows: -revision=1."},
		{out, "A file is missing", "Say where the bundle goes: -out=FILE.tar.gz."},
	} {
		if f.value == "" {
			diags = diags.Errorf(f.name, "%s", f.detail)
		}
	}
	if diags.HasErrors() {
		return a.done(diags)
	}
	if !replaceable(out, "\x1f\x8b") { // as every gzip begins
		return a.done(diag.Errored(0, "The bundle cannot be saved", "%s is there already and is no bundle. Give -out=FILE another name.", out))
	}
	r.Library = a.parts.Policies
	built, diags := engine.BuildBundle(ctx, r)
	if diags.HasErrors() {
		return a.done(diags)
	}
	err := atomicfile.Replace(ctx, out, atomicfile.Options{Mode: 0o644}, func(w io.Writer) error {
		_, err := w.Write(built)
		return err
	})
	if err != nil {
		return a.done(diag.Errored(0, "The bundle cannot be saved", "%s: %s.", out, reason(err)))
	}
	a.view.Note("made " + out + ", revision " + r.Revision)
	return a.done(diags)
}
