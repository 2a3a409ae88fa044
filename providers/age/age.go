// Package age keeps secrets in files that are encrypted to others with age, so
// that they can be committed or copied without being read on the way.
package age

import (
	"context"
	"errors"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/agekeys"
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
			recipients, err := agekeys.Recipients(b.Attrs.Strings("recipients"))
			if err != nil {
				return nil, provider.Errorf(provider.Permanent, "recipients %s", err)
			}
			return &store{path: b.Attrs.Path("path"), recipients: recipients, armor: b.Attrs.Bool("armor"), written: written}, nil
		},
	}
}

func checkRecipients(v any) error {
	list, _ := v.([]string)
	_, err := agekeys.Recipients(list)
	return err
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
