// Package atomicfile replaces files whole: whoever reads sees the old content
// or the new one, also after a crash, and no copy of either stays behind.
//
// Every call holds an advisory lock (flock) on the file's folder, so that two
// of them, from goroutines or processes, never undo each other's work. It is not
// waited for for ever: a process that was stopped keeps it. The
// temporary file has a fixed name beside the file; one that a killed process
// left is removed by the next call.
//
// A file that grows too large to be replaced is appended to instead: Open refuses
// what the others refuse, and Lock takes their lock.
package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/internal/flock"
)

// MaxSize is the size in bytes of the largest file that Read and Edit take.
const MaxSize = 16 << 20

// ErrUnsynced means that the file was replaced, but the system could not say
// that the replacement would survive a power cut.
var ErrUnsynced = errors.New("the folder could not be written to disk")

// ErrUnsafe means that writing to the file would not do what it seems to: it is
// a symbolic link, has further hard links, or is no regular file.
var ErrUnsafe = errors.New("not a plain file")

// ErrTooLarge means that the file has more than MaxSize bytes; it is left alone.
var ErrTooLarge = fmt.Errorf("it is larger than %d MiB", MaxSize>>20)

// ErrChanged means that a program that takes no lock changed the file while
// Edit was at work: nothing was written, so that its change is not undone.
var ErrChanged = errors.New("another program changed the file meanwhile")

// Options say how to replace.
type Options struct {
	// Mode is for a file that does not exist yet, 0600 if zero. An existing
	// file keeps its mode, owner, group and extended attributes (ACLs).
	Mode fs.FileMode
	// Follow replaces what a symbolic link at the path leads to. Without it,
	// such a path is refused: ErrUnsafe.
	Follow bool
}

// Read gives the content; fs.ErrNotExist if there is none. It waits for nobody.
func Read(path string, o Options) ([]byte, error) {
	d, err := open(path, o)
	if err != nil {
		return nil, err
	}
	defer d.close()
	_, err = d.stat()
	if err != nil {
		return nil, err
	}
	return d.read()
}

// Edit replaces the file with what edit makes of its content (nil, if it does
// not exist). Nothing is written if edit fails or returns the same bytes, or
// nil for a file that does not exist. Errors other than ErrUnsynced promise
// that the file is as it was.
func Edit(ctx context.Context, path string, o Options, edit func(old []byte) ([]byte, error)) error {
	d, err := open(path, o)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.lock(ctx); err != nil {
		return err
	}
	info, err := d.stat()
	var old []byte
	switch {
	case err == nil:
		if old, err = d.read(); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	content, err := edit(old)
	if err != nil {
		return err
	}
	if string(content) == string(old) && (info != nil || content == nil) {
		return d.sweep()
	}
	write := func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}
	return d.replace(info, o.Mode, write, func() error {
		now, err := d.read()
		switch {
		case errors.Is(err, fs.ErrNotExist) && info == nil:
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case err != nil || info == nil || string(now) != string(old):
			return ErrChanged
		}
		return nil
	})
}

// Replace replaces the file with what write writes, and makes it if need be.
// Errors are those of Edit.
func Replace(ctx context.Context, path string, o Options, write func(io.Writer) error) error {
	d, err := open(path, o)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.lock(ctx); err != nil {
		return err
	}
	info, err := d.stat()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.replace(info, o.Mode, write, func() error { return nil })
}

// Create makes a file with that content: whole, durably, or not at all. One that
// is there, whatever it is, is left alone: fs.ErrExist. A killed process can leave
// its temporary file, which the next call for the same path removes.
func Create(ctx context.Context, path string, mode fs.FileMode, content []byte) error {
	d, err := open(path, Options{})
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.lock(ctx); err != nil {
		return err
	}
	absent := func() error {
		_, err := d.root.Lstat(d.name)
		switch {
		case err == nil:
			return fmt.Errorf("%s is there already and is never overwritten: %w", path, fs.ErrExist)
		case errors.Is(err, fs.ErrNotExist):
			return nil
		}
		return err
	}
	if err := absent(); err != nil {
		return err
	}
	err = d.replace(nil, mode, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}, absent)
	if errors.Is(err, ErrUnsynced) { // nobody may find it that was told of a failure
		err = errors.Join(err, d.root.Remove(d.name))
	}
	return err
}

// Check finds out whether Replace could, by making the temporary file and
// taking it away again.
func Check(ctx context.Context, path string, o Options) error {
	d, err := open(path, o)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.lock(ctx); err != nil {
		return err
	}
	info, err := d.stat()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.create()
	if err != nil {
		return err
	}
	err = liken(f, d, info, o.Mode)
	return errors.Join(err, f.Close(), d.sweep())
}

// Lock takes the lock that the other functions take, for those who append to a
// file in dir. It waits until it has it, ctx ends, or another process has kept it
// for too long (flock.HeldError).
func Lock(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := lock(ctx, f, dir); err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// patience is how long another process may keep a folder's lock: one replacement
// takes a part of a second, and one that was stopped in it may take for ever. It is
// shorter than what a step may take, whose end would say less.
const patience = 20 * time.Second

// lock locks f, the folder dir. With an error f is not the caller's any more.
func lock(ctx context.Context, f *os.File, dir string) error {
	return flock.Lock(ctx, f, flock.Patience{What: "the folder " + addrs.Visible(dir), Limit: patience})
}

// resolve follows a symbolic link at path to the file it leads to; a path that
// is none, or where nothing is, stays.
func resolve(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if isLink(path) {
			return "", fmt.Errorf("%w: a symbolic link that leads nowhere", ErrUnsafe)
		}
		return path, nil
	}
	return target, err
}
