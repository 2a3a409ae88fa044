package ssh

import (
	"context"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Probe logs in with the private key where there is a server to log in to, and
// otherwise looks its public half up in the file. A key that works, but is
// listed under other comments alone, is not this credential's: Unclear.
func (p *Provider) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	comment := c.Attrs.String("comment")
	if p.probe == nil {
		return p.lookUp(ctx, comment, m)
	}
	out := provider.Probe{Verdict: provider.Unclear, Basis: lifecycle.Tested, Endpoint: p.probe.address}
	key, err := signer(m)
	if err != nil {
		out.Detail = err.Error()
		return out, nil
	}
	out.Verdict, out.Detail = p.probe.login(ctx, key)
	if out.Verdict == provider.Unclear {
		return out, nil
	}
	doc, _, err := p.read(ctx)
	lines := doc.with(ssh.FingerprintSHA256(key.PublicKey()))
	switch {
	case err != nil:
		out.Verdict, out.Detail = provider.Unclear, out.Detail+", but "+err.Error()
	case out.Verdict == provider.Accepted:
		out.Verdict, out.Detail = attribute(out.Detail, lines, comment)
	case len(lines) > 0:
		// sshd gives one answer for an unknown key, an expired one and one from
		// the wrong address. Only the first is a wrong credential.
		out.Verdict, out.Detail = provider.Unclear, "refused, although "+p.file.Written+" still lists the key: sshd has another reason (from=, expiry-time=), or reads another file"
	}
	return out, nil
}

// lookUp reads the verdict from the file.
func (p *Provider) lookUp(ctx context.Context, comment string, m secret.Material) (provider.Probe, error) {
	out := provider.Probe{Verdict: provider.Unclear, Basis: lifecycle.Reported, Endpoint: p.file.Written}
	key, err := publicKey(m)
	if err != nil {
		out.Detail = err.Error()
		return out, nil
	}
	doc, _, err := p.read(ctx)
	if err != nil {
		return provider.Probe{}, err
	}
	lines, now := doc.with(ssh.FingerprintSHA256(key)), p.now()
	live := slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return !l.live(now) })
	switch {
	case len(lines) == 0:
		out.Verdict, out.Detail = provider.Refused, "not listed"
	case len(live) == 0:
		out.Verdict, out.Detail = provider.Disabled, "listed, with an expiry-time that has passed"
	default:
		out.Verdict, out.Detail = attribute("listed", live, comment)
	}
	return out, nil
}

// attribute decides whether a key that works is the credential's: one of its
// lines has the comment, or it is accepted for a reason outside of the file.
func attribute(detail string, lines []line, comment string) (provider.Verdict, string) {
	if len(lines) == 0 {
		return provider.Accepted, detail + ", though the file does not list it: the server has another source of keys"
	}
	for _, l := range lines {
		if l.comment == comment {
			return provider.Accepted, detail
		}
	}
	return provider.Unclear, detail + ", but under the comment " + addrs.Quote(lines[0].comment) + ", which is not this credential's"
}

// controlled is a Provider with a key of its own to log in with.
type controlled struct{ *Provider }

// Control logs in with control_key at the place where Probe does.
func (p *controlled) Control(ctx context.Context, _ provider.Credential) (provider.Probe, error) {
	out := provider.Probe{Verdict: provider.Unclear, Basis: lifecycle.Tested, Endpoint: p.probe.address}
	key, err := p.controlKey()
	if err != nil {
		out.Detail = err.Error()
		return out, nil
	}
	out.Verdict, out.Detail = p.probe.login(ctx, key)
	return out, nil
}

func (p *Provider) controlKey() (ssh.Signer, error) {
	pem, err := atomicfile.Load(p.control)
	if err != nil {
		return nil, err
	}
	if pem == nil {
		return nil, provider.Errorf(provider.NotFound, "control_key %s does not exist", p.control.Written)
	}
	key, err := signer(secret.NewMaterial(map[string]secret.Value{"private_key": secret.New(pem)}))
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "control_key %s: %v", p.control.Written, err)
	}
	return key, nil
}

// controlFingerprint is empty where the key cannot be read.
func (p *Provider) controlFingerprint() string {
	key, err := p.controlKey()
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key.PublicKey())
}
