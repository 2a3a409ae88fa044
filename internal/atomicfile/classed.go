package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/flock"
)

// Confine refuses a relative path that leads through symbolic links, so that
// a link in the workspace cannot send a secret out of it, or into .git. Permanent.
func Confine(p provider.Path) error {
	if p.Absolute == "" {
		return provider.Errorf(provider.Permanent, "the path %s was not resolved against the workspace", addrs.Visible(p.Written))
	}
	if filepath.IsAbs(p.Written) {
		return nil
	}
	written := filepath.Clean(p.Written)
	root, ok := strings.CutSuffix(filepath.Clean(p.Absolute), string(filepath.Separator)+written)
	if !ok {
		return nil // not below the workspace by name either: the engine has allowed it
	}
	if root == "" {
		root = string(filepath.Separator)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return Classed(p, err)
	}
	dir := filepath.Dir(written)
	if got, err := filepath.EvalSymlinks(filepath.Join(real, dir)); err != nil {
		return Classed(p, err)
	} else if got != filepath.Join(real, dir) {
		return provider.Errorf(provider.Permanent, "%s leads through a symbolic link: write the path it leads to, absolute if that is outside of the workspace", addrs.Visible(p.Written))
	}
	return nil
}

// Classed is err as a provider.Error about the file p, saying what it means and
// what to do; nil and what is classed already stay.
func Classed(p provider.Path, err error) error {
	name, dir := addrs.Visible(p.Written), addrs.Visible(filepath.Dir(p.Written))
	var classed *provider.Error
	var held *flock.HeldError
	switch {
	case err == nil, errors.As(err, &classed):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return provider.Errorf(provider.Transient, "%s was not changed: the wait for other writers in its folder was cut short", name)
	case errors.As(err, &held):
		return provider.Errorf(provider.Transient, "%s was not changed: %s", name, held)
	case errors.Is(err, ErrUnsynced):
		return provider.Errorf(provider.Ambiguous, "%s was written, but the disk did not confirm it: check the file system", name)
	case errors.Is(err, ErrChanged):
		return provider.Errorf(provider.Conflict, "%s was changed by another program at the same time: nothing was written; try again", name)
	case errors.Is(err, ErrUnsafe):
		return provider.Errorf(provider.Permanent, "%s cannot be replaced safely: %s; name the file itself", name, addrs.Visible(err.Error()))
	case errors.Is(err, ErrTooLarge):
		return provider.Errorf(provider.Permanent, "%s was not changed: %s; check the path", name, ErrTooLarge)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return provider.Errorf(provider.Permanent, "%s cannot be written: the folder %s does not exist; make it first", name, dir)
	case errors.Is(err, fs.ErrPermission):
		return provider.Errorf(provider.Permanent, "%s cannot be replaced: permission denied; the folder %s must be writable for the user remint runs as, and the file's owner kept", name, dir)
	case errors.Is(err, syscall.EROFS):
		return provider.Errorf(provider.Permanent, "%s cannot be replaced: its file system is read-only", name)
	case errors.Is(err, syscall.EBUSY):
		return provider.Errorf(provider.Permanent, "%s cannot be replaced: it is a mount point; mount its folder instead", name)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return provider.Errorf(provider.Transient, "%s was not changed: no space is left", name)
	}
	return provider.Errorf(provider.Transient, "%s was not changed: %s", name, addrs.Visible(err.Error()))
}
