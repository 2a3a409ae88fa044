package command

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// grace is how long, after the program has ended, its output may be held open
// by what it started.
const grace = time.Second

type consumer struct {
	command []string
	env     []string
	dir     string
	timeout time.Duration
}

// Reload runs the program. A failure is Transient: running it again is always
// allowed. One that was killed is Ambiguous; one that cannot be started, Permanent.
func (c *consumer) Reload(ctx context.Context, _ string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var output counter
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	name := addrs.Visible(c.command[0])
	if ctx.Err() != nil {
		return provider.Errorf(provider.Transient, "%s was not run: the run was cancelled", name)
	}
	if err := cmd.Start(); err != nil {
		return c.unstartable(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return provider.Errorf(provider.Ambiguous, "%s was killed, as it had not ended in time (timeout is %s)", name, c.timeout)
	case ctx.Err() != nil:
		return provider.Errorf(provider.Ambiguous, "%s was killed, as the run was cancelled", name)
	case errors.As(err, &exit) && exit.Exited():
		return provider.Errorf(provider.Transient, "%s exited with %d after %d bytes of output; output is not kept: look in the service's own log, or run it by hand", name, exit.ExitCode(), output.Load())
	case errors.As(err, &exit):
		status, _ := exit.Sys().(syscall.WaitStatus)
		return provider.Errorf(provider.Ambiguous, "%s was ended by somebody else (%s)", name, status.Signal())
	}
	return provider.Errorf(provider.Ambiguous, "%s: nobody knows how it ended: %s", name, addrs.Visible(err.Error()))
}

func (c *consumer) unstartable(err error) error {
	name, why := addrs.Visible(c.command[0]), "check its path and its mode"
	_, dirErr := os.Stat(c.dir)
	switch {
	case dirErr != nil:
		why = "the folder " + addrs.Visible(c.dir) + " cannot be entered"
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no such program on this machine, or its interpreter is missing"
	case errors.Is(err, syscall.ENOEXEC):
		why = "it is no program: a script must begin with #! and its interpreter"
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return provider.Errorf(provider.Transient, "%s was not started: the system is out of processes or memory", name)
	}
	return provider.Errorf(provider.Permanent, "%s was not started: %s", name, why)
}

// counter forgets what is written to it, and remembers how much it was.
type counter struct{ atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.Add(int64(len(b)))
	return len(b), nil
}
