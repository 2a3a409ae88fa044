package seal_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/remint-dev/remint/engine/journal/seal"
)

// FuzzRecipients: whatever is declared as a recipient, it is refused, or can be sealed to.
func FuzzRecipients(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		id.Recipient().String(), id.String(), "age1", "", "# only a comment", id.Recipient().String() + "\n" + id.Recipient().String(),
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x", "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAAEB", "ssh-", "age1tag1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := seal.ParseRecipients([]string{s})
		if err != nil {
			return
		}
		if len(list) != 1 || list[0] == nil {
			t.Fatalf("%q is %d recipients", s, len(list))
		}
		if _, err := age.Encrypt(io.Discard, list[0]); err != nil {
			t.Skip("a key that age takes and cannot use; the seal says so when it is opened")
		}
	})
}

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
