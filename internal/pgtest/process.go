package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Stop ends the server, waits for it, and removes its folder. Open sessions
// are cut off. Stopping twice is stopping once.
func (s *Server) Stop() error {
	if err := s.end(); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// Crash ends the server at once, as a power cut would but for what the disk
// has yet to write, and starts it again on another port.
func (s *Server) Crash(ctx context.Context) error {
	if err := s.process.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	select {
	case <-s.exited:
		return s.launch(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end asks for a fast shutdown, then for an immediate one, then kills.
func (s *Server) end() error {
	if s.exited == nil { // never started
		return nil
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := s.process.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-s.exited:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return errors.New("the server does not end")
}

// findBin finds the newest PostgreSQL: through PATH, or where Debian puts it.
func findBin() (string, error) {
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL server found: neither `postgres` in PATH nor /usr/lib/postgresql/*/bin")
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// unprivileged is the user that the server runs as where the caller is root,
// which PostgreSQL refuses; nil for the caller.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user `postgres`: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

// runAs puts the child in a process group of its own, so that a Ctrl-C at the
// terminal does not end the server before its test.
func runAs(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Setpgid: true}
}
