//go:build linux && !race

package main

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// begun says which paths a run may change that was let begin.
func begun(p string) bool {
	return recorded(p) || p == "notices.jsonl" || p == "ann.txt" || p == "site.htpasswd"
}

// recorded says which paths a run may change that ended before it changed anything: what
// it is recorded in.
func recorded(p string) bool {
	return p == "." || strings.HasPrefix(p, "evidence") || strings.HasPrefix(p, ".remint/")
}

// badStates are states that remint did not leave so.
func badStates() []badRow {
	var rows []badRow
	each := func(name string, resume int, says string, change func(t *testing.T, b *bad)) {
		for _, args := range [][]string{{"status"}, {"plan", "-all"}, {"apply", "-all", "-auto-approve"}, {"resume"}} {
			exit := 1
			if args[0] == "resume" {
				exit = resume
			}
			rows = append(rows, badRow{name: args[0] + ": " + name, args: args, exit: exit, says: says, make: change})
		}
	}
	add := func(name, says string, change func(t *testing.T, b *bad)) { each(name, 6, says, change) }      // what is open is not known
	out := func(name string, change func(t *testing.T, b *bad)) { each(name, 1, "symbolic link", change) } // said of the workspace
	const state = ".remint/state.db"
	instead := func(t *testing.T, b *bad) {
		for _, side := range []string{"", "-wal", "-shm"} {
			must(t, os.RemoveAll(b.path(state+side)))
		}
	}
	whole := func(t *testing.T, b *bad) string {
		db, err := os.ReadFile(b.path(state))
		must(t, err)
		return string(db)
	}
	const damaged = "The state"
	add("a state that is text", "not a SQLite database", func(t *testing.T, b *bad) { instead(t, b); b.secret(t, state, strings.Repeat("text ", 2000)) })
	add("a state cut in two", damaged, func(t *testing.T, b *bad) {
		db := whole(t, b)
		instead(t, b)
		b.secret(t, state, db[:len(db)/2])
	})
	add("a state cut after its head", damaged, func(t *testing.T, b *bad) {
		db := whole(t, b)
		instead(t, b)
		b.secret(t, state, db[:100])
	})
	add("a state with its middle overwritten", damaged, func(t *testing.T, b *bad) {
		db := whole(t, b)
		instead(t, b)
		b.secret(t, state, db[:4096]+strings.Repeat("\xff", len(db)-4096))
	})
	add("a state of a newer version", "newer", func(t *testing.T, b *bad) {
		b.sh(t, `/usr/bin/python3 -c 'import sqlite3; c=sqlite3.connect(".remint/state.db"); v=c.execute("pragma user_version").fetchone()[0]; c.execute("pragma user_version=%d" % (v+1)); c.commit()'`)
	})
	add("a database of something else", damaged, func(t *testing.T, b *bad) {
		instead(t, b)
		b.sh(t, `umask 077; /usr/bin/python3 -c 'import sqlite3; c=sqlite3.connect(".remint/state.db"); c.execute("create table x(y)"); c.commit()'`)
	})
	add("a folder for a state", "is not a regular file", func(t *testing.T, b *bad) { instead(t, b); must(t, os.Mkdir(b.path(state), 0o700)) })
	add("a pipe for a state", "is not a regular file", func(t *testing.T, b *bad) { instead(t, b); fifo(t, b.path(state)) })
	out("a state behind a link", func(t *testing.T, b *bad) {
		must(t, os.Rename(b.path(state), b.path("../outside/state.db")))
		b.link(t, "../../outside/state.db", state)
	})
	out("a link that leads nowhere for a state", func(t *testing.T, b *bad) { instead(t, b); b.link(t, "../../outside/new.db", state) })
	add("a state with two names", "second name", func(t *testing.T, b *bad) { must(t, os.Link(b.path(state), b.path("../outside/second.db"))) })
	add("a state that others may write", "may be written by others", func(t *testing.T, b *bad) { must(t, os.Chmod(b.path(state), 0o666)) })
	add("a folder of the state that others may write", "may be written by others", func(t *testing.T, b *bad) { must(t, os.Chmod(b.path(".remint"), 0o777)) })
	out("a folder of the state behind a link", func(t *testing.T, b *bad) {
		must(t, os.Rename(b.path(".remint"), b.path("../outside/.remint")))
		b.link(t, "../outside/.remint", ".remint")
	})
	add("a file for the folder of the state", "state.db", func(t *testing.T, b *bad) { must(t, os.RemoveAll(b.path(".remint"))); b.write(t, ".remint", "") })
	add("a write-ahead log that leads out", "symbolic link", func(t *testing.T, b *bad) { b.link(t, "../../outside/victim", state+"-wal") })
	if os.Geteuid() == 0 { // only root can give a file away
		add("a state that somebody else owns", "belongs to another user", func(t *testing.T, b *bad) { must(t, os.Chown(b.path(state), 65534, 65534)) })
		add("a folder of the state that somebody else owns", "belongs to another user", func(t *testing.T, b *bad) { must(t, os.Chown(b.path(".remint"), 65534, 65534)) })
	}
	rows = append(rows,
		badRow{name: "a run that is none", args: []string{"runs", "../../x\x1b[2J"}, exit: 1, says: `\x1b`},
		badRow{name: "resume a run that is none", args: []string{"resume", "\u202e"}, exit: 1, says: `\u202e`},
		badRow{name: "recover what is not sealed", args: []string{"recover", "-out=new", "credential.htpasswd_user.ann"}, exit: 1, says: "holds no secret of"},
		badRow{name: "recover over a file", args: []string{"recover", "-out=main.remint.hcl", "credential.htpasswd_user.bob"}, exit: 1, says: "file already exists"},
		badRow{
			name: "recover through a link", args: []string{"recover", "-out=new", "credential.htpasswd_user.bob"}, exit: 1, says: "file already exists",
			make: func(t *testing.T, b *bad) { b.link(t, "../outside/new", "new") },
		},
		badRow{
			name: "recover under umask 000", args: []string{"recover", "-out=new", "credential.htpasswd_user.bob"}, before: "umask 000",
			may:   func(p string) bool { return p == "." || p == "new" },
			after: func(t *testing.T, b *bad) { modes(t, b, map[string]fs.FileMode{"new": 0o600}) },
		},
		badRow{
			name: "a seal's identity that is a pipe", args: []string{"recover", "-out=new", "credential.htpasswd_user.bob"}, exit: 1, says: "not a regular file",
			make: func(t *testing.T, b *bad) {
				must(t, os.Remove(b.path(".remint/seal.key")))
				fifo(t, b.path(".remint/seal.key"))
			},
		},
		badRow{
			name: "a seal's identity that is garbage", args: []string{"recover", "-out=new", "credential.htpasswd_user.bob"}, exit: 1, says: "no age identity",
			make: func(t *testing.T, b *bad) { b.secret(t, ".remint/seal.key", "\x00garbage") },
		},
		badRow{
			name: "a seal's identity of another state", args: []string{"recover", "-out=new", "credential.htpasswd_user.bob"}, exit: 1, says: "cannot be opened",
			make: func(t *testing.T, b *bad) {
				b.secret(t, ".remint/seal.key", "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n")
			},
		},
		badRow{
			name: "apply where nothing is yet, under umask 000", args: []string{"apply", "-all", "-auto-approve"}, before: "umask 000",
			make: func(t *testing.T, b *bad) {
				for _, p := range []string{".remint", "evidence", "notices.jsonl", "ann.txt", "keys/ledger.key", "keys/ledger.pub"} {
					must(t, os.RemoveAll(b.path(p)))
				}
			},
			may: func(p string) bool {
				return begun(p) || strings.HasPrefix(p, "keys") || strings.HasPrefix(p, ".remint")
			},
			after: func(t *testing.T, b *bad) {
				modes(t, b, map[string]fs.FileMode{".remint": 0o700, ".remint/state.db": 0o600, ".remint/seal.key": 0o600, "keys/ledger.key": 0o600, "ann.txt": 0o600, "notices.jsonl": 0o600})
				tight(t, b.dir)
			},
		},
		badRow{
			name: "a state that was never there", args: []string{"recover", "-out=new", "credential.htpasswd_user.ann"}, exit: 1, says: "no state yet",
			make: func(t *testing.T, b *bad) { must(t, os.RemoveAll(b.path(".remint"))) },
		},
	)
	return rows
}

// secret writes a file that nobody else can read.
func (b *bad) secret(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(b.path(name), []byte(text), 0o600))
	must(t, os.Chmod(b.path(name), 0o600))
}
