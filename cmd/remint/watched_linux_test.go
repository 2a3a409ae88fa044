//go:build !race

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// run runs this program as remint under a watcher, and gives what it did.
func (w *watcher) run(env []string, args ...string) (string, int) {
	out, code, err := w.start(env, args...)
	if err != nil {
		return err.Error(), -2
	}
	return out, code
}

func (w *watcher) start(env []string, args ...string) (string, int, error) {
	w.calls, w.counts, w.rows = systemCalls(), map[string]int{}, map[string]int{}
	exe, err := os.Executable()
	if err != nil {
		return "", 0, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", 0, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "trap")
	defer func() { _ = unix.Close(pair[0]) }()
	var out bytes.Buffer
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = w.dir, &out, &out, []*os.File{theirs}
	cmd.Env = append(append(os.Environ(), "REMINT_TEST_CHILD=1", "REMINT_TEST_TRAP=1", "CI=", "GITHUB_ACTIONS="), env...)
	if err := cmd.Start(); err != nil {
		return "", 0, errors.Join(err, theirs.Close())
	}
	_ = theirs.Close()
	w.pid = cmd.Process.Pid
	listener, err := receive(pair[0])
	if err != nil {
		_ = cmd.Process.Kill()
		return "", 0, errors.Join(fmt.Errorf("%w\n%s", err, out.String()), cmd.Wait())
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer func() { _ = unix.Close(listener) }()
		w.serve(listener)
	}()
	err = cmd.Wait()
	<-served
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return out.String(), cmd.ProcessState.ExitCode(), err
}

// receive takes the descriptor that trapped sends.
func receive(fd int) (int, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(fd, make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return 0, errors.Join(errors.New("the program sent no descriptor"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return fds[0], nil
}
