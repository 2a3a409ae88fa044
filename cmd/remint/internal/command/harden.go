package command

import (
	"log/slog"
	"os"
	"strings"
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

// variablePrefix begins the names of what gives the workspace's variables their values.
const variablePrefix = "REMINT_VAR_"

// withhold keeps the values of the workspace's variables, which may be secrets, from
// every program that is started from here: environ, where they stood, was read.
func withhold(environ []string) {
	for _, kv := range environ {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, variablePrefix) {
			_ = os.Unsetenv(name)
		}
	}
}
