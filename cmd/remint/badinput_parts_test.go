//go:build linux && !race

package main

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

func itoa(i int) string { return strconv.Itoa(i) }

// sparse makes a file of that size that takes no room.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	must(t, err)
	must(t, f.Truncate(size))
	must(t, f.Close())
}

func fifo(t *testing.T, path string) {
	t.Helper()
	must(t, syscall.Mkfifo(path, 0o644))
}
