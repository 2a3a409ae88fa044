package agekeys_test

import (
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/remint-dev/remint/internal/agekeys"
)

const sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEV7oD5xFldanK28fJ9ZsscIQxgXWAMeYUaxLa84MVp+ x"

func TestRecipients(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	public, private := id.Recipient().String(), id.String()
	if got, err := agekeys.Recipients([]string{public, " " + sshKey + "\n"}); err != nil || len(got) != 2 {
		t.Errorf("got %d, %v", len(got), err)
	}
	for name, row := range map[string]struct{ bad, says string }{
		"nothing":              {"", "number 2 is not"},
		"something else":       {"c4nary-Zx9-secret", "number 2 is not"},
		"half a key":           {public[:20], "number 2 is not"},
		"two in one":           {public + "\n" + public, "number 2 is not"},
		"a private key":        {private, "number 2 looks like a private key"},
		"half of one":          {private[:40], "number 2 looks like a private key"},
		"one in small letters": {strings.ToLower(private), "number 2 looks like a private key"},
		"of a plugin":          {"AGE-PLUGIN-YUBIKEY-1QQQQ", "number 2 looks like a private key"},
		"of SSH":               {"-----BEGIN OPENSSH PRIVATE KEY-----\nc4nary\n", "number 2 looks like a private key"},
	} {
		_, err := agekeys.Recipients([]string{public, row.bad})
		if err == nil || !strings.HasPrefix(err.Error(), "must be ") || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		} else if len(row.bad) > 15 && strings.Contains(err.Error(), row.bad[len(row.bad)-15:]) || strings.Contains(err.Error(), "c4nary") || strings.Contains(err.Error(), private[20:40]) {
			t.Errorf("%s is quoted: %v", name, err)
		}
	}
}

// FuzzRecipients: whatever is declared as a recipient, it is refused without
// being quoted, or something can be encrypted to it.
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
		list, err := agekeys.Recipients([]string{s})
		if err != nil {
			if len(s) > 30 && strings.Contains(err.Error(), s[:30]) {
				t.Errorf("the error quotes the key: %v", err)
			}
			return
		}
		if len(list) != 1 || list[0] == nil {
			t.Fatalf("%q is %d recipients", s, len(list))
		}
		if _, err := age.Encrypt(io.Discard, list[0]); err != nil {
			t.Errorf("%q was taken, and is of no use: %v", s, err)
		}
	})
}
