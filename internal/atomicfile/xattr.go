package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// copyAttributes copies the extended attributes, ACLs among them, that dst
// does not have alike already.
func copyAttributes(dst, src *os.File) error {
	names, err := attributes(int(src.Fd()))
	if err != nil {
		return err
	}
	for _, name := range names {
		want, err := attribute(int(src.Fd()), name)
		if err != nil {
			return fmt.Errorf("read the attribute %s: %w", name, err)
		}
		if have, err := attribute(int(dst.Fd()), name); err == nil && bytes.Equal(have, want) {
			continue
		}
		if err := unix.Fsetxattr(int(dst.Fd()), name, want, 0); err != nil {
			return fmt.Errorf("keep the attribute %s: %w", name, err)
		}
	}
	return nil
}

func attributes(fd int) ([]string, error) {
	buf := make([]byte, 64<<10) // the kernel's limit
	n, err := unix.Flistxattr(fd, buf)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list attributes: %w", err)
	}
	return strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00"), nil
}

func attribute(fd int, name string) ([]byte, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Fgetxattr(fd, name, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
