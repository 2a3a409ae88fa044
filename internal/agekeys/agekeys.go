// Package agekeys reads the public keys that secrets are encrypted to with age.
package agekeys

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"github.com/remint-dev/remint/engine/addrs"
)

// Recipients reads age and SSH public keys, and makes sure that something can be
// encrypted to all of them together. Its errors are the second half of a sentence that
// begins with what holds the keys. They name a faulty one by its number and never quote
// it: it could be a private key by mistake.
func Recipients(list []string) ([]age.Recipient, error) {
	if len(list) == 0 {
		return nil, errors.New("must name at least one public key")
	}
	out := make([]age.Recipient, 0, len(list))
	for i, s := range list {
		r, err := recipient(strings.TrimSpace(s))
		if err != nil && Private(s) {
			return nil, fmt.Errorf("must be public keys, and number %d looks like a private key. Give the public one that belongs to it (`age-keygen -y` and `ssh-keygen -y` print it), and replace this one: who can read this has it", i+1)
		}
		if err != nil {
			return nil, fmt.Errorf("must be age or SSH public keys: number %d is not (age1…, ssh-ed25519 … or ssh-rsa …)", i+1)
		}
		out = append(out, r)
	}
	if _, err := age.Encrypt(io.Discard, out...); err != nil {
		return nil, fmt.Errorf("must be usable together: %s", addrs.Visible(err.Error()))
	}
	return out, nil
}

func recipient(s string) (age.Recipient, error) {
	if strings.HasPrefix(s, "ssh-") {
		return agessh.ParseRecipient(s)
	}
	list, err := age.ParseRecipients(strings.NewReader(s))
	if err != nil || len(list) != 1 {
		return nil, errors.New("not one recipient")
	}
	return list[0], nil
}

// Private reports whether a text is, or holds, what age or SSH call a private key.
func Private(s string) bool {
	s = strings.ToUpper(s)
	return strings.Contains(s, "AGE-SECRET-KEY-") || strings.Contains(s, "AGE-PLUGIN-") || strings.Contains(s, "PRIVATE KEY")
}
