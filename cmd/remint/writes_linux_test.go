//go:build !race

package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ways in which a system call is broken.
const (
	killAt      = "kill-at"     // SIGKILL before it is made, which is after the one before it
	killWithin  = "kill-within" // SIGKILL between several writes in a row to one file
	failing     = "EIO"         // it fails, once
	noRoom      = "ENOSPC"      // from it on, nothing can be made or written
	noWriting   = "EROFS"       // from it on, nothing can be changed
	terminating = "SIGTERM"     // SIGTERM arrives while it is made
	quitting    = "SIGINT"      // SIGINT does
)

// durable is one operation: a system call, or several writes in a row to one file.
type durable struct {
	name, call string
	writes     int
}

// watcher names the durable writes of a process, and what leaves it, and breaks
// one of them.
type watcher struct {
	dir     string // paths are named relative to it
	ignored string // the test's own file in it
	way, at string // what to break, and how
	scope   string // where it fails from then on; everywhere if empty
	onBreak func()

	pid    int // of the process: of others only that they were started counts
	calls  map[int32]systemCall
	counts map[string]int
	rows   map[string]int // by file: how many writes came in a row
	found  []durable
	broke  bool
}

// notification and response are the kernel's seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// letOn is SECCOMP_USER_NOTIF_FLAG_CONTINUE.
const letOn = 1

// serve answers until nobody is left who could ask.
func (w *watcher) serve(listener int) {
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil {
			continue // a signal of the runtime's
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return
		}
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // who asked died
		}
		r := response{id: n.id, flags: letOn}
		if errno := w.judge(&n); errno != 0 {
			r.flags, r.errno = 0, -int32(errno)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	}
}

// judge says which error a call is to end with, 0 to let it be made.
func (w *watcher) judge(n *notification) unix.Errno {
	call := w.calls[n.nr]
	path := w.about(call, n)
	if path == "" {
		return 0
	}
	row := 1
	if call.writes() {
		w.rows[path]++
		row = w.rows[path]
	} else {
		delete(w.rows, path)
	}
	name := call.name + " " + path
	if row == 1 {
		w.counts[name]++
	}
	name += "#" + strconv.Itoa(w.counts[name])
	if i := slices.IndexFunc(w.found, func(f durable) bool { return f.name == name }); i >= 0 {
		w.found[i].writes = row
	} else {
		w.found = append(w.found, durable{name, call.name, row})
	}
	if w.broke && (w.way == noRoom || w.way == noWriting) {
		if !w.covers(path) {
			return 0
		}
		return call.fails(path, w.way)
	}
	if w.broke || name != w.at || (w.way == killWithin) != (row == 2) {
		return 0
	}
	w.broke = true
	w.onBreak()
	switch w.way {
	case killAt, killWithin:
		_ = unix.Kill(w.pid, unix.SIGKILL)
		return unix.EIO
	case terminating:
		_ = unix.Kill(w.pid, unix.SIGTERM)
		return 0
	case quitting:
		_ = unix.Kill(w.pid, unix.SIGINT)
		return 0
	}
	return call.fails(path, w.way)
}

// covers reports whether a path lies where it fails.
func (w *watcher) covers(path string) bool {
	return w.scope == "" || path == w.scope || strings.HasPrefix(path, w.scope+"/")
}

// fails gives what a call ends with where a disk, or a network, fails in a way: 0
// if that does not keep it from being made.
func (c systemCall) fails(path, way string) unix.Errno {
	switch {
	case c.name == "connect" && way == failing:
		return unix.ECONNREFUSED
	case path == socket && way == failing:
		return unix.ECONNRESET
	case path == socket || c.name == "execve" && way != failing:
		return 0
	case way == failing:
		return unix.EIO
	case way == noRoom && (c.makes() || c.writes()):
		return unix.ENOSPC
	case way == noWriting && c.name != "fsync":
		return unix.EROFS
	}
	return 0
}

// waysOf gives the ways to break an operation that break something.
func (w durable) ways() []string {
	out := []string{killAt}
	if w.writes > 1 {
		out = append(out, killWithin)
	}
	_, path, _ := strings.Cut(w.name, " ")
	path, _, _ = strings.Cut(path, "#")
	for _, way := range []string{failing, noRoom, noWriting} {
		if (systemCall{name: w.call}).fails(path, way) != 0 {
			out = append(out, way)
		}
	}
	if os.Getenv("REMINT_TORTURE") != "" {
		out = append(out, terminating, quitting)
	}
	return out
}

// socket is the name of whatever is at the other end of one.
const socket = "socket"

// about names what a call is about; "" for what is nobody else's business.
func (w *watcher) about(call systemCall, n *notification) string {
	pid := int(n.pid)
	if call.name != "execve" && group(pid) != w.pid {
		return ""
	}
	if n.nr == unix.SYS_OPENAT2 && number(pid, n.args[2])&(unix.O_CREAT|unix.O_TRUNC) == 0 {
		return ""
	}
	if call.path >= 0 {
		path := text(pid, n.args[call.path])
		if !filepath.IsAbs(path) {
			from := "cwd"
			if call.folder >= 0 && int32(n.args[call.folder]) != unix.AT_FDCWD {
				from = "fd/" + strconv.Itoa(int(int32(n.args[call.folder])))
			}
			folder, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/" + from)
			path = filepath.Join(folder, path)
		}
		return w.named(path)
	}
	path, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(int(int32(n.args[call.fd]))))
	if strings.HasPrefix(path, "socket:") {
		return socket
	}
	return w.named(path)
}

var (
	runIDs    = regexp.MustCompile(`\d{8}t\d{6}z-[0-9a-f]{8}`)
	madeNames = regexp.MustCompile(`\d{6,}`)
)

// named gives a path the same name in every run. Pipes and devices have none.
func (w *watcher) named(path string) string {
	path = strings.TrimSuffix(path, " (deleted)")
	in, inside := strings.CutPrefix(path, w.dir)
	switch {
	case path == w.ignored:
		return ""
	case inside:
		path = "." + in
	case !filepath.IsAbs(path) || strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/"):
		return ""
	}
	return madeNames.ReplaceAllString(runIDs.ReplaceAllString(path, "RUN"), "N")
}

// group gives the process of a thread.
func group(pid int) int {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, after, _ := strings.Cut(string(status), "Tgid:")
	line, _, _ := strings.Cut(after, "\n")
	n, _ := strconv.Atoi(strings.TrimSpace(line))
	return n
}

// number reads one of another process; one that cannot be read has all of its bits.
func number(pid int, at uint64) uint64 {
	var buf [8]byte
	if n, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &buf[0], Len: 8}}, []unix.RemoteIovec{{Base: uintptr(at), Len: 8}}, 0); err != nil || n != 8 {
		return ^uint64(0)
	}
	return binary.NativeEndian.Uint64(buf[:])
}

// text reads a string of another process.
func text(pid int, at uint64) string {
	var buf [unix.PathMax]byte
	for n := len(buf); n >= 256; n /= 2 { // it may end close to the end of what is mapped
		got, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &buf[0], Len: uint64(n)}}, []unix.RemoteIovec{{Base: uintptr(at), Len: n}}, 0)
		if err != nil {
			continue
		}
		s, _, _ := strings.Cut(string(buf[:got]), "\x00")
		return s
	}
	return ""
}

// byKernel reports whether a way is one of these.
func byKernel(way string) bool {
	return slices.Contains([]string{killAt, killWithin, failing, noRoom, noWriting, terminating, quitting}, way)
}
