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
	if err := unix.Sendmsg(trapDescriptor, []byte{0}, unix.UnixRights(int(listener)), nil, 0); err != nil {
		panic(err)
	}
	_ = unix.Close(int(listener))
	_ = unix.Close(trapDescriptor)
}

// trapDescriptor is the first of exec.Cmd's ExtraFiles.
const trapDescriptor = 3

// trapProgram is the filter: what it does not name goes on as ever. Opening
// counts where it makes or cuts a file.
func trapProgram() []unix.SockFilter {
	const number, arguments, flags = 0, 16, unix.O_CREAT | unix.O_TRUNC
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	answer := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	program := []unix.SockFilter{load(number)}
	for call := range systemCalls() {
		if call == unix.SYS_OPENAT {
			continue
		}
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 1},
			answer(unix.SECCOMP_RET_USER_NOTIF))
	}
	return append(program,
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_OPENAT, Jf: 3},
		load(arguments+2*8),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: flags, Jf: 1},
		answer(unix.SECCOMP_RET_USER_NOTIF),
		answer(unix.SECCOMP_RET_ALLOW))
}
