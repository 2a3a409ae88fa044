//go:build linux && !race

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// badStores are places that a workspace must not send a secret to, or write to at all.
func badStores() []badRow {
	var rows []badRow
	row := func(name, says string, src func(path string) string, path string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{name: name, args: []string{"validate"}, exit: 1, says: says, make: func(t *testing.T, b *bad) {
			if change != nil {
				change(t, b)
			}
			b.write(t, "rules/x.rego", "package remint.plan\n\n# METADATA\n# title: Nothing\nwarn contains {\"id\": \"x\", \"msg\": \"x\"} if false\n")
			b.write(t, "evil.remint.hcl", "policy \"house\" { path = \"rules\" }\n"+strings.ReplaceAll(src(path), "DIR", b.dir))
		}})
	}
	store := func(path string) string {
		return fmt.Sprintf("credential \"htpasswd_user\" \"eve\" {\n provider = htpasswd.site\n user = \"eve\"\n owner = \"x\"\n store \"file\" \"x\" { path = %q }\n}\n", path)
	}
	file := func(path string) string { return fmt.Sprintf("provider \"htpasswd\" \"evil\" { file = %q }\n", path) }
	keys := func(path string) string {
		return fmt.Sprintf("provider \"ssh\" \"evil\" { authorized_keys = %q }\n", path)
	}
	crl := func(path string) string {
		return fmt.Sprintf("provider \"x509\" \"evil\" {\n certificate = \"ca.pem\"\n private_key = \"ca.key\"\n crl = %q\n}\n", path)
	}
	notices := func(path string) string { return fmt.Sprintf("notifier \"file\" \"evil\" { path = %q }\n", path) }
	few := map[string]bool{".git/hooks/post-checkout": true, "x.remint.hcl": true, "keys/new": true, "rules/new.rego": true, "../outside/victim": true}
	for what, src := range map[string]func(string) string{"a store": store, "an htpasswd file": file, "authorized keys": keys, "a CRL": crl, "notices": notices} {
		for path, says := range map[string]string{
			".git/hooks/post-checkout": "must not lead into .git", ".GIT/hooks/x": "must not lead into", "sub/.git/config": "must not lead into .git", "DIR/.git/hooks/x": "must not lead into .git",
			".remint/state.db": "must not lead into", ".Remint/x": "must not lead into", "x.remint.hcl": "workspace's own language", "X.REMINT.HCL": "workspace's own language", "sub/../y.remint.hcl": "workspace's own language",
			"a.remintvars": "workspace's own language", "rules/x.rego": "the policies of", "rules/new.rego": "the policies of", "./rules/../rules/y.rego": "the policies of",
			"keys/evidence.pem": "must not lead into", "keys/new": "must not lead into the folder", "evidence/x": "must not lead into the evidence", "DIR/keys/new": "must not lead into the folder",
			"../outside/victim": "must stay inside the workspace", "sub/../../outside/victim": "must stay inside the workspace", "": "must not be empty",
		} {
			if what != "a store" && !few[path] {
				continue // they all go through one function: of the others a sample
			}
			row(what+" aimed at "+path, says, src, path, nil)
		}
		for name, to := range map[string]string{"links to .git": ".git", "links to keys": "keys", "links to the state": ".remint", "links to policies": "rules"} {
			row(what+" through "+name, "must not lead into", src, "way/x", func(t *testing.T, b *bad) { must(t, os.MkdirAll(b.path(".git"), 0o755)); b.link(t, to, "way") })
		}
		row(what+" through links that lead out", "a symbolic link leads", src, "way/x", func(t *testing.T, b *bad) { b.link(t, "../outside", "way") })
		row(what+" through a link to a link", "must not lead into", src, "two/x", func(t *testing.T, b *bad) { b.link(t, "keys", "way"); b.link(t, "way", "two") })
		row(what+" behind a link that leads nowhere, out", "a symbolic link leads", src, "way", func(t *testing.T, b *bad) { b.link(t, "../outside/new", "way") })
		row(what+" behind a link that leads nowhere, to keys", "must not lead into", src, "way", func(t *testing.T, b *bad) { b.link(t, "keys/new", "way") })
	}
	return append(rows, badWrites()...)
}

// badWrites are things that a stranger planted where a secret goes.
func badWrites() []badRow {
	var rows []badRow
	apply := func(name, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{
			name: "apply: " + name, args: []string{"apply", "-auto-approve", "credential.htpasswd_user.ann"}, exit: 1, faults: -1, says: says, make: change, // told by the run
			may: recorded,
		})
	}
	for name, to := range map[string]string{"out": "../outside/victim", "nowhere": "../outside/new"} { // said of the workspace
		apply("the store is a link that leads "+name, "symbolic link", func(t *testing.T, b *bad) { b.link(t, to, "ann.txt") })
		rows[len(rows)-1].faults = 1
	}
	apply("the store is a link within", "symbolic link", func(t *testing.T, b *bad) { b.link(t, "notices.jsonl", "ann.txt") })
	apply("the store has two names", "hard links", func(t *testing.T, b *bad) {
		must(t, os.Remove(b.path("ann.txt")))
		must(t, os.Link(b.path("../outside/victim"), b.path("ann.txt")))
	})
	apply("the store is a pipe", "no regular file", func(t *testing.T, b *bad) { must(t, os.Remove(b.path("ann.txt"))); fifo(t, b.path("ann.txt")) })
	apply("the store is a folder", "no regular file", func(t *testing.T, b *bad) {
		must(t, os.Remove(b.path("ann.txt")))
		must(t, os.Mkdir(b.path("ann.txt"), 0o755))
	})
	apply("the store has 1 GB", "is larger than", func(t *testing.T, b *bad) { sparse(t, b.path("ann.txt"), 1<<30) })
	apply("a folder where the store's temporary file goes", "ann.txt", func(t *testing.T, b *bad) { must(t, os.MkdirAll(b.path(".ann.txt.remint-tmp/x"), 0o755)) })
	for _, f := range []struct{ format, text, says string }{
		{"dotenv", "export KEY='not closed\n", "ann.txt"}, {"json", "{\"KEY\": ", "is not valid JSON"}, {"json", strings.Repeat("[", 100_000), "ann.txt"},
	} {
		apply("the store is garbage for "+f.format+": "+fmt.Sprintf("%.12q", f.text), f.says, func(t *testing.T, b *bad) {
			b.write(t, "ann.txt", f.text)
			b.edit(t, b.path("main.remint.hcl"), func(old []byte) []byte {
				return []byte(strings.Replace(string(old), `{ path = "ann.txt" }`, "{\n path = \"ann.txt\"\n format = \""+f.format+"\"\n key = \"KEY\"\n}", 1))
			})
		})
	}
	rows = append(rows, badRow{
		name: "apply: a link where the store's temporary file goes", args: []string{"apply", "-auto-approve", "credential.htpasswd_user.ann"},
		make: func(t *testing.T, b *bad) { b.link(t, "../outside/victim", ".ann.txt.remint-tmp") },
		may:  func(p string) bool { return begun(p) || p == ".ann.txt.remint-tmp" },
	})
	// What is appended to: the run stops where it would tell of itself in a file outside.
	second := func(t *testing.T, b *bad, name string) {
		must(t, os.RemoveAll(b.path(name)))
		must(t, os.Link(b.path("../outside/victim"), b.path(name)))
	}
	rows = append(rows, badRow{
		name: "apply: notices with two names", args: []string{"apply", "-all", "-auto-approve"}, exit: 6, faults: -1, says: "hard links", may: begun,
		make: func(t *testing.T, b *bad) { second(t, b, "notices.jsonl") },
	})
	for _, args := range [][]string{{"plan", "-all"}, {"apply", "-all", "-auto-approve"}} {
		rows = append(rows, badRow{
			name: args[0] + ": a decision log with two names", args: args, exit: 3, says: "hard links",
			may: recorded, make: func(t *testing.T, b *bad) {
				b.settings(t, `decision_log { path = "log.jsonl" }`)
				second(t, b, "log.jsonl")
			},
		})
	}
	return rows
}

// badFiles are what a workspace and the command line name: tables, variables,
// what providers read, expressions, flags.
func badFiles() []badRow {
	var rows []badRow
	run := func(name, says string, change func(t *testing.T, b *bad), args ...string) {
		rows = append(rows, badRow{name: name, args: args, exit: 1, says: says, make: change})
	}
	table := func(name, says, expr, text string) {
		run(name, says, func(t *testing.T, b *bad) {
			b.write(t, "table", text)
			b.write(t, "evil.remint.hcl", "locals { a = "+expr+" }")
		}, "validate")
	}
	const csv, json = `csvdecode(file("table"))`, `jsondecode(file("table"))`
	table("a table with a quote that is not closed", "A function failed", csv, "a,b\n\"x,y\n")
	table("a table with lines of other lengths", "A function failed", csv, "a,b\n1\n")
	table("a table with a column twice", "A function failed", csv, "a,a\n1,2\n")
	table("a table of NULs", "is not UTF-8 text", csv, strings.Repeat("\x00", 100))
	table("a table of Latin-1", "is not UTF-8 text", csv, "a\nM\xfcller\n")
	table("a table of 100,000 columns", "", csv, strings.ReplaceAll(names(100_000), "\n", ",")+"u\n"+strings.Repeat("x,", 100_000)+"x\n")
	rows[len(rows)-1].exit = 0 // it is good, and costs no more than it may
	table("JSON that is cut", "A function failed", json, `{"a": `)
	table("JSON, 1,000,000 deep", "nested more than", json, strings.Repeat("[", 1_000_000))
	table("a number of a million digits", "a number has at most 1200 characters", json, "1"+strings.Repeat("0", 1_000_000))
	run("a table behind a link to .git", "not for configuration", func(t *testing.T, b *bad) {
		b.write(t, ".git/config", "token")
		b.link(t, ".git/config", "table")
		b.write(t, "evil.remint.hcl", "locals { a = "+csv+" }")
	}, "validate")
	run("the ledger's key behind a link", "may be read", func(t *testing.T, b *bad) {
		b.link(t, "keys/ledger.key", "table")
		b.write(t, "evil.remint.hcl", "locals { a = "+csv+" }")
	}, "validate")
	run("a table that is a pipe", "is not a regular file", func(t *testing.T, b *bad) {
		fifo(t, b.path("table"))
		b.write(t, "evil.remint.hcl", "locals { a = "+csv+" }")
	}, "validate")

	vars := func(name, says string, change func(t *testing.T, b *bad)) {
		run("variables: "+name, says, change, "plan", "-all", "-var-file=x.remintvars")
	}
	text := func(s string) func(t *testing.T, b *bad) {
		return func(t *testing.T, b *bad) {
			b.write(t, "v.remint.hcl", "variable \"a\" {\n type = string\n sensitive = true\n default = \"\"\n}\n")
			b.write(t, "x.remintvars", s)
		}
	}
	vars("no file", "no such file", nil)
	vars("a byte order mark", "byte order mark", text("\xef\xbb\xbfa = \"x\"\n"))
	vars("a NUL", "NUL", text("a = \"\x00\"\n"))
	vars("a line cut", "line's end", text("a = \"cut\n"))
	rows[len(rows)-1].faults = 2
	vars("set twice", "Set twice", text("a = \"x\"\na = \"y\"\n"))
	vars("one that is not declared", "Unknown variable", text("a = \"x\"\nb = 1\n"))
	vars("a block", "no such block", text("a = \"x\"\nb {}\n"))
	vars("a list for a text", "A value does not fit", text("a = [1]\n"))
	vars("100,000 deep", "Nested too deeply", text("a = "+strings.Repeat("[", 100_000)))
	vars("a reference", `There is no "var" here. An expression at this place sees no names`, text("a = var.a\n"))
	vars("65 MB", "are not read", func(t *testing.T, b *bad) { text("")(t, b); must(t, os.Truncate(b.path("x.remintvars"), 65<<20)) })
	vars("a pipe", "not a regular file", func(t *testing.T, b *bad) { fifo(t, b.path("x.remintvars")) })
	vars("a folder", "not a regular file", func(t *testing.T, b *bad) { must(t, os.Mkdir(b.path("x.remintvars"), 0o755)) })

	site := func(name, says string, change func(t *testing.T, b *bad)) {
		run("htpasswd: "+name, says, change, "plan", "credential.htpasswd_user.ann")
	}
	site("1 GB", "is larger than", func(t *testing.T, b *bad) { sparse(t, b.path("site.htpasswd"), 1<<30) })
	site("a pipe", "no regular file", func(t *testing.T, b *bad) {
		must(t, os.Remove(b.path("site.htpasswd")))
		fifo(t, b.path("site.htpasswd"))
	})
	site("a folder", "no regular file", func(t *testing.T, b *bad) {
		must(t, os.Remove(b.path("site.htpasswd")))
		must(t, os.Mkdir(b.path("site.htpasswd"), 0o755))
	})
	site("a link that leads nowhere", "a file that does not exist", func(t *testing.T, b *bad) { b.link(t, "nowhere", "site.htpasswd") })
	site("a device", "/dev/zero cannot be read: not a plain file", func(t *testing.T, b *bad) {
		b.edit(t, b.path("main.remint.hcl"), func(old []byte) []byte {
			return []byte(strings.Replace(string(old), `"site.htpasswd"`, `"/dev/zero"`, 1))
		})
	})
	rows = append(rows, badRow{ // garbage is not remint's to judge: the user is not in it
		name: "htpasswd: lines of garbage", args: []string{"plan", "credential.htpasswd_user.ann"}, says: "1 to make",
		make: func(t *testing.T, b *bad) {
			b.write(t, "site.htpasswd", strings.Repeat("\xff:\r\x1b[2J\u202e\n", 10_000))
		},
	})
	site("NULs", "contains a NUL byte", func(t *testing.T, b *bad) { b.write(t, "site.htpasswd", strings.Repeat("\x00", 1000)) })
	ssh := func(name, says string, change func(t *testing.T, b *bad)) {
		run("authorized_keys: "+name, says, func(t *testing.T, b *bad) {
			b.write(t, "ssh.remint.hcl", "provider \"ssh\" \"s\" { authorized_keys = \"authorized_keys\" }\ncredential \"ssh_authorized_key\" \"k\" {\n provider = ssh.s\n comment = \"c\"\n owner = \"x\"\n store \"file\" \"k\" {\n path = \"k\"\n field = \"private_key\"\n }\n}\n")
			change(t, b)
		}, "plan", "credential.ssh_authorized_key.k")
	}
	ssh("1 GB", "is larger than", func(t *testing.T, b *bad) { sparse(t, b.path("authorized_keys"), 1<<30) })
	ssh("a pipe", "no regular file", func(t *testing.T, b *bad) { fifo(t, b.path("authorized_keys")) })
	ssh("a link that leads nowhere", "leads nowhere", func(t *testing.T, b *bad) { b.link(t, "nowhere", "authorized_keys") })
	x509 := func(name, says string, change func(t *testing.T, b *bad)) {
		run("x509: "+name, says, func(t *testing.T, b *bad) {
			b.sh(t, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30 2>/dev/null")
			b.write(t, "x509.remint.hcl", "provider \"x509\" \"c\" {\n certificate = \"ca.pem\"\n private_key = \"ca.key\"\n crl = \"ca.crl\"\n environment = \"test\"\n}\ncredential \"x509_certificate\" \"k\" {\n provider = x509.c\n common_name = \"c\"\n dns_names = [\"c\"]\n lifetime = \"24h\"\n owner = \"x\"\n store \"file\" \"k\" {\n path = \"k\"\n field = \"private_key\"\n }\n store \"file\" \"c\" {\n path = \"c\"\n field = \"certificate\"\n }\n}\n")
			b.sh(t, `"$0" trust accept -auto-approve`)
			change(t, b)
		}, "plan", "credential.x509_certificate.k")
	}
	x509("a CRL of garbage", "ca.crl", func(t *testing.T, b *bad) { b.write(t, "ca.crl", "\x00garbage") })
	x509("a CRL of 1 GB", "is larger than", func(t *testing.T, b *bad) { sparse(t, b.path("ca.crl"), 1<<30) })
	x509("a pipe for a CRL", "no regular file", func(t *testing.T, b *bad) { fifo(t, b.path("ca.crl")) })
	x509("an index of 1 GB", "is larger than 64 MiB", func(t *testing.T, b *bad) { sparse(t, b.path("ca.crl.index.jsonl"), 1<<30) })
	x509("an index that is one line", "longer than 64 KiB", func(t *testing.T, b *bad) { sparse(t, b.path("ca.crl.index.jsonl"), 60<<20) })
	x509("a link for an index", "it is a symbolic link", func(t *testing.T, b *bad) { b.link(t, "../outside/victim", "ca.crl.index.jsonl") })
	x509("a link that leads nowhere for an index", "it is a symbolic link", func(t *testing.T, b *bad) { b.link(t, "../outside/new", "ca.crl.index.jsonl") })
	x509("an index with two names", "hard links", func(t *testing.T, b *bad) {
		must(t, os.Link(b.path("../outside/victim"), b.path("ca.crl.index.jsonl")))
	})
	x509("a pipe for an index", "no regular file", func(t *testing.T, b *bad) { fifo(t, b.path("ca.crl.index.jsonl")) })
	x509("another CA's CRL", "ca.crl", func(t *testing.T, b *bad) {
		b.sh(t, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key -out o.pem -subj /CN=other -days 30 2>/dev/null; touch i; echo 01 > n; printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=i\\ncrlnumber=n\\ndefault_md=sha256\\ndefault_crl_days=9\\n' > c.cnf; openssl ca -config c.cnf -gencrl -keyfile o.key -cert o.pem -out ca.crl 2>/dev/null")
	})
	x509("a certificate of garbage", "ca.pem", func(t *testing.T, b *bad) { b.write(t, "ca.pem", "garbage") })
	for name, change := range map[string]func(t *testing.T, b *bad){ // a plan needs no key
		"a key of garbage": func(t *testing.T, b *bad) { b.secret(t, "ca.key", "garbage") },
		"a key of 1 GB":    func(t *testing.T, b *bad) { sparse(t, b.path("ca.key"), 1<<30) },
		"another CA's key": func(t *testing.T, b *bad) {
			b.sh(t, "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out ca.key 2>/dev/null")
		},
	} {
		x509(name, "ca.key", change)
		last := &rows[len(rows)-1]
		last.args, last.faults, last.may = []string{"apply", "-auto-approve", "credential.x509_certificate.k"}, -1, recorded
	}
	return append(rows, badFlags()...)
}

func badFlags() []badRow {
	var rows []badRow
	run := func(says string, args ...string) {
		rows = append(rows, badRow{name: fmt.Sprintf("remint %.80q", strings.Join(args, " ")), args: args, exit: 1, says: says})
	}
	where := func(says, expr string) { run(says, "plan", "-where="+expr) }
	where("-where must be true or false", "owner")
	where("-where must be true or false", `"x"`)
	where(`There is no "nowhere" here`, "nowhere == 1")
	where("Expected the start of an expression", "owner ==")
	where("not UTF-8", "\xff")
	where(`There is no function "file"`, `file("keys/evidence.pem") == ""`)
	where(`There is no "var" here`, "var.x")
	where("The number is out of range", "1/0 > 0")
	where("Too many operators", strings.Repeat("!", 100_000)+"true")
	where("at most three digits", `format("%0999999999d", 1) == ""`)
	run(`Invalid value "x" for flag -parallelism`, "plan", "-parallelism=x")
	run("-parallelism", "plan", "-all", "-parallelism=-1")
	run("-parallelism", "plan", "-all", "-parallelism=1000000000")
	run("No such reason", "plan", "-reason=\u202e")
	run("not understood", "plan", "-nosuch")
	run("not understood", "plan", "-out")
	run("No such command", "pl\u202ean")
	run("No such directory", "-chdir=\u202e", "plan")
	run("A directory is missing", "-chdir")
	run("No such directory", "-chdir=main.remint.hcl", "plan")
	run("A variable without a value", "plan", "-var=x")
	run("A variable without a value", "plan", "-var==x")
	run("Unknown variable", "plan", "-all", "-var=\u202e=1")
	run("No such expiry", "approve", "-key=keys/evidence.pem", "-expires=-1s", "good.plan")
	run("No such expiry", "approve", "-key=keys/evidence.pem", "-expires=9999h", "good.plan")
	run("not understood", "approve", "-key=keys/evidence.pem", "-expires=9999999999999999h", "good.plan")
	run("takes one argument", "show")
	run("takes one argument", "show", "a", "b")
	run("takes none", "status", "x")
	run("No such action", "evidence", "\u202e")
	run("What about", "evidence")
	run("No such format", "graph", "-format=\u202e", "good.plan")
	run("the key must be a quoted string", "plan", "credential.htpasswd_user.ann[\"")
	run("is not a credential address", "plan", strings.Repeat("credential.x.y", 2_000))
	many := []string{"plan"}
	for i := range 20_000 {
		many = append(many, "credential.htpasswd_user.n"+itoa(i))
	}
	rows = append(rows, badRow{name: "20,000 addresses that are none", args: many, exit: 1, faults: 50, says: "more"})
	return rows
}
