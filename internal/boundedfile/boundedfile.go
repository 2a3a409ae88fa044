// Package boundedfile reads files that a stranger may have made: no more than is
// sensible, and nothing that never ends.
package boundedfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Why a file is not read, beside what the file system says.
var (
	// ErrTooLarge means that there is more than was allowed.
	ErrTooLarge = errors.New("it is too large")
	// ErrIrregular means that it is a folder, a pipe, a device or the like.
	ErrIrregular = errors.New("it is not a regular file")
)

// Read reads a regular file of at most limit bytes; symbolic links to it are
// followed. A pipe or a device is refused, and not waited for. Errors do not name
// the path, which the message has.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return read(f, err, limit)
}

// ReadIn is Read below a folder: links that lead out of it are not followed.
func ReadIn(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return read(f, err, limit)
}

// read reads what was opened, and closes it.
func read(f *os.File, err error, limit int64) ([]byte, error) {
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		return nil, ErrIrregular
	case info.Size() > limit:
		return nil, ErrTooLarge
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, withoutPath(err)
}

func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
