package main

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// trapped hands this process's durable writes, and what of it leaves the process,
// to the one that holds the other end of descriptor REMINT_TEST_TRAP: each such
// system call, of every thread and of every later process, waits for its word.
// The program under test knows nothing of it, and can hide nothing from it.
func trapped() {
	if os.Getenv("REMINT_TEST_TRAP") == "" {
		return
	}
	// The one message that is sent here goes past the filter, by a descriptor that
	// nothing else has.
	if err := unix.Dup3(trapDescriptor, trapSender, unix.O_CLOEXEC); err != nil {
		panic(err)
	}
	_ = unix.Close(trapDescriptor)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	program := trapProgram()
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		panic(errno)
	}
	if err := unix.Sendmsg(trapSender, []byte{0}, unix.UnixRights(int(listener)), nil, 0); err != nil {
		panic(err)
	}
	_ = unix.Close(int(listener))
	_ = unix.Close(trapSender)
}

// trapDescriptor is the first of exec.Cmd's ExtraFiles; trapSender is where it is kept, out
// of the way of the lowest ones, which are given out again.
const (
	trapDescriptor = 3
	trapSender     = 1000
)

// trapProgram is the filter: what it does not name goes on as ever. Opening
// counts where it makes or cuts a file. What openat2 is to do stands in memory, where
// a filter cannot look: the watcher does.
func trapProgram() []unix.SockFilter {
	const number, arguments, flags = 0, 16, unix.O_CREAT | unix.O_TRUNC
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	answer := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	program := []unix.SockFilter{load(number)}
	for call := range systemCalls() {
		if call == unix.SYS_OPENAT || call == unix.SYS_SENDMSG {
			continue
		}
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 1},
			answer(unix.SECCOMP_RET_USER_NOTIF))
	}
	return append(program,
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SENDMSG, Jf: 4},
		load(arguments),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: trapSender, Jf: 1},
		answer(unix.SECCOMP_RET_ALLOW),
		answer(unix.SECCOMP_RET_USER_NOTIF),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_OPENAT, Jf: 3},
		load(arguments+2*8),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: flags, Jf: 1},
		answer(unix.SECCOMP_RET_USER_NOTIF),
		answer(unix.SECCOMP_RET_ALLOW))
}
