package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// commands adds the page of commands: what the program itself says of them.
func commands(files map[string][]byte) error {
	dir, err := os.MkdirTemp("", "remint-generate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "remint")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/remint").CombinedOutput(); err != nil {
		return fmt.Errorf("the program does not build: %s", out)
	}
	help := func(args ...string) (string, error) {
		out, err := exec.Command(program, args...).Output()
		return string(out), err
	}
	all, err := help("help")
	if err != nil {
		return err
	}
	all = regexp.MustCompile(`^remint \S+:`).ReplaceAllString(all, "remint:")
	var b strings.Builder
	fmt.Fprintf(&b, "%s# Commands\n\n```text\n%s```\n", strings.Replace(generated, "the schemas in the code", "the program's own help", 1), all)
	list, _, _ := strings.Cut(all[strings.Index(all, "Commands:\n")+len("Commands:\n"):], "\n\n")
	for line := range strings.Lines(list) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		text, err := help(name, "-help")
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s```\n", name, text)
	}
	files["docs/reference/commands.md"] = []byte(b.String())
	return nil
}
