package command

import (
	"io"
	"os"
)

// replaceable reports whether nothing but a file that begins with head is lost when
// path is written: a mistyped name must not cost a key or a workspace.
func replaceable(path, head string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	got := make([]byte, len(head))
	_, err = io.ReadFull(f, got)
	return err == nil && string(got) == head
}
