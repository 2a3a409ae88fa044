package flock

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// holder names the process that has f's lock, as far as the system tells: it does
// not of processes of another container.
func holder(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return somebody
	}
	locks, err := os.ReadFile("/proc/locks")
	st, ok := info.Sys().(*syscall.Stat_t)
	if err != nil || !ok {
		return somebody
	}
	// 1: FLOCK  ADVISORY  WRITE 4711 fe:01:262145 0 EOF
	// with an arrow behind the number where one waits.
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(locks)) {
		x := strings.Fields(line)
		if len(x) > 5 && x[1] == "FLOCK" && x[5] == file && x[4] != "0" && x[4] != "-1" {
			return "process " + x[4]
		}
	}
	return somebody
}
