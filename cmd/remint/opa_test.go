//go:build opa && !race

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Bundles that a stock opa builds and signs are asked, and are refused once they are
// altered; a stock opa takes those that remint builds.
func TestOPABundles(t *testing.T) {
	opa := os.Getenv("REMINT_OPA")
	if opa == "" {
		t.Fatal("REMINT_OPA must name an opa: run `make test-opa`")
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	write := func(name, text string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	remint := func(want int, says string, args ...string) {
		t.Helper()
		out, code := child(dir, nil, args...)
		if flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " "); code != want || !strings.Contains(flat, says) {
			t.Fatalf("remint %v: exit %d\n%s", args, code, out)
		}
	}
	remint(0, "", "init")
	write("rules/house.rego", "package remint.plan\n\ndeny contains {\"id\": \"no\", \"msg\": \"m\"} if input.ticket == \"denied\"\n")
	write("rules/house_test.rego", "package remint.plan_test\n\nimport data.remint.plan\n\ntest_no if count(plan.deny) == 1 with input as {\"ticket\": \"denied\"}\n")
	for algorithm, kind := range map[string][]string{
		"ES256": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, "EdDSA": {"-algorithm", "ed25519"},
		"RS256": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, "PS512": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	} {
		t.Run(algorithm, func(t *testing.T) {
			private, public := "keys/p.pem", "keys/p.pub"
			run("openssl", append([]string{"genpkey", "-out", private}, kind...)...)
			run("openssl", "pkey", "-in", private, "-pubout", "-out", public)
			block := func(bundle string) {
				write("policy.remint.hcl", "policy \"opa\" {\n  bundle     = \""+bundle+"\"\n  algorithm  = \""+algorithm+"\"\n  public_key = file(\""+public+"\")\n}\n")
			}
			block("opa.tar.gz")
			run(opa, "build", "--bundle", "rules", "--signing-key", private, "--signing-alg", algorithm, "--revision", "9", "-o", "opa.tar.gz")
			remint(3, "a signed bundle, revision 9", "plan", "-all", "-ticket=denied")
			remint(0, "1 passed", "policy", "test")

			must(t, os.RemoveAll(filepath.Join(dir, "folder")))
			run("cp", "-r", "rules", "folder")
			write("folder/.manifest", `{"revision":"10","rego_version":1}`)
			run(opa, "sign", "--bundle", "folder", "--signing-key", private, "--signing-alg", algorithm, "-o", "folder")
			block("folder")
			remint(3, "a signed bundle, revision 10", "plan", "-all", "-ticket=denied")
			write("folder/house.rego", "package remint.plan\n\ndeny contains {\"id\": \"no\", \"msg\": \"m\"} if input.ticket == \"never\"\n")
			remint(3, "house.rego: digest mismatch", "validate")

			if algorithm == "PS512" {
				return // remint signs by the key's usual one
			}
			remint(0, "", "policy", "bundle", "-key="+private, "-revision=11", "-out=ours.tar.gz", "rules")
			run(opa, "build", "--bundle", "ours.tar.gz", "--verification-key", public, "--signing-alg", algorithm, "-o", "again.tar.gz")
		})
	}
}
