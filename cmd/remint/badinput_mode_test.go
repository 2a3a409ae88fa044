//go:build linux && !race

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// badUmasks are commands that write under a umask that takes nothing away.
func badUmasks() []badRow {
	var rows []badRow
	row := func(name string, wrote map[string]fs.FileMode, also []string, change func(t *testing.T, b *bad), args ...string) {
		rows = append(rows, badRow{
			name: name + " under umask 000", args: args, before: "umask 000", make: change,
			may: func(p string) bool {
				for _, q := range also {
					if p == q {
						return true
					}
				}
				_, ok := wrote[p]
				return ok || p == "."
			},
			after: func(t *testing.T, b *bad) { modes(t, b, wrote); tight(t, b.dir) },
		})
	}
	row("approve", map[string]fs.FileMode{"gated.plan.alice.approval.json": 0o644}, []string{"notices.jsonl", "two.jsonl"}, func(t *testing.T, b *bad) {
		b.gate(t)
		must(t, os.Remove(b.path("gated.plan.alice.approval.json")))
	}, "approve", "-key=alice.pem", "gated.plan")
	row("verify", map[string]fs.FileMode{"p.plan.verification.json": 0o600}, nil, func(t *testing.T, b *bad) { b.office(t, wants, plans) }, "verify", "-key=carol.pem", "p.plan")
	row("a decision log", map[string]fs.FileMode{"log.jsonl": 0o600}, nil, func(t *testing.T, b *bad) { b.settings(t, `decision_log { path = "log.jsonl" }`) }, "plan", "-all")
	row("JUnit's outcome", map[string]fs.FileMode{"out.xml": 0o644}, nil, func(t *testing.T, b *bad) {
		b.write(t, "x.reminttest.hcl", "run \"all\" {\n all = true\n assert { condition = length(plan.resets) == 2 }\n}\n")
	}, "test", "-junit=out.xml")
	row("an export", nil, nil, nil, "evidence", "export", "-out=../out")
	rows[len(rows)-1].after = func(t *testing.T, b *bad) { tight(t, b.path("../out")) }
	return rows
}

// tight finds what others may write to.
func tight(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s has mode %v (%v)", path, info.Mode(), err)
		}
		return nil
	}))
}
