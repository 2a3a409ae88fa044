//go:build linux && !race

package main

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// nobody runs the program as a user who owns nothing, where the test is root: to
// root no file is closed.
func nobody() string {
	if os.Geteuid() != 0 {
		return ""
	}
	return `exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"`
}

// closed makes the workspace that user's, but for the paths named, which nobody may use.
func (b *bad) closed(t *testing.T, paths ...string) {
	t.Helper()
	if os.Geteuid() == 0 {
		b.sh(t, "chmod 755 ../.. .. && chown -R 65534:65534 . ../outside")
	}
	for _, p := range paths {
		if os.Geteuid() == 0 {
			must(t, os.Chown(b.path(p), 0, 0))
		}
		info, err := os.Stat(b.path(p))
		must(t, err)
		mode := fs.FileMode(0)
		if info.IsDir() {
			mode = 0o555
		}
		must(t, os.Chmod(b.path(p), mode))
		t.Cleanup(func() { _ = os.Chmod(b.path(p), 0o700) })
	}
}

// badKeys are keys that cannot be used, or ought not to be.
func badKeys() []badRow {
	var rows []badRow
	const pem = "keys/evidence.pem"
	kinds := []struct {
		name, says string
		make       func(t *testing.T, b *bad, path string)
	}{
		{"empty", "not a private key", func(t *testing.T, b *bad, path string) { b.secret(t, path, "") }},
		{"of NULs", "not a private key", func(t *testing.T, b *bad, path string) { b.secret(t, path, strings.Repeat("\x00", 300)) }},
		{"a PEM block of garbage", "is damaged", func(t *testing.T, b *bad, path string) {
			b.secret(t, path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
		}},
		{"RSA", "is not supported", func(t *testing.T, b *bad, path string) {
			b.sh(t, "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out "+path+" 2>/dev/null")
		}},
		{"P-384", "is not supported", func(t *testing.T, b *bad, path string) {
			b.sh(t, "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-384 -out "+path+" 2>/dev/null")
		}},
		{"SEC 1", "is not PKCS#8", func(t *testing.T, b *bad, path string) {
			b.sh(t, "openssl ecparam -name prime256v1 -genkey -noout -out "+path+" 2>/dev/null")
		}},
		{"encrypted", "is encrypted", func(t *testing.T, b *bad, path string) {
			b.sh(t, "openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out "+path+" 2>/dev/null")
		}},
		{"a public one", "is not PKCS#8", func(t *testing.T, b *bad, path string) {
			pub, err := os.ReadFile(b.path("keys/evidence.pub"))
			must(t, err)
			b.secret(t, path, string(pub))
		}},
		{"two in a file", "more than one private key", func(t *testing.T, b *bad, path string) {
			b.sh(t, "openssl genpkey -algorithm ed25519 >> "+path+" 2>/dev/null; openssl genpkey -algorithm ed25519 >> "+path+" 2>/dev/null")
		}},
		{"of 1 GB", "is larger than", func(t *testing.T, b *bad, path string) { sparse(t, b.path(path), 1<<30) }},
		{"a pipe", "is not a regular file", func(t *testing.T, b *bad, path string) { _ = os.Remove(b.path(path)); fifo(t, b.path(path)) }},
		{"a folder", "is not a regular file", func(t *testing.T, b *bad, path string) {
			_ = os.Remove(b.path(path))
			must(t, os.Mkdir(b.path(path), 0o755))
		}},
		{"a device", "is not a regular file", func(t *testing.T, b *bad, path string) { b.link(t, "/dev/zero", path) }},
	}
	for _, k := range kinds {
		says := k.says
		if k.name == "a device" {
			says = "leads \"keys/evidence.pem\" out of it"
		}
		rows = append(rows,
			badRow{name: "apply: the evidence key is " + k.name, args: []string{"apply", "-all", "-auto-approve"}, exit: 1, says: says, make: func(t *testing.T, b *bad) { k.make(t, b, pem) }},
			badRow{name: "approve: the key is " + k.name, args: []string{"approve", "-key=evil.pem", "good.plan"}, exit: 1, says: k.says, make: func(t *testing.T, b *bad) { k.make(t, b, "evil.pem") }},
		)
	}
	apply := func(name, says string, change func(t *testing.T, b *bad)) {
		rows = append(rows, badRow{name: name, args: []string{"apply", "-all", "-auto-approve"}, exit: 1, says: says, make: change})
	}
	apply("the evidence key is gone", "remint init -bare", func(t *testing.T, b *bad) { must(t, os.Remove(b.path(pem))) })
	const ledger = "keys/ledger.key"
	apply("the ledger's key is gone", "put the key back", func(t *testing.T, b *bad) { must(t, os.Remove(b.path(ledger))) })
	apply("the ledger's key is empty", "is not a ledger key", func(t *testing.T, b *bad) { b.secret(t, ledger, "") })
	apply("the ledger's key is garbage", "is not a ledger key", func(t *testing.T, b *bad) { b.secret(t, ledger, "PRIVATE+KEY+\x00+") })
	apply("the ledger's key is another's", "another key", func(t *testing.T, b *bad) {
		b.sh(t, `mkdir ../two && cd ../two && "$0" init -bare && cp keys/ledger.key ../w/keys/`)
	})
	apply("the ledger's key is of 1 GB", "is larger than", func(t *testing.T, b *bad) { sparse(t, b.path(ledger), 1<<30) })
	apply("the ledger's key is a pipe", "is not a regular file", func(t *testing.T, b *bad) { must(t, os.Remove(b.path(ledger))); fifo(t, b.path(ledger)) })
	rows = append(rows,
		badRow{
			name: "the evidence key may not be read", args: []string{"apply", "-all", "-auto-approve"}, before: nobody(), exit: 1, says: "permission denied",
			make: func(t *testing.T, b *bad) { b.closed(t, pem) },
		},
		badRow{
			name: "an approver's public key may not be read", args: []string{"validate"}, before: nobody(), exit: 1, says: "permission denied to the user remint runs as",
			make: func(t *testing.T, b *bad) {
				b.write(t, "evil.remint.hcl", `approver "a" { public_key = file("keys/evidence.pub") }`)
				b.closed(t, "keys/evidence.pub")
			},
		},
		badRow{
			name: "the evidence key may be read by everybody", args: []string{"apply", "-all", "-auto-approve"}, says: "Others can read a key",
			make: func(t *testing.T, b *bad) { must(t, os.Chmod(b.path(pem), 0o644)) }, may: begun,
		},
		badRow{
			name: "the ledger's key may be read by everybody", args: []string{"apply", "-all", "-auto-approve"}, says: "Others can read a key",
			make: func(t *testing.T, b *bad) { must(t, os.Chmod(b.path(ledger), 0o604)) }, may: begun,
		},
		badRow{
			name: "evidence where nothing may be written", args: []string{"apply", "-all", "-auto-approve"}, before: nobody(), exit: 1, says: "permission denied",
			make: func(t *testing.T, b *bad) { b.closed(t, "evidence/ledger"); b.closed(t, "evidence") }, may: recorded,
		},
		badRow{
			name: "a plan where nothing may be written", args: []string{"plan", "-all", "-out=shut/new.plan"}, before: nobody(), exit: 1, says: "permission denied",
			make: func(t *testing.T, b *bad) { must(t, os.Mkdir(b.path("shut"), 0o755)); b.closed(t, "shut") },
		},
	)
	return append(rows, badInits()...)
}

// badInits are places where init must make no key.
func badInits() []badRow {
	none := func(t *testing.T, b *bad) { must(t, os.RemoveAll(b.path("keys"))) }
	args := []string{"init", "-bare"}
	keys := func(p string) bool { return p == "." || strings.HasPrefix(p, "keys") || p == ".gitignore" }
	return []badRow{
		{
			name: "init: keys leads out", args: args, exit: 1, says: "no folder but a link",
			make: func(t *testing.T, b *bad) {
				none(t, b)
				must(t, os.RemoveAll(b.path("evidence")))
				b.link(t, "../outside", "keys")
			},
		},
		{
			name: "init: keys is a file", args: args, exit: 1, faults: 2, says: "not a directory",
			make: func(t *testing.T, b *bad) {
				none(t, b)
				must(t, os.RemoveAll(b.path("evidence")))
				b.write(t, "keys", "")
			},
		},
		{
			name: "init: beside evidence whose ledger key is lost", args: args, exit: 1, says: "The ledger's key is lost",
			make: func(t *testing.T, b *bad) { must(t, os.Remove(b.path("keys/ledger.key"))) },
		},
		{
			name: "init: beside such evidence elsewhere", args: args, exit: 1, says: "The ledger's key is lost",
			make: func(t *testing.T, b *bad) {
				must(t, os.Rename(b.path("evidence"), b.path("proof")))
				b.edit(t, b.path("main.remint.hcl"), func(old []byte) []byte { return []byte(strings.Replace(string(old), `"evidence"`, `"proof"`, 1)) })
				must(t, os.Remove(b.path("keys/ledger.key")))
			},
		},
		{
			name: "init: a public key without its private one", args: args, exit: 1, says: "is there already",
			make: func(t *testing.T, b *bad) { must(t, os.Remove(b.path("keys/evidence.pem"))) },
		},
		{
			name: "init: a private key that leads nowhere", args: args, // it is there: nothing is made
			make: func(t *testing.T, b *bad) { b.link(t, "../../outside/new", "keys/evidence.pem") },
		},
		{
			name: "init: .gitignore leads nowhere", args: args,
			make: func(t *testing.T, b *bad) { b.link(t, "../outside/new", ".gitignore") },
		},
		{
			name: "init under umask 000", args: args, before: "umask 000", may: keys,
			make: func(t *testing.T, b *bad) { none(t, b); must(t, os.RemoveAll(b.path("evidence"))) },
			after: func(t *testing.T, b *bad) {
				modes(t, b, map[string]fs.FileMode{"keys": 0o700, "keys/evidence.pem": 0o600, "keys/ledger.key": 0o600, "keys/evidence.pub": 0o644})
			},
		},
		{name: "init: no such algorithm", args: []string{"init", "-algorithm=\u202ersa"}, exit: 1, says: `\u202e`},
	}
}
