//go:build linux && !race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The bounds on what any bad input may cost: all processes of a command together.
// Two limits of the system kill a process that is far beyond them; the rest is read.
const (
	badSeconds  = 5         // of the processor
	badResident = 256 << 10 // in KB
	badDataKB   = 2 << 20
)

// badWaits is how many looks in a row at a command may find none of its threads running,
// ready or at the disk: 20 s at least, and more where the machine is too busy to look. It
// waits for what never comes then, as for the writer of a pipe.
const badWaits = 1000

// cost is what a command took.
type cost struct {
	exit     int
	cpu      float64 // seconds
	resident int64   // KB
	waited   bool    // it was killed, since it only waited
}

// seconds are those of the processor that a command may take now. Where far more wants to
// run than there are processors, a second of one is worth less.
func seconds() float64 {
	var load float64
	text, _ := os.ReadFile("/proc/loadavg")
	if _, err := fmt.Sscan(string(text), &load); err == nil && load > 3*float64(runtime.NumCPU()) {
		return 3 * badSeconds
	}
	return badSeconds
}

// over says which bound was passed.
func (c cost) over() (out []string) {
	if c.cpu > seconds() {
		out = append(out, fmt.Sprintf("%.1f s of the processor", c.cpu))
	}
	if c.resident > badResident {
		out = append(out, fmt.Sprintf("%d MB resident", c.resident>>10))
	}
	if c.waited {
		out = append(out, "it does nothing but wait")
	}
	return out
}

// watch looks at a process and its descendants until done is closed, and kills their
// group when they only wait.
type watch struct {
	root     int
	waits    int          // badWaits
	resident atomic.Int64 // KB
	waited   atomic.Bool
}

func (w *watch) look(done <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	idle := 0
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		resident, busy := int64(0), false
		for _, pid := range family(w.root, nil) {
			high, shared := memory(pid)
			if resident += high; pid != w.root {
				resident -= shared // the program's text, which was counted with the first
			}
			busy = busy || running(pid)
		}
		w.resident.Store(max(w.resident.Load(), resident))
		if idle++; busy {
			idle = 0
		}
		if idle > w.waits {
			w.waited.Store(true)
			_ = syscall.Kill(-w.root, syscall.SIGKILL)
			return
		}
	}
}

// family is a process with its descendants.
func family(pid int, out []int) []int {
	out = append(out, pid)
	for _, task := range tasks(pid) {
		list, _ := os.ReadFile(task + "/children")
		for _, text := range strings.Fields(string(list)) {
			var child int
			if _, err := fmt.Sscan(text, &child); err == nil {
				out = family(child, out)
			}
		}
	}
	return out
}

// tasks are the folders of a process's threads.
func tasks(pid int) (out []string) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		out = append(out, dir+"/"+e.Name())
	}
	return out
}

// little makes this process so small that it does not hide its children: what a process had
// resident before it became another program counts for that one too. It gives what is left.
func little() int64 {
	if high, _ := memory(os.Getpid()); high > badResident/4 {
		debug.FreeOSMemory()
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	}
	high, _ := memory(os.Getpid())
	return high
}

// memory is how much a process had resident at most, and how much of files it has now, in KB.
func memory(pid int) (high, shared int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmHWM":
			_, _ = fmt.Sscan(value, &high)
		case "RssFile":
			_, _ = fmt.Sscan(value, &shared)
		}
	}
	return high, shared
}

// running reports whether a thread of a process runs, could run, or is at the disk.
func running(pid int) bool {
	for _, task := range tasks(pid) {
		stat, _ := os.ReadFile(task + "/stat")
		_, after, _ := strings.Cut(string(stat), ") ")
		if strings.HasPrefix(after, "R") || strings.HasPrefix(after, "D") {
			return true
		}
	}
	return false
}

// TestBadInputCost: what the rows are held to is seen where it is passed.
func TestBadInputCost(t *testing.T) {
	start := func(waits int, script string) (w *watch, release, wait func()) {
		cmd := exec.Command("bash", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := cmd.StdinPipe()
		must(t, err)
		must(t, cmd.Start())
		w = &watch{root: cmd.Process.Pid, waits: waits}
		done := make(chan struct{})
		go w.look(done)
		return w, func() { _ = in.Close() }, func() { _ = cmd.Wait(); close(done) } // it may have been killed
	}
	w, _, wait := start(10, "read")
	if wait(); !w.waited.Load() {
		t.Error("who waits for nothing is not noticed")
	}
	w, _, wait = start(50, "for i in {1..300000}; do :; done")
	if wait(); w.waited.Load() {
		t.Error("who works is taken for one who waits")
	}
	w, release, wait := start(500, `hold() { /usr/bin/python3 -c 'import sys; b = b"x" * (150 << 20); sys.stdin.read()'; }; hold <&0 & hold; wait`)
	for w.resident.Load() <= badResident && !w.waited.Load() {
		time.Sleep(10 * time.Millisecond)
	}
	release()
	if wait(); w.waited.Load() {
		t.Errorf("two of 150 MB are counted as %d MB", w.resident.Load()>>10)
	}
}
