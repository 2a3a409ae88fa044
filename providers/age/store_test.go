package age_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	stdage "filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/providers/age"
)

const canary = "c4nary-Zx9-secret"

func native(t *testing.T) (*stdage.X25519Identity, string) {
	t.Helper()
	id, err := stdage.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id, id.Recipient().String()
}

// sshKey gives the identity that a holder of the private key would use.
func sshKey(t *testing.T, public, private any) (stdage.Identity, string) {
	t.Helper()
	pub, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	id, err := agessh.ParseIdentity(pem.EncodeToMemory(block))
	if err != nil {
		t.Fatal(err)
	}
	return id, string(ssh.MarshalAuthorizedKey(pub))
}

func decrypt(t *testing.T, path string, armored bool, id stdage.Identity) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var in io.Reader = bytes.NewReader(b)
	if armored {
		in = armor.NewReader(in)
	}
	plain, err := stdage.Decrypt(in, id)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func open(t *testing.T, d provider.StoreDefinition, path string, armored bool, recipients ...string) provider.Store {
	t.Helper()
	s, err := d.Open(t.Context(), provider.Block{Attrs: provider.NewAttrs(map[string]any{
		"path":       provider.Path{Written: filepath.Base(path), Absolute: path},
		"recipients": recipients,
		"armor":      armored,
	})})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryRecipientCanDecrypt(t *testing.T) {
	one, oneText := native(t)
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	two, twoText := sshKey(t, public, private)
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	three, threeText := sshKey(t, big.Public(), big)
	for _, armored := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "f.age")
		s := open(t, age.Store(), path, armored, oneText, twoText, threeText)
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("Check left a file")
		}
		if err := s.Put(t.Context(), secret.FromString(canary)); err != nil {
			t.Fatal(err)
		}
		for i, id := range []stdage.Identity{one, two, three} {
			if got := decrypt(t, path, armored, id); got != canary {
				t.Errorf("recipient %d decrypts something else", i)
			}
		}
		raw, _ := os.ReadFile(path)
		if bytes.Contains(raw, []byte(canary)) || bytes.HasPrefix(raw, []byte(armor.Header)) != armored {
			t.Error("the file is not what it should be")
		}
		if info, _ := os.Stat(path); info.Mode() != 0o600 {
			t.Errorf("mode is %v", info.Mode())
		}
	}
}

func TestPutTwiceIsOnceAndHoldsSaysOnlyWhatIsKnown(t *testing.T) {
	id, recipient := native(t)
	path, d := filepath.Join(t.TempDir(), "f.age"), age.Store()
	s, v, other := open(t, d, path, true, recipient), secret.FromString("one"), secret.FromString("two")
	holds := func(s provider.Store, v secret.Value, want bool, wantErr error) {
		t.Helper()
		if got, err := s.Holds(t.Context(), v); got != want || !errors.Is(err, wantErr) {
			t.Errorf("holds: %v, %v; want %v, %v", got, err, want, wantErr)
		}
	}
	put := func(s provider.Store, v secret.Value) string {
		t.Helper()
		if err := s.Put(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(path)
		return string(b)
	}
	holds(s, v, false, nil) // there is no file
	first := put(s, v)
	if put(s, v) != first {
		t.Error("putting the same value again changed the file")
	}
	holds(s, v, true, nil)
	holds(s, other, false, nil)
	holds(open(t, d, path, true, recipient), v, true, nil)                              // opened again in this process
	holds(open(t, age.Store(), path, true, recipient), v, false, provider.ErrWriteOnly) // as another process would
	if put(s, other) == first {
		t.Error("another value did not change the file")
	}
	holds(s, v, false, nil)
	if err := os.WriteFile(path, []byte("somebody else's"), 0o600); err != nil {
		t.Fatal(err)
	}
	holds(s, other, false, provider.ErrWriteOnly)
	put(s, other)
	if decrypt(t, path, true, id) != "two" {
		t.Error("somebody else's file was not replaced")
	}
	if _, err := s.Get(t.Context()); !errors.Is(err, provider.ErrWriteOnly) {
		t.Errorf("Get: %v", err)
	}
	for range 2 {
		if err := s.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || len(b) != 0 {
			t.Errorf("emptied, the file has %d bytes, %v", len(b), err)
		}
	}
	holds(s, other, false, nil)
}

func TestRefusals(t *testing.T) {
	_, recipient := native(t)
	hybrid, err := stdage.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	private, _ := native(t)
	attribute, _ := age.Store().Schema.Find("recipients")
	for name, list := range map[string][]string{
		"none":              {},
		"a private key":     {recipient, private.String()},
		"garbage":           {canary},
		"two in one":        {recipient + "\n" + recipient},
		"empty":             {""},
		"unusable together": {recipient, hybrid.Recipient().String()},
	} {
		err := attribute.Check(list)
		if err == nil || !strings.HasPrefix(err.Error(), "must ") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), private.String()) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error quotes the key", name)
		}
	}
	if err := attribute.Check([]string{hybrid.Recipient().String()}); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "absent", "f"), filepath.Join(dir, "link")} {
		s := open(t, age.Store(), path, true, recipient)
		if err := s.Check(t.Context()); provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("Check: %v", err)
		}
		if err := s.Put(t.Context(), secret.FromString(canary)); provider.ClassOf(err, "") != provider.Permanent || strings.Contains(err.Error(), canary) {
			t.Errorf("Put: %v", err)
		}
	}
	if err := open(t, age.Store(), filepath.Join(dir, "f"), true, recipient).Put(t.Context(), secret.Value{}); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("no value: %v", err)
	}
}
