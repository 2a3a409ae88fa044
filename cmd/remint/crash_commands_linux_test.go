//go:build !race

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// verbCase is a command that changes no target: what it writes is broken, it is
// given again, and what it left is looked at.
type verbCase struct {
	name string
	args []string
	exit int // of the command when nothing breaks
	// file is what it makes, and never overwrites; what is there is not made again.
	file string
	// left checks what is there after a break, before the command is given again;
	// done what is there after that.
	left, done func(c *crash) error
}

// TestCrashesOfCommands breaks every durable write of the commands that reset
// nothing: what they leave is whole or not there, nothing outside has changed,
// and given again they do what they were to do.
func TestCrashesOfCommands(t *testing.T) {
	total := newTally()
	w := htpasswdWorld()
	template := commandsPrepared(t, w)
	t.Run("all", func(t *testing.T) {
		for _, v := range commands() {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				c := commandCase(t, w, template)
				seen, out, code := c.watched("", "", v.args...)
				if code != v.exit {
					t.Fatalf("unbroken: exit %d\n%s", code, out)
				}
				if err := v.done(c); err != nil {
					t.Fatalf("unbroken: %v", err)
				}
				for i, op := range seen.found {
					total.add(op.name)
					for _, way := range chosen(op.ways(), i, 7, v.name+op.name) {
						if !mine(v.name, op.name, way) {
							continue
						}
						t.Run(strings.ReplaceAll(op.name, "/", ".")+" "+way, func(t *testing.T) {
							t.Parallel()
							total.tried(t, []string{v.name}, []string{way + " " + op.name}, func() (*crash, error) {
								c := commandCase(t, w, template)
								err := v.broken(c, way, op.name)
								if err != nil {
									err = fmt.Errorf("%w\n%s", err, c.trail.String())
								}
								return c, err
							})
						})
					}
				}
			})
		}
	})
	total.report(t, "durable writes of "+strings.Join(verbNames(commands()), ", "))
	total.allReached(t)
}

func verbNames(list []verbCase) (out []string) {
	for _, v := range list {
		out = append(out, v.name)
	}
	return out
}

func (v verbCase) broken(c *crash, way, op string) error {
	watcher, _, code := c.watched(way, op, v.args...)
	if !watcher.broke {
		return errMissed
	}
	killed := (way == killAt || way == killWithin) && code == -1
	if !killed && code != 0 && code != 1 && code != v.exit && (code != 6 || v.name != "resume") {
		return fmt.Errorf("exit %d is not what it may end with", code)
	}
	if c.outside(c.t) != c.before {
		return errors.New("something outside has changed")
	}
	if v.left != nil {
		if err := v.left(c); err != nil {
			return fmt.Errorf("right after: %w", err)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, v.file)); (code != v.exit || killed) && (v.file == "" || err != nil) {
		if out, code := c.child("", v.args...); code != v.exit {
			return fmt.Errorf("given again: exit %d\n%s", code, out)
		}
	}
	if c.outside(c.t) != c.before {
		return errors.New("something outside has changed when it was given again")
	}
	if err := v.done(c); err != nil {
		return err
	}
	return c.tidy()
}

// tidy checks that nothing half made was left behind.
func (c *crash) tidy() error {
	return filepath.WalkDir(c.dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".remint-tmp") && !strings.Contains(path, "/ledger/tile/") { // no secret, and no part of it
			err = fmt.Errorf("%s was left behind", path)
		}
		return err
	})
}

// commandsPrepared is a workspace with an approver, a saved plan, a run that is
// done, and a secret that is only in the state.
func commandsPrepared(t *testing.T, w world) string {
	t.Helper()
	dir := prepared(t, w)
	run(t, dir, "htpasswd", "-bB", "site", "sealed", "old-sealed")
	run(t, dir, "openssl", "genpkey", "-algorithm", "ed25519", "-out", "keys/alice.pem")
	run(t, dir, "openssl", "pkey", "-in", "keys/alice.pem", "-pubout", "-out", "keys/alice.pub")
	run(t, dir, "chmod", "600", "keys/alice.pem")
	write(t, dir, map[string]string{"main.remint.hcl": w.hcl + `
approver "alice" { public_key = file("keys/alice.pub") }
policy "never" {
  path        = "never"
  enforcement = "mandatory"
}
credential "htpasswd_user" "sealed" {
  provider = htpasswd.site
  user     = "sealed"
  owner    = "owner@example.com"
}
`})
	run(t, dir, "mkdir", "never", "new")
	write(t, dir, map[string]string{"never/never.rego": `package remint.plan
deny contains {"id": "never", "msg": "not by this name"} if input.ticket == "NO-1"
`})
	for _, args := range [][]string{
		{"apply", "-auto-approve", "credential.htpasswd_user.sealed"},
		{"plan", "-out=kept.plan", "credential.htpasswd_user.x"},
	} {
		if out, code := child(dir, nil, args...); code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, out)
		}
	}
	return dir
}

func commandCase(t *testing.T, w world, template string) *crash {
	t.Helper()
	hcl := readFile(filepath.Join(template, "main.remint.hcl"))
	c := newCase(t, w, template, "scheduled")
	write(t, c.dir, map[string]string{"main.remint.hcl": string(hcl)})
	return c
}

func commands() []verbCase {
	exits := func(want int, args ...string) func(c *crash) error {
		return func(c *crash) error {
			if out, code := c.child("", args...); code != want {
				return fmt.Errorf("%s: exit %d\n%s", strings.Join(args, " "), code, out)
			}
			return nil
		}
	}
	// whole checks that a file, if it is there, is one that may be relied on.
	whole := func(file string, check func(c *crash) error) func(c *crash) error {
		return func(c *crash) error {
			if _, err := os.Stat(filepath.Join(c.dir, file)); errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return check(c)
		}
	}
	recovered := func(c *crash) error {
		secret := string(readFile(filepath.Join(c.dir, "taken")))
		if !succeeds(c.dir, "htpasswd", "-vb", "site", "sealed", secret) {
			return errors.New("what was recovered does not log in")
		}
		return nil
	}
	approval := "kept.plan.alice.approval.json"
	approved := func(c *crash) error {
		if !json.Valid(readFile(filepath.Join(c.dir, approval))) {
			return errors.New("the approval is cut")
		}
		return nil
	}
	const deny = "-ticket=NO-1"
	return []verbCase{
		{name: "init", args: []string{"-chdir=new", "init"}, done: exits(0, "-chdir=new", "validate")},
		{name: "plan", args: []string{"plan", "-all", "-out=new.plan"}, left: whole("new.plan", exits(0, "show", "new.plan")), done: exits(0, "show", "new.plan")},
		{name: "approve", args: []string{"approve", "-key=keys/alice.pem", "kept.plan"}, left: whole(approval, approved), done: approved},
		{name: "deny", args: []string{"apply", "-auto-approve", deny, "credential.htpasswd_user.x"}, exit: 3, done: func(c *crash) error {
			return errors.Join(exits(0, "resume")(c), exits(0, "evidence", "verify")(c))
		}},
		{name: "resume", args: []string{"resume"}, done: exits(0, "evidence", "verify")},
		{name: "status", args: []string{"status"}, done: exits(0, "status")},
		{name: "recover", file: "taken", args: []string{"recover", "-out=taken", "credential.htpasswd_user.sealed"}, left: whole("taken", recovered), done: recovered},
		{name: "recover -erase", file: "taken", args: []string{"recover", "-out=taken", "-erase", "credential.htpasswd_user.sealed"}, left: whole("taken", recovered), done: recovered},
		{name: "export", file: "exported", args: []string{"evidence", "export", "-out=exported"}, left: whole("exported", exported), done: exported},
		{name: "checkpoint", args: []string{"evidence", "checkpoint"}, done: exits(0, "evidence", "verify")},
	}
}

// exported checks that an export is the whole of it.
func exported(c *crash) error {
	out, code := child(c.dir, nil, "evidence", "export", "-out=again")
	if code != 0 {
		return fmt.Errorf("exported again: exit %d\n%s", code, out)
	}
	defer os.RemoveAll(filepath.Join(c.dir, "again"))
	diff := new(bytes.Buffer)
	if !succeedsInto(diff, c.dir, "diff", "-r", "exported", "again") {
		return fmt.Errorf("the export is not whole:\n%s", diff.String())
	}
	return nil
}
