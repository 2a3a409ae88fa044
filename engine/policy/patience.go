package policy

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how many times its bound a judgement may take by the clock, where the
// machine is too busy to give it the processor for that long.
const patience = 8

// meter says how much of a bound on time a process has left, counted from when it was
// made. Time is the processor's: a judgement is not denied because of what else runs.
type meter struct {
	pid   int // 0 for this process
	begun time.Time
	used  time.Duration
	bound time.Duration
}

func measure(pid int, bound time.Duration) meter {
	return meter{pid: pid, begun: time.Now(), used: processorTime(pid), bound: bound}
}

// left is not positive when the bound has passed, or patience has.
func (m meter) left() time.Duration {
	now := processorTime(m.pid)
	if now == math.MaxInt64 {
		return 0
	}
	return min(m.bound-(now-m.used), patience*m.bound-time.Since(m.begun))
}

// processorTime is what all threads of a process have used, by the clock whose number
// clock_getcpuclockid(3) would give. Where it cannot be told, as of a process that is
// gone, it is so much that nobody waits.
func processorTime(pid int) time.Duration {
	const scheduler = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return math.MaxInt64
	}
	return time.Duration(t.Nano())
}
