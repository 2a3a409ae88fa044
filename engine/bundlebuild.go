package engine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/policy"
)

// BundleRequest says what to build a signed bundle from.
type BundleRequest struct {
	// Dir is a folder of policies, and Key the file of the private key that signs.
	Dir, Key string
	Revision string
	// Library is the built-in one, whose packages no bundle may declare; nil for none.
	Library fs.FS
}

// BuildBundle makes a signed bundle of a folder, in OPA's format. It needs no workspace.
func BuildBundle(ctx context.Context, r BundleRequest) ([]byte, diag.Diagnostics) {
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return nil, diag.Errored(0, "The folder cannot be read", "%s: %s.", r.Dir, reason(err))
	}
	defer root.Close()
	key, err := readKey(r.Key)
	if err != nil {
		return nil, diag.Errored(0, "The key cannot be used", "%s: %s.", r.Key, reason(err))
	}
	defer clear(key)
	var taken []string
	if r.Library != nil {
		library, err := policy.OpenLibrary(r.Library)
		if err == nil {
			taken, err = library.Packages()
		}
		if err != nil {
			return nil, diag.Errored(diag.ExitDenied, "The policy library cannot be read", "%s.", err)
		}
	}
	name := filepath.ToSlash(filepath.Clean(r.Dir))
	out, diags := policy.Options{}.BuildBundle(ctx, policy.Source{
		Name: filepath.Base(name), FS: root.FS(), Enforcement: policy.Mandatory, Path: name, Taken: taken,
	}, r.Revision, key)
	if diags.HasErrors() {
		return nil, diags
	}
	return out, append(diags, exposed(r.Key, r.Key)...)
}

// readKey reads a private key, which is small.
func readKey(path string) ([]byte, error) {
	const most = 64 << 10
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, errors.New("it is no key file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
