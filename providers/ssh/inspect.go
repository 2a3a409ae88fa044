package ssh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// Inspect lists the keys whose comment is the credential's.
func (p *Provider) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	doc, exists, err := p.read(ctx)
	if err != nil {
		return provider.Observation{}, err
	}
	comment := c.Attrs.String("comment")
	obs := provider.Observation{Sessions: -1, Now: p.now()}
	lines := doc.of(comment)
	for _, l := range lines {
		known := slices.ContainsFunc(obs.Versions, func(v provider.Version) bool { return v.ID == l.fingerprint })
		if !known {
			obs.Versions = append(obs.Versions, provider.Version{ID: l.fingerprint, Created: l.mark.created, Label: l.mark.label})
		}
		obs.Enabled = obs.Enabled || l.live(obs.Now)
	}
	obs.Exists = len(lines) > 0
	if p.control.Absolute != "" && slices.Contains(fingerprints(lines), p.controlFingerprint()) {
		obs.InUseBy = "control_key " + p.control.Written
	}
	if !exists {
		obs.Notes = append(obs.Notes, fmt.Sprintf("%s does not exist; it is made with mode 0600 for the user who runs remint.", p.file.Written))
	}
	obs.Notes = append(obs.Notes, p.notes(doc, lines, comment, c.Attrs.String("options"), obs.Now)...)
	return obs, nil
}

// live reports whether sshd would let the key in, for all that the line says.
func (l line) live(now time.Time) bool { return l.expires.IsZero() || now.Before(l.expires) }

// notes are what a reviewer should know, about this credential's lines first.
func (p *Provider) notes(doc document, lines []line, comment, options string, now time.Time) []string {
	out := []string{"SSH sessions that are already open are not ended by removing a key; end them on the host."}
	if p.probe == nil {
		out = append(out, "Without probe_address nobody logs in to try the keys: the proof is what the file lists.")
	}
	for i, l := range lines {
		name := "The key " + l.fingerprint
		switch {
		case !l.live(now):
			out = append(out, name+" has an expiry-time that has passed: sshd refuses it.")
		case !l.expires.IsZero():
			out = append(out, fmt.Sprintf("%s is accepted until %s (expiry-time).", name, l.expires.UTC().Format(time.RFC3339)))
		}
		if hasOption(l.options, "from") && p.probe != nil {
			out = append(out, name+" is accepted only from the addresses in its from= option; if this machine is none of them, it cannot be tried here.")
		}
		if options == "" && i > 0 && l.options != lines[0].options {
			out = append(out, name+" has other options than the newest, whose options the new key takes over.")
		}
	}
	if options == "" && len(lines) > 0 && lines[0].options != "" {
		out = append(out, "The new key takes over the options "+addrs.Quote(lines[0].options)+".")
	}
	return append(out, elsewhere(doc, lines, comment)...)
}

// elsewhere are notes about the other lines that bear on the credential.
func elsewhere(doc document, lines []line, comment string) []string {
	var out, unread []string
	mine := fingerprints(lines)
	for i, l := range doc.lines {
		switch {
		case l.unread:
			unread = append(unread, fmt.Sprint(i+1))
		case l.key == nil:
		case slices.Contains(mine, l.fingerprint) && (l.comment != comment || l.authority):
			out = append(out, fmt.Sprintf("The key %s is listed on line %d as well, under the comment %s: revoking it removes that line too.", l.fingerprint, i+1, addrs.Quote(l.comment)))
		case l.authority && l.comment == comment:
			out = append(out, fmt.Sprintf("Line %d has this comment but trusts a certificate authority (cert-authority): it is left alone, and certificates signed by it stay accepted.", i+1))
		}
	}
	if len(unread) > 0 {
		which := strings.Join(unread[:min(len(unread), 5)], ", ")
		out = append(out, fmt.Sprintf("%d line(s) hold no key that remint can read (line %s): they are left alone.", len(unread), which))
	}
	return out
}

// List gives the comments of all plain keys, each once.
func (p *Provider) List(ctx context.Context, _ string) ([]string, error) {
	doc, _, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, l := range doc.lines {
		if l.key != nil && !l.authority && l.comment != "" {
			out = append(out, l.comment)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
