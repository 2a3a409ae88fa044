package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/remint-dev/remint/engine/journal/seal"
)

// FuzzIdentities: whatever stands in a file of identities, it is refused, or opens what
// was sealed to it; and no error quotes it.
func FuzzIdentities(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("# a key\n" + id.String() + "\n"))
	f.Add([]byte(id.String()[:40]))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"))
	f.Add([]byte("\x00"))
	path := filepath.Join(f.TempDir(), "keys")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		ids, err := seal.ReadIdentities(path)
		if (len(ids) == 0) == (err == nil) {
			t.Fatalf("identities and an error, or neither: %v", err)
		}
		if err != nil && len(b) > 30 && bytes.Contains([]byte(err.Error()), b[:30]) {
			t.Errorf("the error quotes the file: %v", err)
		}
	})
}
