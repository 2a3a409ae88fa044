package postgresql

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

const (
	saltLen = 16
	// iterations is PostgreSQL's default; servers from 16 on say theirs.
	iterations = 4096
)

// saltFor gives a change its salt: the same for retries of the same change, so
// that setting twice leaves what setting once left, and a new one otherwise. A
// salt must be unique, not secret: the server tells it to whoever asks.
func saltFor(role, label string) []byte {
	if label == "" {
		salt := make([]byte, saltLen)
		_, _ = rand.Read(salt) // never fails
		return salt
	}
	sum := sha256.Sum256([]byte("remint postgresql_role\x00" + role + "\x00" + label))
	return sum[:saltLen]
}

// versionOf names the version of a password by its verifier's salt.
func versionOf(salt []byte) string {
	sum := sha256.Sum256(salt)
	return "scram-" + hex.EncodeToString(sum[:8])
}

// password takes the password out of m and refuses what SCRAM would change or
// PostgreSQL would not store: printable ASCII is its own SASLprep form.
func password(m secret.Material) (string, error) {
	pw := m.Field("value").RevealString()
	if pw == "" {
		return "", provider.Errorf(provider.Permanent, "there is no password to set: the material's field `value` is empty")
	}
	for i := range len(pw) {
		if pw[i] < ' ' || pw[i] > '~' {
			return "", provider.Errorf(provider.Permanent, "the password has a character that is not printable ASCII: systems disagree on how to prepare those; issue another one")
		}
	}
	return pw, nil
}

// verifier is what PostgreSQL stores of a password (RFC 5803): enough to check
// it, not enough to log in with.
func verifier(pw string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, pw, salt, iterations, sha256.Size)
	if err != nil {
		return "", provider.Errorf(provider.Permanent, "this build's cryptography refuses to compute a SCRAM-SHA-256 verifier")
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac(salted, "Server Key"))), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
