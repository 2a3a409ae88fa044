// Command generate writes what follows from the code: the JSON schemas of every
// document, and the reference pages of commands, providers, sinks and the policy input.
//
//	go run ./internal/generate          writes
//	go run ./internal/generate -check   names what differs, and fails
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

func main() {
	check := flag.Bool("check", false, "change nothing; fail if something would change")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	files := map[string][]byte{}
	for _, add := range []func(map[string][]byte) error{schemas, reference, library, commands} {
		if err := add(files); err != nil {
			return err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	differs := false
	for _, name := range names {
		old, err := os.ReadFile(name)
		if err == nil && bytes.Equal(old, files[name]) {
			continue
		}
		if check {
			fmt.Fprintln(os.Stderr, name, "is not what the code says")
			differs = true
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, files[name], 0o644); err != nil {
			return err
		}
		fmt.Println(name)
	}
	if differs {
		return fmt.Errorf("run `make generate`, look at what changed, and commit it")
	}
	return nil
}
