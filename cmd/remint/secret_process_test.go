//go:build linux && !race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSecretsOfTheProcess looks at the program from inside a call that it makes,
// run by an ordinary user: its memory is nobody's but root's, and it leaves no core.
func TestSecretsOfTheProcess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root, to be somebody else")
	}
	w := htpasswdWorld()
	template := prepared(t, w)
	c := newCase(t, w, template, "scheduled")
	const nobody = 65534
	for dir := c.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, c.dir, "chown", "-R", fmt.Sprintf("%d:%d", nobody, nobody), c.dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(c.dir, "remint")
	run(t, c.dir, "install", "-m", "755", exe, program)
	hook := `stat -c %u /proc/$PPID/mem /proc/$PPID/environ /proc/$PPID/maps > seen; grep "core file" /proc/$PPID/limits >> seen`
	cmd := exec.Command(program, "apply", "-all", "-auto-approve")
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "REMINT_TEST_CHILD=1", "REMINT_TEST_BREAK=" + hooked + " provider.Set#1", "REMINT_TEST_HOOK=" + hook}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := strings.Fields(string(readFile(filepath.Join(c.dir, "seen"))))
	if got := strings.Join(seen, " "); got != "0 0 0 Max core file size 0 0 bytes" {
		t.Errorf("owners of mem, environ and maps, and the limit of core files: %s", got)
	}
}
