//go:build linux && !race

package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/remint-dev/remint/internal/pgtest"
)

// The ways in which a disk fails: full or read-only at an operation, and full
// but for some room from the beginning.
const (
	full     = "full"
	readOnly = "read-only"
	almost   = "almost-full"
)

// scopes are what is on the failing disk.
var scopes = []string{".remint", "evidence", "."}

// disk is a small file system of its own, mounted into a workspace.
type disk struct{ dir string }

// newDisk moves what is in a folder onto a tmpfs that is mounted over it.
func newDisk(t *testing.T, dir string) disk {
	t.Helper()
	kept := t.TempDir()
	run(t, kept, "cp", "-a", dir+"/.", kept)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=0700"); err != nil {
		t.Fatalf("mount: %v: this test needs root and the right to mount", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("umount: %v", err)
		}
	})
	run(t, kept, "cp", "-a", ".", dir)
	return disk{dir}
}

// filler takes all room but for left bytes; done by a shell, so that it can be a
// hook of the program under test.
func (d disk) filler(left int) string {
	return fmt.Sprintf("head -c %d /dev/zero > %[2]s/.room; cat /dev/zero > %[2]s/.filler 2>/dev/null; rm %[2]s/.room", left, d.dir)
}

func (d disk) heal() error {
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, "size=4m,mode=0700"); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(d.dir, ".filler"))
}

// newDiskFault is a case whose own log stays on a good disk.
func newDiskFault(t *testing.T, w world, template, reason, scope string) (c *faultCase, dir string) {
	t.Helper()
	c = newFault(t, w, template, reason)
	dir = filepath.Join(c.dir, scope)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.log = filepath.Join(t.TempDir(), "operations")
	return c, dir
}

// diskCase is a case with a part of its workspace on a disk of its own.
func diskCase(t *testing.T, w world, template, reason, scope string) (*faultCase, disk) {
	t.Helper()
	c, dir := newDiskFault(t, w, template, reason, scope)
	d := newDisk(t, dir)
	c.heal, c.lasts = d.heal, true
	return c, d
}

// fault breaks the disk of a scope at an operation.
func diskFault(t *testing.T, f *faults, w world, template, reason, scope, op, way string) {
	t.Helper()
	if way == readOnly {
		diskReadOnly(t, f, w, template, reason, scope, op)
		return
	}
	c, d := diskCase(t, w, template, reason, scope)
	c.env = []string{"REMINT_TEST_BREAK=" + hooked + " " + op, "REMINT_TEST_HOOK=" + d.filler(0)}
	c.run(t, f, way, c.broke)
}

// broke reports whether the operation came.
func (c *faultCase) broke() bool {
	return slices.ContainsFunc(read(c.log), func(l logged) bool { return l.word == "broke" })
}

// diskReadOnly lets nothing be written in a scope from an operation on, nor by a
// process that comes after. The kernel makes no mount read-only while a file of it
// is open for writing, as the state's is; on a disk that fails, the calls fail. So
// they do here, with EROFS, and the hook's shell is the sign from when on.
func diskReadOnly(t *testing.T, f *faults, w world, template, reason, scope, op string) {
	t.Helper()
	c, _ := newDiskFault(t, w, template, reason, scope)
	began, failing, healed := false, false, false
	c.as = func(env []string, args ...string) (string, int) {
		if healed {
			return child(c.dir, env, args...)
		}
		disk := &watcher{dir: c.dir, ignored: c.log, way: noWriting, at: "execve /bin/sh#1", scope: "./" + scope, broke: began, onBreak: func() {}}
		if scope == "." {
			disk.scope = scope
		}
		out, code := disk.run(env, args...)
		began, failing = true, failing || disk.broke
		return out, code
	}
	c.heal, c.lasts = func() error { healed = true; return nil }, true
	c.env = []string{"REMINT_TEST_BREAK=" + hooked + " " + op, "REMINT_TEST_HOOK=:"}
	c.run(t, f, readOnly, func() bool { return c.broke() && failing })
}

// diskFull leaves only some room from the beginning.
func diskFull(t *testing.T, f *faults, w world, template, reason, scope string, room int) {
	t.Helper()
	c, d := diskCase(t, w, template, reason, scope)
	if out, err := exec.Command("/bin/sh", "-c", d.filler(room)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.run(t, f, almost, func() bool { return true })
}

// TestFaultsOfTheDisk fills the disk of the state, of the evidence and of the
// whole workspace, and makes it read-only, at operations of a reset of each type
// in each mode; and begins with ever less room.
func TestFaultsOfTheDisk(t *testing.T) {
	total := newFaults()
	server := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none"}})
	worlds := []world{postgresqlWorld(t, server), x509World(), htpasswdWorld(), sshWorld()}
	t.Run("all", func(t *testing.T) {
		for _, w := range worlds {
			template := prepared(t, w)
			for _, reason := range reasons {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					var cases abreast
					for i, op := range enumerate(t, w, template, reason) {
						for _, x := range diskWaysFor(op, i, w.name+reason) {
							cases.add(op+" "+x[0]+" "+x[1], func(t *testing.T) { diskFault(t, total, w, template, reason, x[0], op, x[1]) })
						}
					}
					for i, scope := range scopes {
						for j, room := range []int{0, 4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10} {
							if os.Getenv("REMINT_TORTURE") != "" || (i+j+len(reason)+len(w.name))%4 == 0 {
								cases.add(fmt.Sprintf("%s room for %d", scope, room), func(t *testing.T) { diskFull(t, total, w, template, reason, scope, room) })
							}
						}
					}
					cases.run(t)
				})
			}
		}
	})
	total.report(t, "disk")
}

// diskWaysFor gives scopes and ways for an operation: all in `make torture`, one
// for every fifth operation in `make test`.
func diskWaysFor(op string, i int, salt string) (out [][2]string) {
	for _, s := range scopes {
		out = append(out, [2]string{s, full}, [2]string{s, readOnly})
	}
	if os.Getenv("REMINT_TORTURE") != "" {
		return out
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(salt + op))
	if n := int(h.Sum32() % 997); n%5 == 0 || strings.HasPrefix(op, "provider.Set") || strings.HasPrefix(op, "store.Put") {
		return out[(n+i)%len(out):][:1]
	}
	return nil
}
