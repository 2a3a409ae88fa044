//go:build linux && !race

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/plan"
)

// badEvidence is evidence that remint did not leave so.
func badEvidence() []badRow {
	var rows []badRow
	row := func(name string, exit, faults int, says string, change func(t *testing.T, b *bad), args ...string) {
		rows = append(rows, badRow{name: args[0] + " " + args[1] + ": " + name, args: args, exit: exit, faults: faults, says: says, make: change})
	}
	verify := func(name, says string, change func(t *testing.T, b *bad)) { // findings are no diagnostics
		row(name, 1, -1, says, change, "evidence", "verify")
	}
	show := func(name, says string, change func(t *testing.T, b *bad)) {
		row(name, 1, 0, says, change, "evidence", "show")
	}
	export := func(name, says string, change func(t *testing.T, b *bad)) {
		row(name, 1, 0, says, change, "evidence", "export", "-out=../out")
	}
	apply := func(name, says string, change func(t *testing.T, b *bad)) {
		row(name, 1, 0, says, change, "apply", "-all", "-auto-approve")
	}
	// both: what verify finds, show stumbles over.
	both := func(name, finds, stumbles string, change func(t *testing.T, b *bad)) {
		verify(name, finds, change)
		show(name, stumbles, change)
	}
	both("a line of 100 MB", "the line is longer", "the line is longer", func(t *testing.T, b *bad) {
		b.sh(t, `f=$(ls evidence/2*/*ann*); cp $f old; { head -c 2000 old; head -c 100000000 /dev/zero | tr '\0' A; cat old; } > $f; rm old`) // not in this process, whose memory the child's begins with
	})
	both("a file of 1 GB", "not a Sigstore bundle", "not a Sigstore bundle", func(t *testing.T, b *bad) { sparse(t, b.record(t), 1<<30) })
	both("lines of 1 GB", "longer than", "longer than", func(t *testing.T, b *bad) {
		old, err := os.ReadFile(b.record(t))
		must(t, err)
		must(t, os.WriteFile(b.record(t), old[:200], 0o644))
		must(t, os.Truncate(b.record(t), 1<<30))
	})
	both("a bundle with 100,000 subjects", "the signature is wrong", "subjects", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte {
			return repack(t, old, func(statement map[string]any) {
				list := statement["subject"].([]any)
				for range 100_000 {
					list = append(list, list[0])
				}
				statement["subject"] = list
			})
		})
	})
	both("a payload, 100,000 deep", "not", "not", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte {
			return repack(t, old, func(statement map[string]any) {
				var deep any = "x"
				for range 100_000 {
					deep = []any{deep}
				}
				statement["predicate"] = deep
			})
		})
	})
	verify("every line twice", "repeated", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte {
			var out []byte
			for _, line := range bytes.SplitAfter(old, []byte("\n")) {
				out = append(append(out, line...), line...)
			}
			return out
		})
	})
	verify("100,000 lines", "too much is wrong", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte { return append(bytes.Repeat([]byte("{}\n"), 100_000), old...) })
	})
	both("a cut line", "cut", "evidence verify", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte { return old[:len(old)-10] })
	})
	both("a lone carriage return", "not", "not", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte {
			return bytes.Replace(old, []byte(`{"mediaType"`), []byte("{\r\"mediaType\""), 1)
		})
	})
	both("NULs", "not a Sigstore bundle", "not a Sigstore bundle", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte { return make([]byte, len(old)) })
	})
	both("a byte order mark", "not a Sigstore bundle", "not a Sigstore bundle", func(t *testing.T, b *bad) {
		b.edit(t, b.record(t), func(old []byte) []byte { return append([]byte("\xef\xbb\xbf"), old...) })
	})
	both("a pipe", "not", "is not a regular file", func(t *testing.T, b *bad) { p := b.record(t); must(t, os.Remove(p)); fifo(t, p) })
	both("a device behind a link", "not", "is a symbolic link", func(t *testing.T, b *bad) {
		p := b.record(t)
		must(t, os.Remove(p))
		must(t, os.Symlink("/dev/zero", p))
	})
	verify("an empty file", "missing", func(t *testing.T, b *bad) { b.edit(t, b.record(t), func([]byte) []byte { return nil }) })
	verify("a folder among the files", "no file of records", func(t *testing.T, b *bad) {
		must(t, os.Mkdir(filepath.Join(filepath.Dir(b.record(t)), "x.sigstore.jsonl"), 0o755))
	})
	verify("a name that deceives", `\u202e`, func(t *testing.T, b *bad) { b.write(t, "evidence/\u202e\x1b[2J", "") })
	verify("a run that somebody made up", "not", func(t *testing.T, b *bad) {
		b.write(t, "evidence/20990101t000000z-00000000/run.sigstore.jsonl", "{}\n")
	})
	verify("20,000 runs that somebody made up", "more", func(t *testing.T, b *bad) {
		for i := range 20_000 {
			must(t, os.Mkdir(b.path(fmt.Sprintf("evidence/%d", i)), 0o755))
		}
	})

	// The ledger: what verify finds, apply does not build upon.
	ledger := func(name, finds, refuses string, change func(t *testing.T, b *bad)) {
		verify(name, finds, change)
		apply(name, refuses, change)
	}
	ledger("a ledger whose last entries are cut", "ledger", "is damaged", func(t *testing.T, b *bad) {
		b.edit(t, b.last(t, "evidence/ledger/tile/entries/*/*"), func(old []byte) []byte { return old[:len(old)-20] })
	})
	ledger("a ledger whose last hashes are cut", "ledger", "is damaged", func(t *testing.T, b *bad) {
		b.edit(t, b.last(t, "evidence/ledger/tile/0/*/*"), func(old []byte) []byte { return old[:len(old)-20] })
	})
	ledger("a ledger whose entries are gone", "ledger", "is damaged", func(t *testing.T, b *bad) { must(t, os.RemoveAll(b.path("evidence/ledger/tile"))) })
	ledger("a tile of 1 GB", "ledger", "is damaged", func(t *testing.T, b *bad) { sparse(t, b.last(t, "evidence/ledger/tile/0/*/*"), 1<<30) })
	ledger("entries of 1 GB", "ledger", "is damaged", func(t *testing.T, b *bad) { sparse(t, b.last(t, "evidence/ledger/tile/entries/*/*"), 1<<30) })
	ledger("a pipe for a tile", "ledger", "is damaged", func(t *testing.T, b *bad) {
		p := b.last(t, "evidence/ledger/tile/0/*/*")
		must(t, os.Remove(p))
		fifo(t, p)
	})
	ledger("a checkpoint of another ledger", "ledger", "another key", func(t *testing.T, b *bad) {
		b.sh(t, `mkdir ../two && cp main.remint.hcl ../two && cp site.htpasswd ../two && cd ../two && "$0" init -bare && "$0" apply -all -auto-approve && cp evidence/ledger/checkpoint ../w/evidence/ledger/`)
	})
	ledger("a checkpoint of garbage", "ledger", "is damaged", func(t *testing.T, b *bad) { b.write(t, "evidence/ledger/checkpoint", "\x00garbage") })
	ledger("a checkpoint of 1 GB", "ledger", "larger than", func(t *testing.T, b *bad) { sparse(t, b.path("evidence/ledger/checkpoint"), 1<<30) })
	ledger("a checkpoint over more leaves than there are", "ledger", "ledger", func(t *testing.T, b *bad) {
		b.edit(t, b.path("evidence/ledger/checkpoint"), func(old []byte) []byte {
			lines := strings.Split(string(old), "\n")
			lines[1] = "18446744073709551615"
			return []byte(strings.Join(lines, "\n"))
		})
	})
	apply("a ledger without its state", "treeState", func(t *testing.T, b *bad) { must(t, os.Remove(b.path("evidence/ledger/.state/treeState"))) })
	apply("a ledger whose state speaks of too much", "is damaged", func(t *testing.T, b *bad) {
		b.write(t, "evidence/ledger/.state/treeState", `{"size":18446744073709551615,"root":""}`)
	})
	apply("a file for the evidence directory", "not a folder", func(t *testing.T, b *bad) { must(t, os.RemoveAll(b.path("evidence"))); b.write(t, "evidence", "") })
	apply("an evidence directory that leads out", "symbolic link", func(t *testing.T, b *bad) {
		must(t, os.RemoveAll(b.path("evidence")))
		b.link(t, "../outside", "evidence")
	})
	apply("a ledger that leads out", "not a folder", func(t *testing.T, b *bad) {
		must(t, os.RemoveAll(b.path("evidence")))
		must(t, os.Mkdir(b.path("evidence"), 0o755))
		b.link(t, "../../outside", "evidence/ledger")
	})

	checkpoint := func(name, says string, change func(t *testing.T, b *bad)) {
		row("a kept checkpoint: "+name, 1, 0, says, change, "evidence", "verify", "-checkpoint=kept")
	}
	checkpoint("gone", "no such file", nil)
	checkpoint("1 GB", "larger than", func(t *testing.T, b *bad) { sparse(t, b.path("kept"), 1<<30) })
	checkpoint("a pipe", "not a regular file", func(t *testing.T, b *bad) { fifo(t, b.path("kept")) })
	rows = append(rows, badRow{
		name: "a kept checkpoint of garbage", args: []string{"evidence", "verify", "-checkpoint=kept"}, exit: 1, faults: -1, says: "checkpoint",
		make: func(t *testing.T, b *bad) { b.write(t, "kept", "\x00") },
	}, badRow{
		name: "a kept checkpoint of another ledger", args: []string{"evidence", "verify", "-checkpoint=kept"}, exit: 1, faults: -1, says: "checkpoint",
		make: func(t *testing.T, b *bad) {
			b.sh(t, `mkdir ../two && cp main.remint.hcl ../two && cp site.htpasswd ../two && cd ../two && "$0" init -bare && "$0" apply -all -auto-approve && "$0" evidence checkpoint > ../w/kept`)
		},
	})
	rows = append(rows, badRow{
		name: "a ledger's head that deceives", args: []string{"evidence", "checkpoint"}, exit: 1, says: "is damaged",
		make: func(t *testing.T, b *bad) {
			b.edit(t, b.path("evidence/ledger/checkpoint"), func(old []byte) []byte { return append([]byte("\x1b[2J"), old...) })
		},
	})
	for _, name := range []string{"checkpoint", ".state/treeState", "tile"} {
		rows = append(rows, badRow{ // what it leads to is not written to
			name: "apply: a link that leads out for the ledger's " + name, args: []string{"apply", "-all", "-auto-approve"}, exit: 1, says: "link",
			make: func(t *testing.T, b *bad) {
				must(t, os.Rename(b.path("evidence/ledger/"+name), b.path("../outside/there")))
				must(t, os.Symlink(b.path("../outside/there"), b.path("evidence/ledger/"+name)))
			},
		})
	}
	export("into a full folder", "is not empty", func(t *testing.T, b *bad) { must(t, os.MkdirAll(b.path("../out/x"), 0o755)) })
	export("through a link", "is not empty", func(t *testing.T, b *bad) { must(t, os.Symlink("outside", b.path("../out"))) })
	export("into a file", "not a directory", func(t *testing.T, b *bad) { must(t, os.WriteFile(b.path("../out"), nil, 0o644)) })
	rows = append(rows, badLedgerExports()...)
	for _, verb := range []string{"verify", "list", "show"} {
		row("an evidence directory behind a link", 1, 0, "is a symbolic link", func(t *testing.T, b *bad) {
			must(t, os.RemoveAll(b.path("evidence")))
			must(t, os.Mkdir(b.path("empty"), 0o755))
			b.link(t, "empty", "evidence")
		}, "evidence", verb)
	}
	row("an evidence directory with nothing in it", 0, -1, "There is no evidence here", func(t *testing.T, b *bad) {
		must(t, os.RemoveAll(b.path("evidence")))
		must(t, os.Mkdir(b.path("evidence"), 0o755))
	}, "evidence", "verify")
	row("a run that leads out", 1, 0, "not the name of a run", nil, "evidence", "show", "..")
	row("a run that deceives", 1, 0, `\u202e`, nil, "evidence", "show", "\u202e\x1b[2J")
	row("nothing of that name", 1, 0, "no evidence of run", nil, "evidence", "show", "x/y")
	return rows
}

// badLedgerExports are ledgers that lead an export to what is not the ledger's. No key comes
// out, and nothing else.
func badLedgerExports() []badRow {
	var rows []badRow
	export := func(name, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{
			name: "evidence export: " + name, args: []string{"evidence", "export", "-out=../out"}, exit: 1, says: says, make: change,
			after: func(t *testing.T, b *bad) {
				if _, err := os.Lstat(b.path("../out")); err == nil {
					t.Error("something was exported")
				}
			},
		})
	}
	const tile = "evidence/ledger/tile/0/*/*"
	aside := func(t *testing.T, b *bad, name, to string) { // what was there lies beside the workspace
		t.Helper()
		must(t, os.Rename(b.path(name), b.path("../aside")))
		b.link(t, to, name)
	}
	export("a ledger's head that leads to a key", "ledger/checkpoint is a symbolic link", func(t *testing.T, b *bad) { aside(t, b, "evidence/ledger/checkpoint", "../../keys/evidence.pem") })
	export("tiles that lead to the keys", "ledger/tile is a symbolic link", func(t *testing.T, b *bad) { aside(t, b, "evidence/ledger/tile", "../../keys") })
	export("a level of tiles that leads to the keys", "ledger/tile/0 is a symbolic link", func(t *testing.T, b *bad) { aside(t, b, "evidence/ledger/tile/0", "../../../keys") })
	export("a tile that leads to a key", "is a symbolic link", func(t *testing.T, b *bad) {
		p := b.last(t, tile)
		must(t, os.Remove(p))
		must(t, os.Symlink(b.path("keys/evidence.pem"), p))
	})
	export("a ledger that leads to the keys", "ledger is a symbolic link", func(t *testing.T, b *bad) {
		must(t, os.Mkdir(b.path("keys/tile"), 0o755))
		aside(t, b, "evidence/ledger", "../keys")
	})
	export("a tile of 1 GB", "is larger than it can be", func(t *testing.T, b *bad) { sparse(t, b.last(t, tile), 1<<30) })
	export("entries of 1 GB", "is larger than it can be", func(t *testing.T, b *bad) { sparse(t, b.last(t, "evidence/ledger/tile/entries/*/*"), 1<<30) })
	export("a ledger's head of 1 GB", "is larger than it can be", func(t *testing.T, b *bad) { sparse(t, b.path("evidence/ledger/checkpoint"), 1<<30) })
	export("a pipe for a tile", "is not a regular file", func(t *testing.T, b *bad) {
		p := b.last(t, tile)
		must(t, os.Remove(p))
		fifo(t, p)
	})
	return append(rows, badRow{
		name: "evidence export: files among the tiles that are none", args: []string{"evidence", "export", "-out=../out"}, exit: 0, says: "Exported",
		make: func(t *testing.T, b *bad) {
			b.write(t, "evidence/ledger/tile/notes.pem", "PRIVATE KEY")
			b.write(t, "evidence/ledger/tile/0/x/notes.pem", "PRIVATE KEY")
			b.write(t, "evidence/ledger/notes.pem", "PRIVATE KEY")
		},
		after: func(t *testing.T, b *bad) {
			b.sh(t, `test -s ../out/ledger/checkpoint && ! grep -rq "PRIVATE KEY" ../out`)
			b.sh(t, `"$0" evidence verify -exported=../out -key=keys/evidence.pub -ledger-key=keys/ledger.pub`)
		},
	})
}

// record is the path of the sound workspace's records of ann.
func (b *bad) record(t *testing.T) string {
	t.Helper()
	return b.last(t, "evidence/2*/htpasswd_user.ann.sigstore.jsonl")
}

// last is the newest file that a pattern names.
func (b *bad) last(t *testing.T, pattern string) string {
	t.Helper()
	list, err := filepath.Glob(b.path(pattern))
	must(t, err)
	if len(list) == 0 {
		t.Fatalf("nothing is called %s", pattern)
	}
	newest, size := "", int64(-1)
	for _, p := range list {
		info, err := os.Stat(p)
		must(t, err)
		if info.Size() > size {
			newest, size = p, info.Size()
		}
	}
	return newest
}

func (b *bad) edit(t *testing.T, path string, change func(old []byte) []byte) {
	t.Helper()
	old, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, change(old), 0o644))
}

// repack changes the statement in the first line's envelope; its signature stays
// what it was.
func repack(t *testing.T, file []byte, change func(statement map[string]any)) []byte {
	t.Helper()
	line, rest, _ := bytes.Cut(file, []byte("\n"))
	var bundle struct {
		MediaType            json.RawMessage `json:"mediaType"`
		VerificationMaterial json.RawMessage `json:"verificationMaterial"`
		DSSE                 struct {
			Payload     []byte          `json:"payload"`
			PayloadType json.RawMessage `json:"payloadType"`
			Signatures  json.RawMessage `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	must(t, json.Unmarshal(line, &bundle))
	var statement map[string]any
	must(t, json.Unmarshal(bundle.DSSE.Payload, &statement))
	change(statement)
	var err error
	if bundle.DSSE.Payload, err = plan.Canonical(statement); err != nil { // too deep for it
		bundle.DSSE.Payload, err = json.Marshal(statement)
	}
	must(t, err)
	out, err := json.Marshal(bundle)
	must(t, err)
	return append(append(out, '\n'), rest...)
}
