// Package softkey is a security key in software, for tests: it answers the options
// of navigator.credentials.get as a browser and an authenticator would.
package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

// Key is one security key. Its exported fields are what a test makes it do.
type Key struct {
	// RP and Origin are where it is used.
	RP, Origin string
	// Counter is of the next assertion.
	Counter uint32
	// Present, Verified and Copyable are the flags UP, UV and BE.
	Present, Verified, Copyable bool
	// Type is what the browser says was called.
	Type string

	private *ecdsa.PrivateKey
	id      []byte
}

// New makes a key that asks for a touch and a PIN.
func New(rp, origin string) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &Key{RP: rp, Origin: origin, Counter: 1, Present: true, Verified: true, Type: "webauthn.get", private: private, id: id}, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Declaration is the key as a verifier block declares it.
func (k *Key) Declaration(identity string, hardware bool) (map[string]any, error) {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	return map[string]any{"identity": identity, "id": b64(k.id), "public_key": b64(der), "hardware": hardware}, err
}

// The flags of authenticator data.
const (
	flagPresent  = 1 << 0
	flagVerified = 1 << 2
	flagCopyable = 1 << 3
)

// Answer makes the assertion's JSON for a challenge, and counts.
func (k *Key) Answer(challenge string) ([]byte, error) {
	client, err := json.Marshal(map[string]any{"type": k.Type, "challenge": challenge, "origin": k.Origin, "crossOrigin": false})
	if err != nil {
		return nil, err
	}
	rp := sha256.Sum256([]byte(k.RP))
	flags := byte(0)
	for flag, on := range map[byte]bool{flagPresent: k.Present, flagVerified: k.Verified, flagCopyable: k.Copyable} {
		if on {
			flags |= flag
		}
	}
	data := binary.BigEndian.AppendUint32(append(rp[:], flags), k.Counter)
	k.Counter++
	clientHash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), clientHash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "clientExtensionResults": map[string]any{},
		"response": map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)},
	})
}
