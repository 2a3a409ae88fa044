package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/agekeys"
)

const canary = "canary-7a31"

func material() secret.Material {
	return secret.NewMaterial(map[string]secret.Value{"private_key": secret.FromString(canary), "public_key": secret.FromString("p")})
}

func fresh(t testing.TB, id string) (*Run, []byte, *age.X25519Identity) {
	t.Helper()
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	run, wrapped, err := NewRun(id, []age.Recipient{who.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	return run, wrapped, who
}

func TestAnotherProcessOpensWhatWasSealed(t *testing.T) {
	run, wrapped, who := fresh(t, "r1")
	sealed, err := run.Seal("credential.t.a", "old", material())
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenRun("r1", wrapped, []age.Identity{who})
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Unseal("credential.t.a", "old", sealed)
	if err != nil || got.Field("private_key").RevealString() != canary {
		t.Errorf("got %v, %v", got.Names(), err)
	}
	if bytes.Contains(sealed, []byte(canary)) || bytes.Contains(wrapped, []byte(canary)) {
		t.Error("the secret is readable")
	}
}

func TestACiphertextOpensOnlyInItsPlace(t *testing.T) {
	run, _, _ := fresh(t, "r1")
	other, _, _ := fresh(t, "r1")
	sealed, err := run.Seal("a", "old", material())
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (secret.Material, error){
		"another address": func() (secret.Material, error) { return run.Unseal("b", "old", sealed) },
		"another name":    func() (secret.Material, error) { return run.Unseal("a", "new", sealed) },
		"moved border":    func() (secret.Material, error) { return run.Unseal("ao", "ld", sealed) },
		"another key":     func() (secret.Material, error) { return other.Unseal("a", "old", sealed) },
		"cut":             func() (secret.Material, error) { return run.Unseal("a", "old", sealed[:10]) },
		"empty":           func() (secret.Material, error) { return run.Unseal("a", "old", nil) },
	} {
		if m, err := open(); err == nil || !m.IsZero() || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, %v", name, m.Names(), err)
		}
	}
}

// The same key under another run's id opens nothing: a ciphertext cannot be
// moved between runs together with its wrapped key.
func TestACiphertextIsBoundToItsRun(t *testing.T) {
	run, wrapped, who := fresh(t, "r1")
	sealed, err := run.Seal("a", "old", material())
	if err != nil {
		t.Fatal(err)
	}
	moved, err := OpenRun("r2", wrapped, []age.Identity{who})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := moved.Unseal("a", "old", sealed); err == nil || !m.IsZero() {
		t.Errorf("another run opened it: %v, %v", m.Names(), err)
	}
}

// Who has only recipients can seal, and cannot open what another process sealed;
// who has the SSH key can.
func TestSSHRecipients(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	to, err := agekeys.Recipients([]string{string(ssh.MarshalAuthorizedKey(sshPublic))})
	if err != nil {
		t.Fatal(err)
	}
	run, wrapped, err := NewRun("r1", to)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := run.Seal("a", "old", material())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRun("r1", wrapped, nil); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("recipients alone give %v, want ErrNoIdentity", err)
	}
	plain, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(path, pem.EncodeToMemory(locked), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadIdentities(path); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("a key with a passphrase gives %v", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	ids, err := ReadIdentities(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenRun("r1", wrapped, ids)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Unseal("a", "old", sealed); err != nil || got.Field("private_key").RevealString() != canary {
		t.Errorf("got %v, %v", got.Names(), err)
	}
}

func TestWithoutIdentity(t *testing.T) {
	_, wrapped, _ := fresh(t, "r1")
	_, _, stranger := fresh(t, "r2")
	for _, ids := range [][]age.Identity{nil, {stranger}} {
		if _, err := OpenRun("r1", wrapped, ids); !errors.Is(err, ErrNoIdentity) {
			t.Errorf("got %v, want ErrNoIdentity", err)
		}
	}
}

// Several processes may be the first at once; all must end with the same key.
func TestFirstUse(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s", "seal.key")
	keys := make([]string, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			id, err := LocalIdentity(path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = id.String()
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two first users have different keys")
		}
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestLocalIdentityIsNoLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "seal.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := LocalIdentity(filepath.Join(dir, "seal.key")); err == nil {
		t.Error("a planted link was followed")
	}
}

func FuzzUnseal(f *testing.F) {
	run, _, _ := fresh(f, "r")
	sealed, _ := run.Seal("a", "n", material())
	f.Add(sealed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := run.Unseal("a", "n", b); err == nil && !bytes.Equal(b, sealed) {
			t.Errorf("opened something that was never sealed: %v", m.Names())
		}
	})
}
