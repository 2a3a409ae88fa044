package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spare is what a started evaluator may take besides the memory it is
	// allowed: stacks of threads, which are reserved and hardly used.
	spare = 48 << 20
	// grace is how much longer than its own bound an evaluator lives: it may
	// need it to say where it was.
	grace = time.Second
)

// process is a running evaluator, seen from the program.
type process struct {
	cmd     *exec.Cmd
	wire    *wire
	in, out *os.File
	last    head
	ended   chan struct{}
	// base is the memory it had before any Rego; allowed what it may have more.
	base, allowed uint64
	greeted       bool
}

// start runs this program again as an evaluator: without an environment, with
// no files but three pipes, in a process group of its own (an interrupt at the
// terminal is not for it), and dead when this process is.
func start() (*process, error) {
	childIn, in, err := os.Pipe()
	out, childOut, fault := os.Pipe()
	if err = errors.Join(err, fault); err != nil {
		_, _, _, _ = childIn.Close(), in.Close(), out.Close(), childOut.Close() // which may be nil
		return nil, err
	}
	p := &process{in: in, out: out, wire: newWire(out, in), ended: make(chan struct{})}
	p.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{evaluatorName}, Env: []string{}, Dir: "/",
		Stdin: childIn, Stdout: childOut, Stderr: &p.last,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	// What this process inherited open is not for its children.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the death of the thread would count as that of the parent
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		_ = p.cmd.Wait() // which returns at once where nothing was started
		close(p.ended)
	}()
	err = <-started
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, err
	}
	return p, nil
}

// end kills it, if it still runs, and waits for that.
func (p *process) end() {
	_ = p.cmd.Process.Kill()
	_, _ = p.in.Close(), p.out.Close()
	<-p.ended
}

// allow lets it have n bytes besides what it started with. It never takes away:
// what a heap has taken from the system once counts for good.
func (p *process) allow(n uint64) error {
	if n <= p.allowed {
		return nil
	}
	p.allowed = n
	var most unix.Rlimit
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_DATA, nil, &most); err != nil {
		return err
	}
	most.Cur = min(p.base+spare+n, most.Max) // this process may itself be limited
	return unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_DATA, &most, nil)
}

// call has what is sent answered within b, grace added. Any error ends the process,
// and says why: the bound that was passed, or what became of it.
func (p *process) call(ctx context.Context, b bound, send func(*wire) error, receive func(*wire) error) error {
	err := p.talk(ctx, b, send, receive)
	if err == nil {
		return nil
	}
	p.end()
	switch {
	case ctx.Err() != nil:
		return errCancel
	case errors.Is(err, os.ErrDeadlineExceeded):
		return tooLong(b.time)
	case errors.Is(err, errFrame):
		return err
	}
	return p.epitaph(b, err)
}

func (p *process) talk(ctx context.Context, b bound, send func(*wire) error, receive func(*wire) error) error {
	deadline := time.Now().Add(b.time + grace)
	if err := errors.Join(p.in.SetDeadline(deadline), p.out.SetDeadline(deadline)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer stop()
	defer p.wait(measure(p.cmd.Process.Pid, b.time))()
	if !p.greeted {
		var h hello
		if err := p.wire.read(&h); err != nil {
			return err
		}
		p.base, p.greeted = h.Data, true
	}
	if err := p.allow(b.memory); err != nil {
		return fmt.Errorf("its memory cannot be bounded: %w", err)
	}
	if err := errors.Join(send(p.wire), p.wire.w.Flush()); err != nil {
		return err
	}
	return receive(p.wire)
}

// wait puts off the deadline while it has not had the processor for as long as it may;
// what is returned ends that.
func (p *process) wait(spent meter) func() {
	done := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		look := time.NewTimer(spent.bound)
		defer look.Stop()
		for {
			select {
			case <-done:
				return
			case <-look.C:
			}
			left := spent.left()
			if left <= 0 {
				return
			}
			deadline := time.Now().Add(left + grace)
			_, _ = p.in.SetDeadline(deadline), p.out.SetDeadline(deadline)
			look.Reset(left)
		}
	})
	return func() { close(done); waiting.Wait() }
}

// starved is what Go's runtime says when the system refuses it memory. Its
// collector does not look, and runs into address zero.
var starved = []string{
	"out of memory", "cannot allocate memory", "failed to reserve", "failed to create new OS thread", "pthread_create failed", "SIGSEGV: segmentation violation",
	"ThreadSanitizer failed to allocate", // as the race detector says it
}

// epitaph says why it died by itself.
func (p *process) epitaph(b bound, err error) error {
	text := p.last.String()
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case strings.Contains(text, "stack overflow"), strings.Contains(text, "stack exceeds"):
		return errors.New("it needs too deep a stack; its rules or data nest too deep")
	case slices.ContainsFunc(starved, func(sign string) bool { return strings.Contains(text, sign) }):
		return tooMuch(b.memory)
	case text != "":
		first, _, _ := strings.Cut(text, "\n")
		return fmt.Errorf("the evaluator failed: %.200q", first)
	case status.Signaled() && status.Signal() != syscall.SIGKILL:
		return fmt.Errorf("the evaluator was ended by signal %v", status.Signal())
	}
	return fmt.Errorf("the evaluator ended: %w", err)
}

// head keeps the first of what is written.
type head struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

// Write keeps what there is room for.
func (h *head) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept.Write(b[:min(len(b), 4096-h.kept.Len())])
	return len(b), nil
}

// String is what was kept.
func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept.String()
}
