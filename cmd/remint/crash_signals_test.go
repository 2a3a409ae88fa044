//go:build !race

package main

import (
	"fmt"
	"slices"
	"strings"
)

// heeded checks what is promised of signals (docs/operations.md), of a process that got
// one at an operation: after the first the step under way is finished and none is begun,
// and the second cuts off what is in flight, so that nothing is finished any more.
func heeded(at string, code int, lines []logged) error {
	way, op, _ := strings.Cut(at, " ")
	i := slices.Index(lines, logged{"broke", op})
	if i < 0 || !slices.Contains([]string{interrupt, interruptTwo, cutOff, sigterm}, way) {
		return nil
	}
	if byTime(op) {
		return nil // evidence is filed beside the steps: they go on until the signal has come
	}
	begun, allowed := 0, 0
	if way == interrupt || way == sigterm {
		allowed = 1 // whose step was looking about, and had not announced its change yet
	}
	if partOf(op) != nil || announces(op) {
		allowed = 0 // the step under way had
	}
	for _, l := range lines[i:] {
		switch {
		case l.word == "uncut":
			return fmt.Errorf("the second signal did not cut %s off", op)
		case l.word == "begin" && announces(l.op):
			begun++
		}
	}
	if begun > allowed {
		return fmt.Errorf("%d steps were begun after the signal, and not %d at most", begun, allowed)
	}
	if way == cutOff && code == 0 {
		return fmt.Errorf("%s was cut off, and the run says that everything is done", op)
	}
	return nil
}

// announces reports whether an operation is the record of a step that is about to change
// something.
func announces(op string) bool {
	return kind(op) == "journal.Append" && strings.Contains(op, "intend:")
}
