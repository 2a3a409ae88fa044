//go:build linux && !race

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// badAmounts are more than remint reads, each bounded where it could be any amount.
func badAmounts() []badRow {
	rows := []badRow{{
		name: "apply: notices of 1 GB", args: []string{"apply", "-all", "-auto-approve"}, may: begun,
		make: func(t *testing.T, b *bad) { sparse(t, b.path("notices.jsonl"), 1<<30) },
	}, {
		name: "apply: notices that are a pipe", args: []string{"apply", "-all", "-auto-approve"}, exit: 6, faults: -1, says: "no regular file", may: begun,
		make: func(t *testing.T, b *bad) {
			must(t, os.Remove(b.path("notices.jsonl")))
			fifo(t, b.path("notices.jsonl"))
		},
	}}
	row := func(name string, exit int, says string, change func(t *testing.T, b *bad), args ...string) {
		rows = append(rows, badRow{name: args[0] + ": " + name, args: args, exit: exit, says: says, make: change, may: func(p string) bool { return exit == 4 && recorded(p) }})
	}
	apply := []string{"apply", "-auto-approve", "p.plan"}
	decisions := func(n int, size int64) func(t *testing.T, b *bad) {
		return func(t *testing.T, b *bad) {
			b.settings(t, `decisions "directory" { path = "decisions" }`)
			must(t, os.Mkdir(b.path("decisions"), 0o755))
			b.office(t, wants, plans+`"$0" approve -key=alice.pem p.plan; rm p.plan.*`)
			good := b.last(t, "decisions/*")
			must(t, os.Remove(good))
			several(t, n, size, good+".%d.json")
		}
	}
	row("400 decisions of 1 MiB", 4, "larger than 16 MiB together", decisions(400, 1<<20), apply...)
	row("1,001 decisions", 4, "more than 1000 decisions", decisions(1001, 2), apply...)
	row("400 overrides of 1 MiB", 1, "together they are larger than 16 MiB", func(t *testing.T, b *bad) { several(t, 400, 1<<20, b.path("good.plan.%d.override.json")) }, "apply", "-auto-approve", "good.plan")
	row("400 statements of 1 MiB", 1, "together they are larger than 16 MiB", func(t *testing.T, b *bad) { several(t, 400, 1<<20, b.path("good.plan.%d.breakglass.json")) }, "approvals", "good.plan")
	for _, kind := range []string{"webhook", "smtp"} {
		for name, put := range map[string]func(t *testing.T, path string){
			"of 1 GB": func(t *testing.T, path string) { sparse(t, path, 1<<30) },
			"a pipe":  fifo,
		} { // a notifier is opened when it has to tell something
			rows = append(rows, badRow{
				name: "apply: the authorities of " + kind + ": " + name, args: []string{"apply", "-all", "-auto-approve"}, exit: 6, faults: -1, says: "ca_file ca.pem cannot be read", may: begun,
				make: func(t *testing.T, b *bad) {
					to := `url = "https://127.0.0.1:1/"`
					if kind == "smtp" {
						to = "address = \"127.0.0.1:1\"\n from = \"remint@example.com\""
					}
					b.write(t, "tell.remint.hcl", fmt.Sprintf("notifier %q \"x\" {\n %s\n ca_file = \"ca.pem\"\n}\n", kind, to))
					b.sh(t, `"$0" trust accept -auto-approve`)
					put(t, b.path("ca.pem"))
				},
			})
		}
	}
	return append(append(rows, badTests()...), badExports()...)
}

// several makes that many sparse files, called as the pattern says.
func several(t *testing.T, n int, size int64, pattern string) {
	t.Helper()
	for i := range n {
		sparse(t, fmt.Sprintf(pattern, i), size)
	}
}

// badTests are sources that `remint test` and `remint fmt` read.
func badTests() []badRow {
	var rows []badRow
	row := func(verb, name, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{name: verb + ": " + name, args: []string{verb}, exit: 1, says: says, make: change})
	}
	both := func(name, tests, format string, change func(t *testing.T, path string)) {
		row("test", name, tests, func(t *testing.T, b *bad) { change(t, b.path("x.reminttest.hcl")) })
		row("fmt", name, format, func(t *testing.T, b *bad) { change(t, b.path("x.reminttest.hcl")) })
	}
	text := func(s string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(s), 0o644)) }
	}
	both("1 GB", "are not read", "too large", func(t *testing.T, path string) { sparse(t, path, 1<<30) })
	both("a pipe", "not a regular file", "not a regular file", fifo)
	both("a device", "not a regular file", "not a regular file", func(t *testing.T, path string) { must(t, os.Symlink("/dev/zero", path)) })
	both("a NUL", "NUL", "NUL", text("run \"a\" {}\x00"))
	both("a lone carriage return", "carriage return", "carriage return", text("run \"a\" {\r}\n"))
	both("blocks, 100,000 deep", "Nested too deeply", "Nested too deeply", text(strings.Repeat("a {\n", 100_000)))
	both("500,000 words", "too large", "too large", text(words(250_000)))
	row("test", "three files of 190,000 words", "The tests are too large", func(t *testing.T, b *bad) {
		for i := range 3 {
			b.write(t, fmt.Sprintf("%d.reminttest.hcl", i), words(95_000))
		}
	})
	row("test", "1,001 files", "more than 1000 files", func(t *testing.T, b *bad) {
		for i := range 1001 {
			b.write(t, fmt.Sprintf("%d.reminttest.hcl", i), words(1))
		}
	})
	return rows
}

// words is a test with a list of n texts; a text and its comma are four signs.
func words(n int) string {
	return "run \"a\" {\n expect_errors = [" + strings.Repeat(`"a",`, n/2) + "]\n}\n"
}

// badExports are exports, which strangers hand over, and evidence that is too much to show.
func badExports() []badRow {
	var rows []badRow
	row := func(name, says string, change func(t *testing.T, b *bad), more ...string) {
		rows = append(rows, badRow{
			name: "an export: " + name, args: append([]string{"evidence", "verify", "-exported=x", "-key=keys/evidence.pub", "-ledger-key=keys/ledger.pub"}, more...), exit: 1, says: says,
			make: func(t *testing.T, b *bad) {
				b.sh(t, `"$0" evidence export -out=x`)
				change(t, b)
			},
		})
	}
	instead := func(pattern string, put func(t *testing.T, path string)) func(t *testing.T, b *bad) {
		return func(t *testing.T, b *bad) {
			path := b.last(t, pattern)
			must(t, os.RemoveAll(path))
			put(t, path)
		}
	}
	large := func(t *testing.T, path string) { sparse(t, path, 1<<30) }
	zero := func(t *testing.T, path string) { must(t, os.Symlink("/dev/zero", path)) }
	for _, k := range []struct{ name, pattern, large string }{
		{"the head", "x/ledger/checkpoint", "larger than"}, {"a tile", "x/ledger/tile/0/*/*", "larger than"},
		{"a bundle", "x/2*/htpasswd_user.ann/*", "longer than"},
	} {
		row(k.name+" of 1 GB", k.large, instead(k.pattern, large))
		row("a pipe for "+k.name, "not a regular file", instead(k.pattern, fifo))
		row("a device for "+k.name, "is a symbolic link", instead(k.pattern, zero))
	}
	for name, put := range map[string]func(t *testing.T, path string){"of 1 GB": large, "a pipe": fifo, "a device": zero} {
		row("its judges are "+name, "The exported judges cannot be read", instead("x/2*/trust_base.json", put), "-trust-exported")
	}
	row("a pipe", "not a directory", instead("x", fifo))
	for _, more := range [][]string{nil, {"-json"}} {
		rows = append(rows, badRow{
			name: fmt.Sprint("evidence show: 200 MB of sound records ", more), args: append([]string{"evidence", "show"}, more...), exit: 1, faults: -len(more), says: "Too much to show at once",
			make: func(t *testing.T, b *bad) {
				b.sh(t, `f=$(ls evidence/2*/*ann*); for i in {1..13}; do cat $f $f > t; mv t $f; done`)
			},
		})
	}
	return rows
}
