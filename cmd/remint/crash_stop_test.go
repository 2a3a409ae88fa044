//go:build !race

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// overtaken runs remint until it is stopped at an operation, lets another runner
// want the same, and lets the first go on. Where the first holds the credential, the
// other is refused, with the name of who is at work, and has changed nothing. Where it
// does not, the other may do all of it, and the first wakes up to what is done.
func (c *crash) overtaken(at string, args ...string) (string, int) {
	exe, err := os.Executable()
	if err != nil {
		return err.Error(), -2
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	first := asChild(ctx, exe, c.dir, []string{"REMINT_TEST_LOG=" + c.log, "REMINT_TEST_BREAK=" + at}, args)
	var out bytes.Buffer
	first.Stdout, first.Stderr = &out, &out
	began, from := time.Now(), len(read(c.log))
	if err := first.Start(); err != nil {
		return err.Error(), -2
	}
	ended := make(chan struct{}, 1)
	go func() {
		_ = first.Wait() // how it ended is in its state
		ended <- struct{}{}
	}()
	problem := ""
	for still := true; still && ctx.Err() == nil; {
		switch {
		case stands(first.Process.Pid):
			problem = c.another(holds(read(c.log)[from:]), began)
			_ = first.Process.Signal(syscall.SIGCONT)
			still = false
		case len(ended) > 0: // it was not reached
			still = false
		default:
			time.Sleep(5 * time.Millisecond)
		}
	}
	<-ended
	code := first.ProcessState.ExitCode()
	fmt.Fprintf(&c.trail, "$ remint %s (%s): exit %d\n%s\n", strings.Join(args, " "), at, code, out.String())
	if problem != "" {
		c.trail.WriteString(problem + "\n")
		return problem, -2
	}
	return out.String(), code
}

// another is a second runner, beside a first one that began then and may hold the
// credential; what it says is wrong is what it did that it must not.
func (c *crash) another(held bool, began time.Time) string {
	before, log := c.outside(c.t), c.log+otherLog
	out, code := child(c.dir, []string{"REMINT_TEST_LOG=" + log}, "apply", "-auto-approve", "-reason="+c.reason, "credential."+c.name+".x") // by name: what the first has retired is not chosen otherwise
	fmt.Fprintf(&c.trail, "$ remint apply, meanwhile: exit %d\n%s\n", code, out)
	switch {
	case code == 0 && held && !c.mayTakeOver(began):
		return "another runner did all of it while the first held the credential"
	case code == 0:
		c.others++
		c.before = c.outside(c.t)
		if err := c.replaced(c.t); err != nil {
			return "another runner ends with exit 0, and yet: " + err.Error()
		}
		return ""
	case code != 1 || !strings.Contains(out, "Another run is at work") && !strings.Contains(out, "is one stopped?"):
		// The second is where it was stopped in the middle of a write to the state.
		return fmt.Sprintf("another runner ends with exit %d, and does not say that somebody is at work", code)
	case c.outside(c.t) != before || slices.ContainsFunc(read(log), func(l logged) bool { return l.word == "begin" && partOf(l.op) != nil }):
		return "another runner was refused, and changed something all the same"
	}
	return ""
}

// mayTakeOver reports whether a runner that was at work from began on may have been silent
// for so long that another one takes over: that is lawful where the target rejects it
// when it wakes, and only with the state in PostgreSQL.
func (c *crash) mayTakeOver(began time.Time) bool {
	const silent = 15 * time.Second
	return c.state != nil && c.state.fenced && time.Since(began) >= silent
}

// holds reports whether the process of these operations is known to hold its credentials:
// one that is giving them back may have, but for where it stopped right before.
func holds(lines []logged) (held bool) {
	for _, l := range lines {
		switch l.word + " " + kind(l.op) {
		case "effect journal.Acquire", "broke journal.Release":
			held = true
		case "begin journal.Release":
			held = false
		}
	}
	return held
}

// stands reports whether a process is stopped.
func stands(pid int) bool {
	stat := string(readFile("/proc/" + strconv.Itoa(pid) + "/stat"))
	_, after, _ := strings.Cut(stat, ") ")
	return strings.HasPrefix(after, "T")
}
