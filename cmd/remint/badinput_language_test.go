//go:build linux && !race

package main

import (
	"os"
	"strings"
	"testing"
)

// badLanguage are workspaces that nobody means well with.
func badLanguage() []badRow {
	var rows []badRow
	text := func(name, src, says string, faults int) {
		rows = append(rows, badRow{
			name: name, args: []string{"validate"}, exit: 1, says: says, faults: faults,
			make: func(t *testing.T, b *bad) { b.write(t, "evil.remint.hcl", src) },
		})
	}
	deep := func(name, head, s string) { text(name, head+strings.Repeat(s, 100_000), "Nested too deeply", 0) }
	deep("parentheses, 100,000 deep", "locals { a = ", "(")
	deep("brackets, 100,000 deep", "locals { a = ", "[")
	deep("objects, 100,000 deep", "locals { a = ", "{a=")
	deep("blocks, 100,000 deep", "", "a {\n")
	deep("templates, 100,000 deep", "locals { a = ", `"${`)
	text("blocks, 300,000 deep", strings.Repeat("a {\n", 300_000)+strings.Repeat("}\n", 300_000), "Nested too deeply", 0)
	text("operators, 100,000 long", "locals { a = "+strings.Repeat("-", 100_000)+"1 }", "Too many operators", 0)
	text("a conditional, 100,000 long", "locals { a = "+strings.Repeat("true ? 1 : ", 100_000)+"1 }", "Too many operators", 0)
	text("a number of ten million digits", `locals { a = "${1e10000000}" }`, "The number is out of range", 0)
	text("that number from text", `locals { a = "${tonumber("1e10000000")}" }`, "Too much to evaluate", 0)
	text("that number from JSON", `locals { a = "${jsondecode("1e10000000")}" }`, "A function", 0)
	text("a product of a million", `locals { a = setproduct(range(1024), range(1024)) }`, "A function", 0)
	text("a format of a gigabyte", `locals { a = format("%0999999999d", 1) }`, "A function", 0)
	text("a string of ten million copies", `locals { a = join("", [for i in range(10): join("", [for j in range(1000): join("", [for k in range(1000): "copy"])])]) }`, "Too much to evaluate", 0)
	text("a template over ten million", `locals { a = "%{ for i in range(10) }%{ for j in range(1000) }%{ for k in range(1000) }x%{ endfor }%{ endfor }%{ endfor }" }`, "Too much to evaluate", 0)
	text("a range of ten thousand", `locals { a = range(10000) }`, "more than 1024 values", 0)
	text("lists within lists", `locals { a = [for a in range(1024): [for b in range(1024): [for c in range(1024): c]]] }`, "Too much to evaluate", 0)
	text("objects within lists", `locals { a = [for a in range(1024): [for b in range(1024): [for c in range(1024): {x = c}]]] }`, "Too much to evaluate", 0)
	text("JSON of a million objects", `locals { a = jsondecode(join("", ["[", join(",", [for a in range(1000): "`+strings.TrimSuffix(strings.Repeat("{},", 1000), ",")+`"]), "]"])) }`, "too many parts", 0)
	text("a list of mixed types", `locals { a = tolist(jsondecode(join("", ["[", join(",", [for a in range(500): "`+strings.Repeat(`1,\"a\",`, 40)+`1"]), "]"]))) }`, "different types", 0)
	text("a list of 700,000 numbers", "locals { a = ["+strings.Repeat("1,", 700_000)+"1] }", "The workspace is too large", 0)
	text("texts that double", "locals {\n a0 = \"xxxxxxxxxxxxxxxx\"\n"+doublings()+"}", "Too much to evaluate", 0)
	text("NUL", "locals { a = \"\x00\" }", "There is a NUL byte", 0)
	text("a byte order mark", "\xef\xbb\xbflocals {}", "byte order mark", 0)
	text("a lone carriage return", "locals {\r a = 1 }", "carriage return", 0)
	text("invalid UTF-8", "locals { a = \"\xff\" }", "not UTF-8", 0)
	text("UTF-16", "\xff\xfel\x00", "UTF-16", 0)
	text("a look-alike letter", "loc\u0430ls {}", "A letter that could deceive", 0)
	text("a file of the system", `locals { a = file("/etc/passwd") }`, "A function", 0)
	text("a file outside", `locals { a = file("../outside/victim") }`, "A function", 0)
	text("the private key", `locals { a = file("keys/evidence.pem") }`, "A function", 0)
	text("the private key, in other words", `locals { a = file("./keys/../keys/evidence.pem") }`, "A function", 0)
	text("the state", `locals { a = file(".remint/state.db") }`, "A function", 0)
	rows = append(rows,
		badRow{
			name: "a file behind a link that leads out", args: []string{"validate"}, exit: 1, says: "A function",
			make: func(t *testing.T, b *bad) {
				b.link(t, "../outside", "way")
				b.write(t, "evil.remint.hcl", `locals { a = file("way/victim") }`)
			},
		},
		badRow{
			name: "the private key behind a link", args: []string{"validate"}, exit: 1, says: "A function",
			make: func(t *testing.T, b *bad) {
				b.link(t, "keys/evidence.pem", "plain.txt")
				b.write(t, "evil.remint.hcl", `locals { a = file("plain.txt") }`)
			},
		},
		badRow{
			name: "a workspace file of 65 MB", args: []string{"validate"}, exit: 1, says: "more than 4 MB are not read",
			make: func(t *testing.T, b *bad) { sparse(t, b.path("evil.remint.hcl"), 65<<20) },
		},
		badRow{
			name: "a table of 65 MB", args: []string{"validate"}, exit: 1, says: "A function",
			make: func(t *testing.T, b *bad) {
				sparse(t, b.path("team.csv"), 65<<20)
				b.write(t, "evil.remint.hcl", `locals { a = csvdecode(file("team.csv")) }`)
			},
		},
		badRow{
			name: "a pattern that is repeated, on a large file", args: []string{"validate"}, exit: 1, says: "takes more steps than are allowed",
			make: func(t *testing.T, b *bad) {
				b.write(t, "big.txt", strings.Repeat("a", 1_000_000))
				b.write(t, "evil.remint.hcl", `locals { a = regex("(?:a?){1000}b", file("big.txt")) }`)
			},
		},
		badRow{
			name: "a large file of what is trimmed from another", args: []string{"validate"}, exit: 1, says: "takes more steps than are allowed",
			make: func(t *testing.T, b *bad) {
				b.write(t, "s.txt", strings.Repeat("ab", 1_000_000))
				b.write(t, "c.txt", strings.Repeat("é", 1_000_000)+"ab")
				b.write(t, "evil.remint.hcl", `locals { a = trim(file("s.txt"), file("c.txt")) }`)
			},
		},
		badRow{
			name: "a number of a million digits in a file", args: []string{"validate"}, exit: 1, says: "a number has at most",
			make: func(t *testing.T, b *bad) {
				b.write(t, "n.txt", strings.Repeat("7", 1_000_000))
				b.write(t, "evil.remint.hcl", `locals { a = tonumber(file("n.txt")) }`)
			},
		},
		badRow{
			name: "a large file in each text of a list", args: []string{"validate"}, exit: 1, says: "more than 16 MB of text",
			make: func(t *testing.T, b *bad) {
				b.write(t, "big.txt", strings.Repeat("a", 1_000_000))
				b.write(t, "evil.remint.hcl", `locals { a = formatlist("%s${file("big.txt")}", range(1024)) }`)
			},
		},
		badRow{
			name: "distinct lists that differ at their ends", args: []string{"validate"}, exit: 1, says: "takes more steps than are allowed",
			make: func(t *testing.T, b *bad) {
				b.write(t, "d.json", alike(900))
				b.write(t, "evil.remint.hcl", `locals { a = length(distinct(jsondecode(file("d.json")))) }`)
			},
		},
		badRow{ // good, and once took the time of its square
			name: "fewer of them", args: []string{"validate"},
			make: func(t *testing.T, b *bad) {
				b.write(t, "d.json", alike(300))
				b.write(t, "good.remint.hcl", `locals { a = length(distinct(jsondecode(file("d.json")))) }`)
			},
		},
		badRow{ // good, and once took a minute: the time is to grow with the number, not with its square
			name: "a set of 60,000 names", args: []string{"validate"},
			make: func(t *testing.T, b *bad) {
				b.write(t, "team.csv", "user\n"+names(60_000))
				b.write(t, "good.remint.hcl", `locals { a = toset([for r in csvdecode(file("team.csv")): r.user]) }`)
			},
		},
		badRow{
			name: "a pipe for a workspace file", args: []string{"validate"}, exit: 1, says: "not a regular file",
			make: func(t *testing.T, b *bad) { fifo(t, b.path("evil.remint.hcl")) },
		},
		badRow{
			name: "a folder for a workspace file", args: []string{"validate"}, exit: 1, says: "not a regular file",
			make: func(t *testing.T, b *bad) { must(t, os.Mkdir(b.path("evil.remint.hcl"), 0o755)) },
		},
		badRow{name: "a hostile address", args: []string{"plan", "credential.htpasswd_user.\x1b[31m\u202e"}, exit: 1, says: `\u202e`},
		badRow{name: "a hostile selection", args: []string{"plan", "-where=" + strings.Repeat("(", 100_000)}, exit: 1, says: "Nested too deeply"},
		badRow{name: "a selection that counts", args: []string{"plan", "-where=length([for a in range(1024): [for b in range(1024): [for c in range(1024): c]]]) > 0"}, exit: 1, says: "Too much to evaluate"},
	)
	return rows
}

func doublings() string {
	var s strings.Builder
	for i := 1; i < 60; i++ {
		s.WriteString(strings.NewReplacer("N", itoa(i), "M", itoa(i-1)).Replace(" aN = \"${local.aM}${local.aM}\"\n"))
	}
	return s.String()
}

// alike are n lists of n numbers in JSON, which differ in the last one.
func alike(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString(",[" + strings.Repeat("1,", n-1) + itoa(i) + "]")
	}
	return "[" + s.String()[1:] + "]"
}

// names are n different lines.
func names(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString("u" + itoa(i) + "\n")
	}
	return s.String()
}
