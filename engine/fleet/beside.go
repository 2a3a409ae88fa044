package fleet

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// pubSuffix is what programs add to the path of a private key to find its
// public half (OpenSSH: -i key reads key.pub).
const pubSuffix = ".pub"

// beside notes the public key files beside the stores of private keys that no
// store of the credential keeps up to date. OpenSSH offers the key in such a
// file first, so that one which does not match locks its user out although the
// private key is right.
func (f *Fleet) beside(ctx context.Context, c *config.Credential, id provider.Identifier) []string {
	field, ok := c.Type.Field(c.Type.ProbeField())
	if !ok || field.Public {
		return nil
	}
	var notes []string
	for _, b := range c.Stores {
		path := b.Attrs.Path("path")
		if b.Field != field.Name || path.Absolute == "" || stored(c, path.Absolute+pubSuffix) {
			continue
		}
		there := publicHalf(c.Type, id, path.Absolute+pubSuffix)
		if there == "" {
			continue
		}
		name, held := path.Written+pubSuffix, ""
		if s, err := f.Store(ctx, b); err == nil {
			if v, err := s.Get(ctx); err == nil && !v.IsZero() {
				held, _ = id.VersionOf(secret.NewMaterial(map[string]secret.Value{field.Name: v}))
			}
		}
		note := "The file " + name + " beside the store " + b.Key() + " is not replaced, and will be of an old key: OpenSSH offers the key in it instead of the new one. Remove it, or declare a store with that path for the public key."
		if held != "" && held != there {
			note = "The file " + name + " beside the store " + b.Key() + " is stale: it has the public key " + there + ", and the store a private key of " + held + ". OpenSSH offers the former. Remove it, or declare a store with that path for the public key."
		}
		notes = append(notes, note)
	}
	return notes
}

// stored reports whether one of c's stores writes to path.
func stored(c *config.Credential, path string) bool {
	return slices.ContainsFunc(c.Stores, func(b *config.Block) bool { return b.Attrs.Path("path").Absolute == path })
}

// maxPub bounds what is read of a public key file.
const maxPub = 64 << 10

// publicHalf gives the version of the public key in the file at path, "" where
// there is none: no file, nothing that is a key.
func publicHalf(t *provider.CredentialType, id provider.Identifier, path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxPub))
	content = bytes.TrimSpace(content)
	if err != nil || len(content) == 0 {
		return ""
	}
	for _, field := range t.Fields {
		if !field.Public {
			continue
		}
		if v, err := id.VersionOf(secret.NewMaterial(map[string]secret.Value{field.Name: secret.New(content)})); err == nil {
			return v
		}
	}
	return ""
}
