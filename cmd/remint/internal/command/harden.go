package command

import (
	"log/slog"
	"syscall"
)

// harden keeps secrets in memory from reaching a core file or another process
// of the same user: no core files, not dumpable. Where the system refuses,
// there is nothing better to do than to go on.
func harden() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // libraries log past the view; what they return is told
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
}
