package policy

import (
	"context"
	"path"
	"testing/fstest"

	"github.com/remint-dev/remint/engine/diag"
)

// Bundle is a policy source as OPA's tools build and sign it: a tarball, or a folder
// with .manifest and .signatures.json in it.
type Bundle struct {
	// Name, Enforcement and Path are as in Source.
	Name, Enforcement, Path string
	// File is where the tarball or folder is.
	File    string
	Signing Signing
}

// Signing says what a bundle must be signed with. The bundle itself decides none
// of it.
type Signing struct {
	// PublicKey is a PEM.
	PublicKey string `json:"public_key"`
	// Algorithm is a JOSE name that fits the key; "" is the key's usual one.
	Algorithm string `json:"algorithm"`
	// Scope that the signature must have, "" for none.
	Scope string `json:"scope"`
}

const bundleRefused = "Signed bundle refused"

func (b Bundle) refused(err error) diag.Diagnostics {
	return denied(bundleRefused, "Policy %q, bundle %s: %v. What cannot be verified denies.", b.Name, b.Path, err)
}

// OpenBundle verifies a bundle, and gives what it holds as a source. The archive is
// taken apart here, within bounds on its size; all that needs understanding, the
// signature first, is read in the evaluator's process, within the bounds of
// compiling. Every fault denies.
func (o Options) OpenBundle(ctx context.Context, b Bundle) (Source, diag.Diagnostics) {
	files, err := unpack(b.File)
	if err != nil {
		return Source{}, b.refused(err)
	}
	r := newRemote(o.Limits.orDefaults())
	defer r.close()
	revision, diags := r.verify(ctx, b, files)
	if diags.HasErrors() {
		return Source{}, diags
	}
	if err := CheckRevision(revision); err != nil {
		return Source{}, b.refused(err)
	}
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.name] = &fstest.MapFile{Data: f.text, Mode: 0o444}
	}
	return Source{Name: b.Name, Enforcement: b.Enforcement, Path: b.Path, FS: fsys, Revision: revision}, diags
}

// verify has the evaluator read a bundle; its revision is what it says of itself.
func (r *remote) verify(ctx context.Context, b Bundle, files []file) (string, diag.Diagnostics) {
	if err := r.lock(ctx); err != nil {
		return "", b.refused(err)
	}
	defer r.unlock()
	q := request{Op: opBundle, Source: b.Name, Path: b.Path, Signing: &b.Signing, Parts: len(files)}
	answer, _, err := r.call(ctx, q, bound{time: r.limits.Compile, memory: r.limits.Memory}, maxReply, func(c *wire) error {
		for _, f := range files {
			if err := c.write(sentFile{Name: f.name, Text: string(f.text)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", b.refused(err)
	}
	return answer.Revision, answer.Diags
}

// bundle is the evaluator's side of verify.
func (e *evaluator) bundle(q *request) error {
	f, err := e.folder(q)
	if err != nil {
		return err
	}
	if q.Signing == nil {
		return errFrame
	}
	b := Bundle{Name: q.Source, Path: q.Path, Signing: *q.Signing}
	revision, diags := b.read(f.modules)
	if diags.HasErrors() {
		revision = ""
	}
	return e.answer(reply{Diags: diags, Revision: revision}, nil)
}

// shown is a file of the bundle as people are told of it.
func (b Bundle) shown(name string) string { return path.Join(b.Path, name) }
