package htpasswd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine/provider"
)

// place is the real path of the file, behind links: replacing a link by a file
// would leave the server reading the old one. A path that the workspace gives
// relative to itself must not lead out of it by way of a link, nor into what
// the workspace keeps for itself.
func (s *site) place() (string, error) {
	path := filepath.Clean(s.file.Absolute)
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", provider.Errorf(classOf(err), "the folder of %s is not there or may not be read: make it first, or check the path", s.file.Written)
	}
	real := filepath.Join(dir, filepath.Base(path))
	switch target, err := filepath.EvalSymlinks(real); {
	case err == nil:
		real = target
	case !errors.Is(err, fs.ErrNotExist):
		return "", provider.Errorf(classOf(err), "%s cannot be reached: its links lead in a circle, or a folder on the way may not be read", s.file.Written)
	default:
		if _, err := os.Lstat(real); err == nil {
			return "", provider.Errorf(provider.Permanent, "%s is a link to a file that does not exist: make that file, or remove the link", s.file.Written)
		}
	}
	return real, s.inside(path, real)
}

func classOf(err error) provider.Class {
	if errors.Is(err, fs.ErrNotExist) {
		return provider.Transient // a file system that is not mounted yet
	}
	return provider.Permanent
}

// inside checks where a relative path's links lead.
func (s *site) inside(path, real string) error {
	written := filepath.Clean(s.file.Written)
	root, ok := strings.CutSuffix(path, string(filepath.Separator)+written)
	if filepath.IsAbs(written) || !ok {
		return nil
	}
	root, err := filepath.EvalSymlinks(root + string(filepath.Separator))
	if err != nil {
		return provider.Errorf(provider.Permanent, "the workspace's folder cannot be read")
	}
	rel, err := filepath.Rel(root, real)
	if err != nil || !filepath.IsLocal(rel) {
		return provider.Errorf(provider.Permanent, "%s leads out of the workspace by a link: give the absolute path of the file that is meant", s.file.Written)
	}
	first, _, _ := strings.Cut(rel, string(filepath.Separator))
	switch {
	case first == ".git", first == ".remint", first == "policies", first == "keys", strings.HasSuffix(rel, ".remint.hcl"):
		return provider.Errorf(provider.Permanent, "%s leads by a link into %s, which remint does not write to: move the file", s.file.Written, rel)
	}
	return nil
}
