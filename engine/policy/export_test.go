package policy

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// EvaluatorPeak is the most memory that the process which judges unknown Rego has
// had resident, in bytes; 0 where there is no such process.
func (s *Set) EvaluatorPeak() (int64, error) {
	if s.remote == nil || s.remote.p == nil {
		return 0, nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.remote.p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the process does not tell its VmHWM")
}
