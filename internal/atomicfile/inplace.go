package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a file that is written where it is, by appending. flag is that of
// os.OpenFile, mode for a file that does not exist yet. Whatever is not one plain
// file with one name is ErrUnsafe, so that what somebody planted at the path has
// no other file written to, and nobody waits for a pipe.
func Open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, mode)
	switch {
	case errors.Is(err, syscall.ELOOP):
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, plain(info, "")
		}
		return nil, err // links on the way that go round
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.EISDIR): // a pipe that nobody reads, a socket, a folder
		return nil, fmt.Errorf("%w: it is no regular file", ErrUnsafe)
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = plain(info, "what is written would be in them too")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// plain refuses whatever is not one plain file with one name; others says what
// would become of its further names.
func plain(info fs.FileInfo, others string) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: it is a symbolic link", ErrUnsafe)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file", ErrUnsafe)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return fmt.Errorf("%w: it has %d hard links, and %s", ErrUnsafe, st.Nlink, others)
	}
	return nil
}
