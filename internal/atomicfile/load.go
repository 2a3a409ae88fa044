package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// Resolve gives the real path behind the symbolic links of p, whose file need
// not exist yet but whose folder must. Its errors are Permanent.
func Resolve(p provider.Path) (string, error) {
	name := addrs.Visible(p.Written)
	real, err := filepath.EvalSymlinks(p.Absolute)
	if err == nil {
		return real, nil
	}
	if isLink(p.Absolute) || !errors.Is(err, fs.ErrNotExist) {
		return "", provider.Errorf(provider.Permanent, "%s cannot be reached: it is a link that leads nowhere, or something on the way is no folder or may not be entered", name)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(p.Absolute))
	if err != nil {
		return "", provider.Errorf(provider.Permanent, "%s cannot be reached: the folder %s does not exist; make it first", name, addrs.Visible(filepath.Dir(p.Written)))
	}
	return filepath.Join(dir, filepath.Base(p.Absolute)), nil
}

// isLink reports whether a symbolic link is at path. Where following path found nothing,
// a link leads nowhere; anything else is missing, or was made by another meanwhile.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// Load gives the content of p through symbolic links, nil if its folder is
// there and it is not. Its errors are classed, and speak of reading.
func Load(p provider.Path) ([]byte, error) {
	path, err := Resolve(p)
	if err != nil {
		return nil, err
	}
	content, err := Read(path, Options{})
	name := addrs.Visible(p.Written)
	switch {
	case err == nil:
		if content == nil {
			content = []byte{}
		}
		return content, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, provider.Errorf(provider.Permanent, "%s cannot be read: permission denied to the user remint runs as", name)
	case errors.Is(err, ErrUnsafe):
		return nil, provider.Errorf(provider.Permanent, "%s cannot be read: %s", name, addrs.Visible(err.Error()))
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return nil, provider.Errorf(provider.Transient, "%s cannot be read: %v", name, errno)
	}
	return nil, provider.Errorf(provider.Permanent, "%s cannot be read: %s", name, addrs.Visible(err.Error()))
}
