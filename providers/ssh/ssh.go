// Package ssh resets keys listed in an authorized_keys file: it adds a line for
// the new key, removes the old key's, and leaves every other byte as it is.
package ssh

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// New declares the provider `ssh` with the type `ssh_authorized_key`.
func New() provider.Definition {
	return provider.Definition{
		Name:        "ssh",
		Description: "An authorized_keys file, and optionally the SSH server that reads it.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "authorized_keys", Type: provider.PathType, Required: true, Writes: true,
				Description: "The authorized_keys file. Its owner and mode are kept."},
			{Name: "probe_address", Type: provider.String, Check: checkAddress,
				Description: "Host and port of the SSH server that reads the file. Keys are then proven by logging in; otherwise by what the file lists."},
			{Name: "probe_user", Type: provider.String, Check: checkUser,
				Description: "The user whose file it is, for logging in at probe_address."},
			{Name: "host_key", Type: provider.String, Check: checkHostKey,
				Description: "The server's public host key (as in ssh-keyscan's output, without the host) or its SHA256 fingerprint. Required with probe_address: an unpinned server proves nothing."},
			{Name: "control_key", Type: provider.PathType,
				Description: "The file of another private key that may log in at probe_address as probe_user. It shows that a server that refuses is alive where there is no new key to show it."},
		}},
		Types: []provider.CredentialType{{
			Name:        "ssh_authorized_key",
			Description: "A key in an authorized_keys file, found by its comment.",
			Kind:        lifecycle.Overlapping,
			Schema: provider.Schema{Attributes: []provider.Attribute{
				{Name: "comment", Type: provider.String, Required: true, Key: true, Check: checkComment,
					Description: "The comment of the key's lines. remint appends a mark to it on the lines that it writes."},
				{Name: "options", Type: provider.String, Check: checkOptions,
					Description: "Options for the new line, as in authorized_keys(5). Absent: those of the line that it replaces."},
			}},
			Fields: []provider.Field{
				{Name: "private_key", Description: "The private key, in OpenSSH's PEM format.", Probe: true},
				{Name: "public_key", Description: "The public key, as authorized_keys has it.", Public: true},
			},
			Issue: keyIssue(),
		}},
		ByFile: true,
		Open:   open,
	}
}

// Provider edits one authorized_keys file.
type Provider struct {
	file    provider.Path
	control provider.Path
	probe   *server
	now     func() time.Time
}

func open(_ context.Context, b provider.Block) (provider.Provider, error) {
	now := b.Clock()
	p := &Provider{file: b.Attrs.Path("authorized_keys"), control: b.Attrs.Path("control_key"), now: func() time.Time { return now().UTC() }}
	address, user, pin := b.Attrs.String("probe_address"), b.Attrs.String("probe_user"), b.Attrs.String("host_key")
	switch {
	case address == "" && (user != "" || pin != "" || p.control.Absolute != ""):
		return nil, provider.Errorf(provider.Permanent, "probe_user, host_key and control_key are of no use without probe_address: set it, or remove them")
	case address != "" && pin == "":
		return nil, provider.Errorf(provider.Permanent, "probe_address needs host_key: a server that is not pinned proves nothing; take it from ssh-keyscan over a network that you trust")
	case address != "" && user == "":
		return nil, provider.Errorf(provider.Permanent, "probe_address needs probe_user: the user whose authorized_keys file it is")
	case address != "":
		key, err := parsePin(pin)
		if err != nil {
			return nil, provider.Errorf(provider.Permanent, "host_key must be %v", err)
		}
		p.probe = &server{address: address, user: user, pin: key}
	}
	if p.control.Absolute != "" {
		return &controlled{p}, nil
	}
	return p, nil
}

// Identity is the pinned host key where there is a server, else the file.
func (p *Provider) Identity(context.Context) (string, error) {
	if p.probe != nil {
		return "ssh:" + p.probe.pin.fingerprint, nil
	}
	real, err := atomicfile.Resolve(p.file)
	if err != nil {
		return "", err
	}
	return "ssh:" + real, nil
}

// VersionOf is the SHA256 fingerprint of the public key.
func (p *Provider) VersionOf(m secret.Material) (string, error) {
	key, err := publicKey(m)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(key), nil
}

// Close has nothing to let go of.
func (p *Provider) Close() error { return nil }

// read gives the file as it is now; an absent one is empty.
func (p *Provider) read(ctx context.Context) (document, bool, error) {
	if err := cancelled(ctx); err != nil {
		return document{}, false, err
	}
	data, err := atomicfile.Load(p.file)
	if err != nil {
		return document{}, false, err
	}
	doc, err := parse(data)
	return doc, data != nil, p.wrap(err)
}

// edit changes the file under its lock.
func (p *Provider) edit(ctx context.Context, change func(*document) error) error {
	if err := cancelled(ctx); err != nil {
		return err
	}
	real, err := atomicfile.Resolve(p.file)
	if err != nil {
		return err
	}
	return atomicfile.Classed(p.file, atomicfile.Edit(ctx, real, atomicfile.Options{Mode: 0o600}, func(old []byte) ([]byte, error) {
		doc, err := parse(old)
		if err != nil {
			return nil, p.wrap(err)
		}
		if err := change(&doc); err != nil {
			return nil, err
		}
		if !doc.changed {
			return old, nil
		}
		return doc.bytes(), nil
	}))
}

func cancelled(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return provider.Errorf(provider.Transient, "stopped before anything was done: %v", ctx.Err())
}

func (p *Provider) wrap(err error) error {
	if err == nil {
		return nil
	}
	return provider.Errorf(provider.Permanent, "%s: %v", p.file.Written, err)
}

func checkAddress(v any) error {
	host, port, err := net.SplitHostPort(v.(string))
	if err != nil || host == "" || port == "" {
		return errors.New("must be HOST:PORT, as in 192.0.2.7:22")
	}
	return nil
}

func checkUser(v any) error {
	if s := v.(string); s == "" || strings.ContainsFunc(s, unprintable) {
		return errors.New("must be a user name")
	}
	return nil
}

func checkHostKey(v any) error {
	if _, err := parsePin(v.(string)); err != nil {
		return errors.New("must be " + err.Error())
	}
	return nil
}

func checkComment(v any) error {
	s := v.(string)
	if s == "" || strings.TrimSpace(s) != s || strings.ContainsFunc(s, unprintable) {
		return errors.New("must be one line without spaces at its ends")
	}
	if bare, _ := cutMark(s); bare != s {
		return errors.New("must not end with a mark of remint's")
	}
	return nil
}

func checkOptions(v any) error {
	s := v.(string)
	opts, _ := cutOptions(s)
	balanced := scan(s, func(int, byte) bool { return true })
	switch {
	case s == "" || opts != s || !balanced || s[0] == '#' || strings.ContainsFunc(s, unprintable):
		return errors.New("must be options as in authorized_keys(5), separated by commas, with spaces only inside double quotes")
	case hasOption(s, "cert-authority"):
		return errors.New("must not have cert-authority: remint does not reset certificate authorities")
	}
	return nil
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }
