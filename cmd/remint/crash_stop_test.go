//go:build !race

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// overtaken runs remint until it is stopped at an operation, lets another runner
// want the same, and lets the first go on. Either the other is refused, with the
// name of who is at work, and has changed nothing; or it does all of it, and the
// first wakes up to what is done.
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
			problem = c.another()
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
		return problem, -2
	}
	return out.String(), code
}

// another is a second runner; what it says is wrong is what it did that it must not.
func (c *crash) another() string {
	before := c.outside(c.t)
	out, code := child(c.dir, nil, "apply", "-auto-approve", "-reason="+c.reason, "-all")
	fmt.Fprintf(&c.trail, "$ remint apply, meanwhile: exit %d\n%s\n", code, out)
	switch {
	case code == 0:
		c.others++
		c.before = c.outside(c.t)
		return ""
	case code != 1 || !strings.Contains(out, "Another run is at work") && !strings.Contains(out, "is one stopped?"):
		// The second is where it was stopped in the middle of a write to the state.
		return fmt.Sprintf("another runner ends with exit %d, and does not say that somebody is at work", code)
	case c.outside(c.t) != before:
		return "another runner was refused, and changed something all the same"
	}
	return ""
}

// stands reports whether a process is stopped.
func stands(pid int) bool {
	stat := string(readFile("/proc/" + strconv.Itoa(pid) + "/stat"))
	_, after, _ := strings.Cut(stat, ") ")
	return strings.HasPrefix(after, "T")
}
