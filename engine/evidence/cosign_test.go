//go:build cosign

package evidence

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestCosign: an unmodified cosign accepts every exported bundle with the plan's
// digest, and refuses tampered ones, another digest and another key.
func TestCosign(t *testing.T) {
	cosign := os.Getenv("REMINT_COSIGN")
	if cosign == "" {
		var err error
		if cosign, err = exec.LookPath("cosign"); err != nil {
			t.Fatal("no cosign in PATH: put it there, or name it in REMINT_COSIGN")
		}
	}
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			keys := t.TempDir()
			must(t, GenerateSigner(filepath.Join(keys, "evidence.pem"), alg))
			signer, err := LoadSigner(filepath.Join(keys, "evidence.pem"))
			must(t, err)
			pub := filepath.Join(keys, "evidence.pub")
			w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: signer}
			w.key, w.ledger = testLedgerKey(t)
			a, err := OpenArchive(w.dir, w.key)
			must(t, err)
			must(t, a.File(context.Background(), testRun(t, signer, "r1", "a", "b")))
			approval, err := SignApproval(signer, testApproval())
			must(t, err)
			out := filepath.Join(t.TempDir(), "out")
			must(t, Export(context.Background(), w.dir, out, func(string) (fs.FS, error) {
				return fstest.MapFS{"approvals/alice.sigstore.json": {Data: approval}, "plan.json": {Data: []byte("{}")}}, nil
			}))

			digest := strings.Repeat("ab", 32)
			verify := func(key, bundle, typ, digest string) error {
				return exec.Command(cosign, "verify-blob-attestation", "--key", key, "--bundle", bundle, "--type", typ,
					"--insecure-ignore-tlog", "--digest", digest, "--digestAlg", "sha256").Run()
			}
			bundles := 0
			must(t, filepath.WalkDir(out, func(path string, _ fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".sigstore.json") {
					return err
				}
				bundles++
				typ := StepType
				switch {
				case strings.Contains(path, "/run/"):
					typ = RunType
				case strings.Contains(path, "-reset-"):
					typ = ResetType
				case strings.Contains(path, "/approvals/"):
					typ = ApprovalType
				}
				if err := verify(pub, path, typ, digest); err != nil {
					t.Errorf("cosign refuses %s: %v", path, err)
				}
				return nil
			}))
			if bundles != 11 {
				t.Fatalf("%d bundles were exported", bundles)
			}

			sound := filepath.Join(out, "r1", "htpasswd_user.a", "0001-install-user.sigstore.json")
			b, err := os.ReadFile(sound)
			must(t, err)
			i := bytes.Index(b, []byte(`"payload":"`)) + 200
			b[i] ^= 1
			tampered := filepath.Join(t.TempDir(), "tampered.sigstore.json")
			must(t, os.WriteFile(tampered, b, 0o644))
			if verify(pub, tampered, StepType, digest) == nil {
				t.Error("cosign accepts a tampered bundle")
			}
			if verify(pub, sound, StepType, strings.Repeat("ac", 32)) == nil {
				t.Error("cosign accepts another plan's digest")
			}
			other := t.TempDir()
			must(t, GenerateSigner(filepath.Join(other, "evidence.pem"), alg))
			if verify(filepath.Join(other, "evidence.pub"), sound, StepType, digest) == nil {
				t.Error("cosign accepts another key")
			}
		})
	}
}
