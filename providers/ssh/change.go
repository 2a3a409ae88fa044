package ssh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Set adds a line for the key, with the credential's options, else those of the
// newest line that it joins, else those that Revoke kept. A key that is listed
// already is left as it is.
func (p *Provider) Set(ctx context.Context, m provider.Mutation, material secret.Material) (provider.Applied, error) {
	key, err := publicKey(material)
	if err != nil {
		return provider.Applied{}, err
	}
	fingerprint, comment := ssh.FingerprintSHA256(key), m.Credential.Attrs.String("comment")
	detail := "the key was listed already"
	err = p.edit(ctx, func(d *document) error {
		lines := d.of(comment)
		if slices.ContainsFunc(lines, func(l line) bool { return l.fingerprint == fingerprint }) {
			return nil
		}
		options := m.Credential.Attrs.String("options")
		if options == "" && len(lines) > 0 {
			options = lines[0].options
		} else if options == "" {
			options = d.keptOptions(comment)
		}
		if e := expiry(options); !e.IsZero() && !p.now().Before(e) {
			return provider.Errorf(provider.Permanent, "the options that the new key would take over have an expiry-time that has passed, so that sshd would refuse it: give the credential `options` of its own")
		}
		d.remove(func(l line) bool { return l.kept && l.comment == comment })
		d.add(keyLine(options, key, comment, mark{label: m.Label, created: p.now()}))
		detail = "the key was added"
		return nil
	})
	if err != nil {
		return provider.Applied{}, err
	}
	return provider.Applied{Version: fingerprint, At: p.now(), Detail: detail}, nil
}

// Revoke removes every line with one of the named keys, under whatever comment:
// a key that is still listed anywhere is not dead. When none is left for the
// credential, a comment line keeps the options for the successor.
func (p *Provider) Revoke(ctx context.Context, m provider.Mutation, versions []string) (provider.Applied, error) {
	comment, keep := m.Credential.Attrs.String("comment"), m.Credential.Attrs.String("options") == ""
	return p.revoke(ctx, comment, versions, keep)
}

// Retire removes every line of the credential, every line with one of the named keys,
// under whatever comment, and what Revoke kept.
func (p *Provider) Retire(ctx context.Context, m provider.Mutation, versions []string) (provider.Applied, error) {
	comment := m.Credential.Attrs.String("comment")
	var removed []line
	err := p.edit(ctx, func(d *document) error {
		doomed := slices.Concat(versions, fingerprints(d.of(comment)))
		removed = d.remove(func(l line) bool { return l.key != nil && slices.Contains(doomed, l.fingerprint) })
		d.remove(func(l line) bool { return l.kept && l.comment == comment })
		return nil
	})
	if err != nil {
		return provider.Applied{}, err
	}
	return provider.Applied{At: p.now(), Detail: removal(removed, comment)}, nil
}

func (p *Provider) revoke(ctx context.Context, comment string, versions []string, keep bool) (provider.Applied, error) {
	var current string
	var removed []line
	err := p.edit(ctx, func(d *document) error {
		before := d.of(comment)
		doomed := versions
		if len(doomed) == 0 {
			doomed = fingerprints(before)
		}
		removed = d.remove(func(l line) bool { return l.key != nil && slices.Contains(doomed, l.fingerprint) })
		left := d.of(comment)
		switch {
		case len(left) > 0:
			current = left[0].fingerprint
		case !keep && len(versions) == 0:
			d.remove(func(l line) bool { return l.kept && l.comment == comment })
		case keep && len(before) > 0 && before[0].options != "":
			d.remove(func(l line) bool { return l.kept && l.comment == comment })
			d.add(keptLine(comment, before[0].options))
		}
		return nil
	})
	if err != nil {
		return provider.Applied{}, err
	}
	return provider.Applied{Version: current, At: p.now(), Detail: removal(removed, comment)}, nil
}

// removal says what was removed, and what of it stood under other comments.
func removal(removed []line, comment string) string {
	foreign := 0
	for _, l := range removed {
		if l.comment != comment {
			foreign++
		}
	}
	out := fmt.Sprintf("%d line(s) removed", len(removed))
	if foreign > 0 {
		out += fmt.Sprintf(", %d of them the same key under another comment", foreign)
	}
	return out
}

func fingerprints(lines []line) []string {
	var out []string
	for _, l := range lines {
		if !slices.Contains(out, l.fingerprint) {
			out = append(out, l.fingerprint)
		}
	}
	return out
}

func keyLine(options string, key ssh.PublicKey, comment string, m mark) string {
	text := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n") + " " + comment + " " + m.String()
	if options != "" {
		return options + " " + text
	}
	return text
}
