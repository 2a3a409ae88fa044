package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// readReasons reads equivalent.txt: on each line a mutant's key, then " -- ", then
// why no test can kill it. Empty lines and lines that begin with # are for people.
func readReasons(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		// The source in a key may have the mark in it; a reason has not.
		at := strings.LastIndex(line, " -- ")
		if at < 0 || strings.TrimSpace(line[at+4:]) == "" {
			return nil, fmt.Errorf("%s:%d: no reason: write KEY -- REASON", path, i+1)
		}
		out[line[:at]] = line[at+4:]
	}
	return out, nil
}

// readKept reads the keys of mutants that were killed before.
func readKept(path string) (map[string]bool, error) {
	out := map[string]bool{}
	if path == "" {
		return out, nil
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		out[strings.TrimSuffix(line, "\n")] = true
	}
	return out, nil
}

func writeKept(path string, kept map[string]bool) error {
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(strings.Join(slices.Sorted(maps.Keys(kept)), "\n")+"\n"), 0o644)
}
