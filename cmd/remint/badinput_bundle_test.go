//go:build linux && !race

package main

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// badBundles are policy bundles that nobody signed so, or that cost more than they
// may. Each denies with one sentence, and nothing changes.
func badBundles() []badRow {
	const unverified = "What cannot be verified denies."
	var rows []badRow
	row := func(name, says string, alter func(t *testing.T, b *bad, run func(name string, args ...string))) {
		rows = append(rows, badRow{
			name: "bundle: " + name, args: []string{"plan", "-all"}, exit: 3, says: says,
			make: func(t *testing.T, b *bad) {
				run := func(name string, args ...string) {
					t.Helper()
					if name == "remint" {
						parts, err := badProgram()
						must(t, err)
						name = parts[0]
					}
					cmd := exec.Command(name, args...)
					cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "CI=", "GITHUB_ACTIONS=")
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%s %v: %v\n%s", name, args, err, out)
					}
				}
				for _, key := range []string{"p", "q"} {
					run("openssl", "genpkey", "-algorithm", "ed25519", "-out", "keys/"+key+".pem")
					run("openssl", "pkey", "-in", "keys/"+key+".pem", "-pubout", "-out", "keys/"+key+".pub")
				}
				b.write(t, "policy.remint.hcl", "policy \"house\" {\n  bundle     = \"house.tar.gz\"\n  public_key = file(\"keys/p.pub\")\n}\n")
				b.write(t, "rules/house.rego", "package remint.plan\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"denied\"\n")
				run("remint", "policy", "bundle", "-key=keys/p.pem", "-revision=7", "-out=house.tar.gz", "rules")
				alter(t, b, run)
			},
		})
	}
	type runner = func(name string, args ...string)
	// repacked is the bundle, unpacked, altered by shell, and packed again.
	repacked := func(script string) func(*testing.T, *bad, runner) {
		return func(_ *testing.T, _ *bad, run runner) {
			run("sh", "-ec", "mkdir u; tar -xzPf house.tar.gz -C u --transform 's,^/,,'; cd u; "+script+"; tar -czf ../house.tar.gz $(ls -A)")
		}
	}
	row("without a signature", "it is not signed; sign it with `remint policy bundle`", repacked("rm .signatures.json"))
	row("signed by another's key", "it is not signed as the policy block wants it, by public_key with EdDSA", func(_ *testing.T, _ *bad, run runner) {
		run("remint", "policy", "bundle", "-key=keys/q.pem", "-revision=7", "-out=house.tar.gz", "rules")
	})
	row("with a rule altered", "house.rego: digest mismatch", repacked("sed -i s/denied/demied/ house.rego"))
	row("with its revision raised", ".manifest: digest mismatch", repacked(`sed -i 's/"7"/"9"/' .manifest`))
	row("with a file more", "the file x.rego is not among those that were signed", repacked("cp house.rego x.rego"))
	row("with a file less", `the file "house.rego" was signed and is missing`, repacked("rm house.rego"))
	row("with a link in it", "is not a regular file", repacked("ln -s /etc/passwd x.rego"))
	row("with wasm in it", "compiled policies are not asked", repacked("printf 'x' > policy.wasm"))
	row("with a secret for data", "data is not read", repacked(`mkdir d; echo '{"token":"hunter2-canary"}' > d/data.json`))
	row("cut short", unverified, func(t *testing.T, b *bad, _ runner) { must(t, os.Truncate(b.path("house.tar.gz"), 200)) })
	row("with a byte changed", unverified, func(t *testing.T, b *bad, _ runner) {
		text, err := os.ReadFile(b.path("house.tar.gz"))
		must(t, err)
		text[len(text)/2] ^= 4
		must(t, os.WriteFile(b.path("house.tar.gz"), text, 0o644))
	})
	row("that is a pipe", "neither a folder nor a tarball", func(t *testing.T, b *bad, _ runner) {
		must(t, os.Remove(b.path("house.tar.gz")))
		must(t, syscall.Mkfifo(b.path("house.tar.gz"), 0o644))
	})
	row("of a lower revision than was applied", "the bundle has revision 6, and this state has seen revision 7", func(_ *testing.T, _ *bad, run runner) {
		run("remint", "trust", "accept", "-auto-approve")
		run("remint", "apply", "-auto-approve", "-all")
		run("remint", "policy", "bundle", "-key=keys/p.pem", "-revision=6", "-out=house.tar.gz", "rules")
	})
	row("with a gigabyte of nothing", "is larger than 1024 KiB", func(t *testing.T, b *bad, _ runner) {
		fill(t, b.path("house.tar.gz"), func(w *tar.Writer) {
			zeros := make([]byte, 1<<20)
			must(t, w.WriteHeader(&tar.Header{Name: "a.rego", Mode: 0o644, Size: 1 << 30}))
			for range 1 << 10 {
				_, err := w.Write(zeros)
				must(t, err)
			}
		})
	})
	row("with a hundred thousand files", "it holds more than 1000 files", func(t *testing.T, b *bad, _ runner) {
		fill(t, b.path("house.tar.gz"), func(w *tar.Writer) {
			for i := range 100_000 {
				must(t, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%d.rego", i), Mode: 0o644}))
			}
		})
	})
	row("with a name of 256 KiB", "the longest that is read is 1024", func(t *testing.T, b *bad, _ runner) {
		fill(t, b.path("house.tar.gz"), func(w *tar.Writer) {
			must(t, w.WriteHeader(&tar.Header{Name: strings.Repeat("x", 1<<18) + ".wasm", Mode: 0o644, Format: tar.FormatPAX}))
		})
	})
	return rows
}

// fill writes a compressed tarball.
func fill(t *testing.T, path string, with func(*tar.Writer)) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	gz := gzip.NewWriter(f)
	w := tar.NewWriter(gz)
	with(w)
	must(t, w.Close())
	must(t, gz.Close())
	must(t, f.Close())
}
