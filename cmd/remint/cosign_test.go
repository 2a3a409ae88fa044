//go:build cosign && !race

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every bundle of a real run, exported, is accepted by a stock cosign, for both
// kinds of key; and a plan's canonical form has the digest that they speak of.
func TestCosignAcceptsARun(t *testing.T) {
	cosign := os.Getenv("REMINT_COSIGN")
	if cosign == "" {
		t.Fatal("REMINT_COSIGN must name a cosign 3.1.3: run `make test-cosign`")
	}
	for _, algorithm := range []string{"ecdsa-p256", "ed25519"} {
		t.Run(algorithm, func(t *testing.T) {
			dir := t.TempDir()
			must := func(args ...string) {
				t.Helper()
				if out, code := child(dir, nil, args...); code != 0 {
					t.Fatalf("remint %s: exit %d\n%s", strings.Join(args, " "), code, out)
				}
			}
			must("init", "-algorithm="+algorithm)
			must("apply", "-auto-approve", "-all")
			must("evidence", "export", "-out=out")
			plans, err := filepath.Glob(filepath.Join(dir, "out", "*", "plan.canonical.json"))
			if err != nil || len(plans) != 1 {
				t.Fatalf("exported plans: %v, %v", plans, err)
			}
			canonical, err := os.ReadFile(plans[0])
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(canonical)
			bundles := 0
			err = filepath.WalkDir(filepath.Join(dir, "out"), func(path string, _ fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".sigstore.json") {
					return err
				}
				bundles++
				cmd := exec.Command(cosign, "verify-blob-attestation", "--key", filepath.Join(dir, "keys/evidence.pub"), "--bundle", path, "--type", evidenceType(t, path),
					"--insecure-ignore-tlog", "--digest", hex.EncodeToString(sum[:]), "--digestAlg", "sha256")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("cosign refuses %s: %s", filepath.Base(path), out)
				}
				return nil
			})
			if err != nil || bundles < 10 {
				t.Errorf("%d bundles, %v", bundles, err)
			}
		})
	}
}

// evidenceType is the predicate type that a bundle's place says it has.
func evidenceType(t *testing.T, path string) string {
	t.Helper()
	switch name := filepath.Base(path); {
	case strings.Contains(name, "-run-"):
		return "https://remint.dev/evidence/run/v1"
	case strings.Contains(name, "-reset-"):
		return "https://remint.dev/evidence/reset/v1"
	}
	return "https://remint.dev/evidence/step/v1"
}
