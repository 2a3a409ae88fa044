// Package seal encrypts secrets for the journal. Each run has a data key of its
// own, wrapped with age to the recipients and kept in the journal too: destroying
// the wrapped key erases everything that the run has sealed.
package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/remint-dev/remint/engine/secret"
)

// ErrNoIdentity says that nobody here can open what is sealed.
var ErrNoIdentity = errors.New("no identity here opens what this run has sealed: run where one of the seal's identities is, or name it in the seal block")

// Run seals and opens the secrets of one run.
type Run struct {
	id   string
	aead cipher.AEAD
}

// NewRun makes a data key for a run and wraps it. The wrapped key must be kept
// before anything that is sealed with it.
func NewRun(id string, recipients []age.Recipient) (run *Run, wrapped []byte, err error) {
	key := make([]byte, chacha20poly1305.KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, nil, errors.New("the system gives no random numbers")
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err == nil {
		_, err = w.Write(key)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, nil, errors.New("the run's data key cannot be encrypted to the seal's recipients")
	}
	run, err = newRun(id, key)
	return run, out.Bytes(), err
}

// OpenRun unwraps a run's data key. ErrNoIdentity if none of the identities can.
func OpenRun(id string, wrapped []byte, identities []age.Identity) (*Run, error) {
	if len(identities) == 0 {
		return nil, ErrNoIdentity
	}
	r, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
	if err != nil {
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return nil, ErrNoIdentity
		}
		return nil, fmt.Errorf("the data key of run %s is damaged", id)
	}
	key, err := io.ReadAll(io.LimitReader(r, chacha20poly1305.KeySize+1))
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("the data key of run %s is damaged", id)
	}
	return newRun(id, key)
}

func newRun(id string, key []byte) (*Run, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, errors.New("the run's data key cannot be used")
	}
	return &Run{id: id, aead: aead}, nil
}

// Seal encrypts m. The ciphertext opens only under the same run, address and name.
func (r *Run) Seal(address, name string, m secret.Material) ([]byte, error) {
	nonce := make([]byte, r.aead.NonceSize(), r.aead.NonceSize()+1024)
	if _, err := rand.Read(nonce); err != nil {
		return nil, errors.New("the system gives no random numbers")
	}
	plain := m.Encode()
	defer clear(plain)
	return r.aead.Seal(nonce, nonce, plain, r.bind(address, name)), nil
}

// Unseal opens what Seal made. Errors say nothing about the content.
func (r *Run) Unseal(address, name string, ciphertext []byte) (secret.Material, error) {
	n := r.aead.NonceSize()
	if len(ciphertext) < n {
		return secret.Material{}, fmt.Errorf("what is sealed as %s of %s is damaged", name, address)
	}
	plain, err := r.aead.Open(nil, ciphertext[:n], ciphertext[n:], r.bind(address, name))
	if err != nil {
		return secret.Material{}, fmt.Errorf("what is sealed as %s of %s is damaged, or was put there from elsewhere", name, address)
	}
	defer clear(plain)
	return secret.Decode(plain)
}

// bind is what a ciphertext is bound to, unambiguously.
func (r *Run) bind(address, name string) []byte {
	return fmt.Appendf(nil, "remint seal v1\x00%d:%s%d:%s%d:%s", len(r.id), r.id, len(address), address, len(name), name)
}
