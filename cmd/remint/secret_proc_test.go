//go:build linux && !race

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// program is how the program itself is called among the samples: its own
	// environment has what the caller puts there, and nothing can take it out of /proc.
	program = "remint"
	// evaluatorProcess is the process that policies run in.
	evaluatorProcess = "remint-policy-evaluator"
)

// proc keeps what /proc shows of the program and of what it starts, while it runs.
type proc struct {
	seen    map[string]map[string]bool // what was read, by the file and whose it is
	samples map[string]int             // by whose; an unreadable file is none
}

func newProc() *proc { return &proc{map[string]map[string]bool{}, map[string]int{}} }

// watch looks until ended.
func (p *proc) watch(pid int, ended <-chan struct{}) {
	for {
		p.look(pid, "", program)
		select {
		case <-ended:
			return
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// look samples a process and its children. parent is the command line of the process
// that started it: until it has become another program, it is a copy of that one. of
// is whose it is; "" for a child of the program itself, which gives it and what it
// starts its name.
func (p *proc) look(pid int, parent, of string) {
	dir := fmt.Sprintf("/proc/%d", pid)
	line, err := os.ReadFile(dir + "/cmdline")
	if err != nil || len(line) == 0 || string(line) == parent {
		return
	}
	if bytes.Contains(line, []byte("kill -QUIT $PPID")) { // the test's own
		return
	}
	environ, err := os.ReadFile(dir + "/environ") // it can only have become a later program than the line is of
	if err != nil {
		return
	}
	if of == "" {
		of = named(line)
	}
	p.keep("cmdline of "+of, line)
	p.keep("environ of "+of, environ)
	p.samples[of]++
	inherits := of
	if of == program {
		inherits = ""
	}
	children, err := filepath.Glob(dir + "/task/*/children")
	if err != nil {
		return
	}
	for _, f := range children {
		for _, child := range strings.Fields(string(readFile(f))) {
			var n int
			if _, err := fmt.Sscan(child, &n); err == nil {
				p.look(n, string(line), inherits)
			}
		}
	}
}

// named is how a program is called: of a script, by its own name.
func named(line []byte) string {
	words := strings.Split(string(line), "\x00")
	if name := filepath.Base(words[0]); name != "sh" || len(words) < 2 || strings.HasPrefix(words[1], "-") {
		return name
	}
	return filepath.Base(words[1])
}

func (p *proc) keep(what string, b []byte) {
	if p.seen[what] == nil {
		p.seen[what] = map[string]bool{}
	}
	p.seen[what][string(b)] = true
}

// places are what was seen, as texts to search.
func (p *proc) places() map[string][]byte {
	out := map[string][]byte{}
	for what, texts := range p.seen {
		for text := range texts {
			out["/proc: "+what] = append(append(out["/proc: "+what], text...), '\n')
		}
	}
	return out
}
