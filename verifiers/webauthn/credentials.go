package webauthn

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// credential is one declared security key or passkey.
type credential struct {
	Identity  string `json:"identity"`
	ID        string `json:"id"`
	PublicKey string `json:"public_key"`
	// Hardware is the declarer's word, from the attestation at registration: the key
	// is in a device that never gives it out.
	Hardware bool `json:"hardware"`

	id  []byte
	key crypto.PublicKey
}

func parseCredentials(text string) ([]credential, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	var list []credential
	if dec.Decode(&list) != nil || list == nil || dec.More() {
		return nil, errors.New(`must be a JSON list of {"identity", "id", "public_key", "hardware"}`)
	}
	seen := map[string]bool{}
	for i := range list {
		c := &list[i]
		if c.Identity == "" {
			return nil, fmt.Errorf("must say whose each key is, and number %d does not", i+1)
		}
		var err error
		if c.id, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(c.ID, "=")); err != nil || len(c.id) == 0 || seen[string(c.id)] {
			return nil, fmt.Errorf("must have an id of its own for each key, in base64url, and number %d has not", i+1)
		}
		seen[string(c.id)] = true
		der, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(c.PublicKey, "="))
		if err == nil {
			c.key, err = x509.ParsePKIXPublicKey(der)
		}
		if err != nil || !usable(c.key) {
			return nil, fmt.Errorf("must have a public_key for each (ES256, EdDSA or RS256, as SubjectPublicKeyInfo in base64url), and number %d has not", i+1)
		}
	}
	return list, nil
}

// usable bounds RSA from both sides: a modulus of some megabytes takes minutes to verify by.
func usable(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192
	case ed25519.PublicKey:
		return true
	}
	return false
}

func checkCredentials(v any) error {
	s, _ := v.(string)
	_, err := parseCredentials(s)
	return err
}

func checkHost(v any) error {
	s, _ := v.(string)
	if u, err := url.Parse("https://" + s); err != nil || s == "" || u.Host != s || u.Port() != "" {
		return errors.New("must be a domain, as login.example.com")
	}
	return nil
}

func checkPage(v any) error {
	s, _ := v.(string)
	if u, err := url.Parse(s); err != nil || u.Host == "" || u.Fragment != "" || strings.HasSuffix(s, "#") || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("must be the address of a page, as https://login.example.com/remint.html")
	}
	return nil
}

func checkOrigins(v any) error {
	list, _ := v.([]string)
	for _, s := range list {
		u, err := url.Parse(s)
		local := err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1")
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != s || u.Scheme != "https" && (u.Scheme != "http" || !local) {
			return fmt.Errorf("must be origins, as https://login.example.com, and %.100q is not", s)
		}
	}
	if len(list) == 0 {
		return errors.New("must name at least one origin")
	}
	return nil
}
