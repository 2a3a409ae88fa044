//go:build linux && !race

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// known is a secret: what it looks like, and the places that hold it by right.
type known struct {
	what         string
	forms, homes []string
}

// forms are what a text looks like raw and encoded.
func forms(v string) []string {
	out := append(binaryForms([]byte(v)), url.QueryEscape(v), url.PathEscape(v), url.UserPassword("", v).String()[1:])
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		_ = e.Encode(v) // a string always can be
		text := strings.TrimSpace(b.String())
		text = text[1 : len(text)-1]
		out = append(append(out, text), base64Forms(text)...) // as in a signed envelope
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// binaryForms are what bytes look like that no text has raw.
func binaryForms(b []byte) []string {
	v := string(b)
	return append(base64Forms(v), v, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)))
}

// keyForms are what the private half of a key looks like, of which text is the PEM
// file: its number or seed, the whole as DER, and the lines that hold it.
func keyForms(text string) ([]string, error) {
	block, _ := pem.Decode([]byte(text))
	key, err := ssh.ParseRawPrivateKey([]byte(text))
	if err != nil {
		return nil, err
	}
	if p, ok := key.(*ed25519.PrivateKey); ok {
		key = *p
	}
	var half []byte
	switch k := key.(type) {
	case ed25519.PrivateKey:
		half = k.Seed()
	case *ecdsa.PrivateKey:
		half, err = k.Bytes()
	default:
		err = fmt.Errorf("no test knows the private half of a %T", key)
	}
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := slices.Concat(binaryForms(half), binaryForms(der), binaryForms(block.Bytes))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = lines[1 : len(lines)-1]
	at := bytes.Index(block.Bytes, half)
	const enough = 20 // characters of it that make a line worth looking for
	for i, l := range lines {
		begin, end := i*len(lines[0]), i*len(lines[0])+len(l)
		if min(end, (at+len(half))*4/3)-max(begin, at*4/3) >= enough {
			out = append(out, forms(l)...)
		}
	}
	return out, nil
}

// learn takes a text in as a secret, or as the file of a private key. What is too
// short for one, or public, is none.
func (c *secretCase) learn(t *testing.T, what, text string, homes ...string) {
	t.Helper()
	text = strings.TrimSpace(text)
	if len(text) <= 5 || strings.Contains(text, "CERTIFICATE") {
		return
	}
	all := forms(text)
	if strings.Contains(text, "PRIVATE KEY-----") {
		var err error
		if all, err = keyForms(text); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for _, k := range c.known {
		if slices.Equal(k.forms, all) {
			return
		}
	}
	c.known = append(c.known, &known{what, all, homes})
}

// learnStored takes in what the stores hold by now, and what recover took out.
func (c *secretCase) learnStored(t *testing.T) {
	t.Helper()
	for f := range c.stores {
		text := strings.TrimSpace(string(readFile(filepath.Join(c.dir, f))))
		c.learn(t, "the secret of "+f, strings.Trim(strings.TrimPrefix(text, c.prefix), `"'`), c.homes()...)
	}
	c.learn(t, "what recover found", string(readFile(filepath.Join(c.dir, recovered))), c.homes()...)
}

// recovered is where recover writes to.
const recovered = "recovered"

// homes hold old and new secret by right.
func (c *secretCase) homes() []string {
	out := []string{recovered}
	for f := range c.stores {
		out = append(out, f)
	}
	return out
}

// learnSeen takes in what providers and stores were given or gave, whatever has
// become of it, and lists it.
func (c *secretCase) learnSeen(t *testing.T) []sighting {
	t.Helper()
	var out []sighting
	for line := range bytes.Lines(readFile(c.seen)) {
		var s sighting
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
		c.learn(t, "the "+s.Field+" of "+s.Call, s.Value, c.homes()...)
	}
	return out
}

// learnKeys takes in the keys that the program itself has: of evidence, ledger and
// seal, and the approvers'.
func (c *secretCase) learnKeys(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"keys/*", ".remint/*.key", "ca.key"} {
		files, err := filepath.Glob(filepath.Join(c.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			rel, _ := filepath.Rel(c.dir, f)
			text := strings.TrimSpace(string(readFile(f)))
			_, age, isAge := strings.Cut(text, "AGE-SECRET-KEY-")
			switch {
			case strings.HasPrefix(text, "PRIVATE+KEY+"):
				c.learnNote(t, rel, text)
			case isAge:
				c.learn(t, rel, "AGE-SECRET-KEY-"+age, rel)
			case strings.Contains(text, "PRIVATE KEY-----"):
				c.learn(t, rel, text, rel)
			}
		}
	}
}

// learnNote takes in a key of signed notes: what follows the last + is its seed,
// with a byte for the algorithm before it.
func (c *secretCase) learnNote(t *testing.T, rel, text string) {
	t.Helper()
	last := text[strings.LastIndexByte(text, '+')+1:]
	if name := strings.SplitN(strings.TrimPrefix(text, "PRIVATE+KEY+"), "+", 3); len(name) == 3 {
		last = name[2] // base64 may have a + of its own
	}
	raw, err := base64.StdEncoding.DecodeString(last)
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		t.Fatalf("%s is no key of signed notes: %v", rel, err)
	}
	c.known = append(c.known, &known{rel, append(forms(last), binaryForms(raw[1:])...), []string{rel}})
}
