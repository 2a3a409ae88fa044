package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/remint-dev/remint/engine/diag"
)

// started is an evaluator that has said hello.
func started(t *testing.T) *process {
	t.Helper()
	p, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	return p
}

// data is how much data the system lets it have.
func (p *process) data(t *testing.T) uint64 {
	t.Helper()
	var is unix.Rlimit
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_DATA, nil, &is); err != nil {
		t.Fatal(err)
	}
	return is.Cur
}

// nothing sends, or takes, nothing.
func nothing(*wire) error { return nil }

// An evaluator may take what it began with, what threads reserve, and what it is
// allowed: to the byte, more when more is asked, and never less.
func TestMemoryIsAllowed(t *testing.T) {
	p := started(t)
	for _, tc := range []struct{ ask, has uint64 }{{256 << 20, 256 << 20}, {128 << 20, 256 << 20}, {256<<20 + 1, 256<<20 + 1}, {256 << 20, 256<<20 + 1}} {
		if err := p.call(t.Context(), bound{time: time.Minute, memory: tc.ask}, nothing, nothing); err != nil {
			t.Fatal(err)
		}
		if got := p.data(t) - p.base - spare; got != tc.has || p.base < 1<<20 {
			t.Errorf("asked for %d: it may take %d beside %d", tc.ask, got, p.base)
		}
	}
	// Never more than the system lets it have.
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 30, Max: 1 << 30}, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.allow(math.MaxUint32); err != nil || p.data(t) != 1<<30 {
		t.Errorf("%d, %v", p.data(t), err)
	}
}

// What cannot be bounded is not asked.
func TestUnboundedIsNotAsked(t *testing.T) {
	p := started(t)
	if err := p.call(t.Context(), bound{time: time.Minute, memory: 1}, nothing, nothing); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	err := p.talk(t.Context(), bound{time: time.Minute, memory: 1 << 30}, func(*wire) error { t.Error("it is asked"); return nil }, nothing)
	if err == nil || !strings.Contains(err.Error(), "memory cannot be bounded") {
		t.Error(err)
	}
}

// Nor is one that no deadline can be set for.
func TestWithoutDeadlineIsNotAsked(t *testing.T) {
	p := started(t)
	_ = p.in.Close()
	if err := p.talk(t.Context(), roomy, func(*wire) error { t.Error("it is asked"); return nil }, nothing); err == nil {
		t.Error("no error")
	}
}

// An evaluator that ends without an answer says why as far as it can be known.
func TestEpitaphs(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"stack":        {"echo 'runtime: goroutine stack exceeds 67108864-byte limit' >&2; echo >&2; echo 'fatal error: stack overflow' >&2; exit 2", "needs too deep a stack"},
		"Go's stack":   {"echo 'runtime: goroutine stack exceeds 67108864-byte limit' >&2; exit 2", "needs too deep a stack"},
		"C stack":      {"echo 'stack overflow' >&2; exit 2", "needs too deep a stack"},
		"memory":       {"echo 'fatal error: runtime: out of memory' >&2; exit 2", "it took too much memory (more than 64 MiB)"},
		"panic":        {"echo 'panic: \x1b[31mboom' >&2; echo 'goroutine 1 [running]' >&2; exit 2", `the evaluator failed: "panic: \x1b[31mboom"`},
		"long panic":   {"printf 'x%.0s' $(seq 9000) >&2; exit 2", `the evaluator failed: "` + strings.Repeat("x", 200) + `"`},
		"signal":       {"kill -TERM $$", "ended by signal terminated"},
		"killed":       {"kill -KILL $$", "the evaluator ended: cause"},
		"quietly":      {"exit 3", "the evaluator ended: cause"},
		"system's own": {"echo 'runtime: failed to create new OS thread (have 8 already; errno=11)' >&2; exit 2", "too much memory"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &process{cmd: exec.Command("sh", "-c", tc.script)}
			p.cmd.Stderr = &p.last
			_ = p.cmd.Run()
			if got := p.epitaph(bound{memory: 64 << 20}, errors.New("cause")).Error(); !strings.Contains(got, tc.want) {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// However much is written to it, its head keeps the first of it, and takes it all.
func TestHeadKeepsTheFirst(t *testing.T) {
	var h head
	for i := range 10 {
		if n, err := fmt.Fprintf(&h, "%01000d", i); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	got := h.String()
	if !h.mu.TryLock() {
		t.Fatal("nobody else can write any more")
	}
	if len(got) != 4096 || !strings.HasPrefix(got[3000:], strings.Repeat("0", 999)+"3") {
		t.Errorf("%d bytes", len(got))
	}
}

// openFiles are this process's open files, by number.
func openFiles(t *testing.T) map[uint64]bool {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	out := map[uint64]bool{}
	for _, e := range list {
		n, err := strconv.ParseUint(e.Name(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // the list's own is gone
			out[n] = true
		}
	}
	return out
}

// Where no process can be started, the policy denies, whatever was missing for it;
// and nothing is left behind.
func TestNoProcessDenies(t *testing.T) {
	set := compileAll(t, source(one(good)))
	set.Close()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) }()
	before := openFiles(t)
	failed, started := 0, 0
	// There is room for an odd number of files, as pipes take two: one is left over.
	for room := 1; room < 18; room += 2 {
		most, free := uint64(0), 0
		for ; free < room; most++ {
			if !before[most] {
				free++
			}
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		_, diags := set.Eval(context.Background(), anInput())
		set.Close()
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		if !diags.HasErrors() {
			started++
		} else if failed++; diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "the evaluator cannot be started") {
			t.Errorf("%d more files: exit %v, %v", room, diags.Exit(), diags.Err())
		}
		if diff := cmp.Diff(before, openFiles(t)); diff != "" {
			t.Fatalf("with %d more files, some stay open: %s", room, diff)
		}
		delete(set.remote.broken, "house") // asked again all the same
	}
	if started == 0 || failed < 3 {
		t.Errorf("%d started, %d did not", started, failed)
	}
}

// Who gives up on an answer ends the evaluator; who has it does not.
func TestCancelling(t *testing.T) {
	set := compileAll(t, source(one(good)))
	ctx, cancel := context.WithCancel(context.Background())
	pid := set.remote.p.cmd.Process.Pid
	if _, diags := set.Eval(ctx, anInput()); diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	cancel()
	for range 20 {
		if _, diags := set.Eval(context.Background(), anInput()); diags.HasErrors() || set.remote.p.cmd.Process.Pid != pid {
			t.Fatalf("after its answer, a question cancels others: %v", diags.Err())
		}
	}
	endless := "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if bits.lsh(1, 1000000000) == 7\n"
	set, diags := Options{Limits: Limits{Time: time.Hour, Memory: 1 << 40}}.Compile(context.Background(), []Source{source(one(endless))})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	defer set.Close()
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, diags := set.Eval(ctx, anInput()); diags.Exit() != diag.ExitError || diags[0].Summary != "Interrupted" {
		t.Error(diags.Err())
	}
	if set.remote.p != nil || len(set.remote.broken) > 0 {
		t.Error("it goes on, or is not asked any more")
	}
}

// A call that fails leaves no process behind, and says what became of it.
func TestAFailedCallEndsIt(t *testing.T) {
	bad := errors.New("bad")
	for name, tc := range map[string]struct {
		bound         bound
		send, receive func(*wire) error
		want          string
	}{
		"sending":   {roomy, func(*wire) error { return bad }, nothing, "the evaluator ended: bad"},
		"receiving": {roomy, nothing, func(*wire) error { return bad }, "the evaluator ended: bad"},
		"nonsense":  {roomy, nothing, func(*wire) error { return errFrame }, errFrame.Error()},
		"silence":   {bound{time: time.Millisecond - grace}, nothing, func(c *wire) error { return c.read(&reply{}) }, "it took too long (more than -999ms)"},
		"no hello":  {bound{time: -grace}, nothing, nothing, "it took too long"},
	} {
		t.Run(name, func(t *testing.T) {
			p := started(t)
			err := p.call(t.Context(), tc.bound, tc.send, tc.receive)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if err := syscall.Kill(p.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("it still runs: %v", err)
			}
		})
	}
}

// An evaluator reads the end of its input as the end, and anything else as a reason to end too.
func TestAnEvaluatorEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		input []byte
		want  int
	}{
		"no input":     {nil, 0},
		"nonsense":     {[]byte("HTTP/1.1 200 OK\r\n\r\n"), 1},
		"cut":          {[]byte{0, 0}, 1},
		"unknown":      {framed(t, request{Op: "allow"}), 1},
		"out of order": {framed(t, request{Op: opAsk, Source: "house", Memory: 1 << 30}), 1},
		"no shape":     {framed(t, request{Op: opInput, Input: anInput(), Parts: 1, Memory: 1 << 30}, sentReset{Shape: 0}), 1},
	} {
		var out bytes.Buffer
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{evaluatorName}, Env: []string{}, Stdin: bytes.NewReader(tc.input), Stdout: &out}
		_ = cmd.Run()
		var h hello
		c := newWire(&out, nil)
		if err := c.read(&h); err != nil || h.Data < 1<<20 || cmd.ProcessState.ExitCode() != tc.want {
			t.Errorf("%s: %v, hello %s, exit %d", name, err, strconv.FormatUint(h.Data, 10), cmd.ProcessState.ExitCode())
		}
	}
}
