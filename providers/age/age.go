// Package age keeps secrets in files that are encrypted to others with age, so
// that they can be committed or copied without being read on the way.
package age

import (
	"context"
	"errors"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// Store declares the store `age_file`.
func Store() provider.StoreDefinition {
	written := newMemory()
	return provider.StoreDefinition{
		Name: "age_file",
		Description: "Keeps the secret in a file encrypted to the recipients with age, for whoever holds one of their keys. " +
			"remint itself cannot read it back: it knows what it wrote until the process ends, and never takes the old secret from here. " +
			"The file is replaced atomically and keeps its mode and owner; its folder must exist. Emptying leaves an empty file.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "path", Type: provider.PathType, Required: true, Writes: true,
				Description: "The file; made with mode 0600 if it is not there. A relative path starts at the workspace and may not lead through symbolic links."},
			{Name: "recipients", Type: provider.StringList, Required: true, Check: checkRecipients,
				Description: "Who can decrypt it: age public keys (`age1…`, `age1pq1…`) and SSH public keys (`ssh-ed25519 …`, `ssh-rsa …`). Post-quantum keys cannot be mixed with others."},
			{Name: "armor", Type: provider.Bool, Default: true,
				Description: "Write text (PEM-like) rather than bytes."},
		}},
		Open: func(_ context.Context, b provider.Block) (provider.Store, error) {
			recipients, err := parse(b.Attrs.Strings("recipients"))
			if err != nil {
				return nil, provider.Errorf(provider.Permanent, "recipients %s", err)
			}
			return &store{path: b.Attrs.Path("path"), recipients: recipients, armor: b.Attrs.Bool("armor"), written: written}, nil
		},
	}
}

func checkRecipients(v any) error {
	list, _ := v.([]string)
	_, err := parse(list)
	return err
}

// parse reads public keys and tries to encrypt to all of them together. Errors
// name a faulty one by its number: it could be a private key by mistake.
func parse(list []string) ([]age.Recipient, error) {
	if len(list) == 0 {
		return nil, errors.New("must name at least one public key")
	}
	var out []age.Recipient
	for i, s := range list {
		r, err := parseOne(strings.TrimSpace(s))
		if err != nil {
			return nil, provider.Errorf(provider.Permanent, "must be age or SSH public keys: number %d is not (age1…, ssh-ed25519 … or ssh-rsa …)", i+1)
		}
		out = append(out, r)
	}
	if _, err := age.Encrypt(io.Discard, out...); err != nil {
		return nil, provider.Errorf(provider.Permanent, "must be usable together: %s", addrs.Visible(err.Error()))
	}
	return out, nil
}

func parseOne(s string) (age.Recipient, error) {
	if strings.HasPrefix(s, "ssh-") {
		return agessh.ParseRecipient(s)
	}
	list, err := age.ParseRecipients(strings.NewReader(s))
	if err != nil || len(list) != 1 {
		return nil, errors.New("not one recipient")
	}
	return list[0], nil
}

// encrypt writes plain to w, encrypted.
func encrypt(w io.Writer, plain []byte, armored bool, recipients []age.Recipient) error {
	if armored {
		a := armor.NewWriter(w)
		return errors.Join(encrypt(a, plain, false, recipients), a.Close())
	}
	enc, err := age.Encrypt(w, recipients...)
	if err != nil {
		return err
	}
	if _, err := enc.Write(plain); err != nil {
		return err
	}
	return enc.Close()
}
