package x509

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Inspect lists the certificates of the common name that the index has and that
// are neither revoked nor expired.
func (p *Provider) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	if err := cancelled(ctx); err != nil {
		return provider.Observation{}, err
	}
	ca, err := p.authority()
	if err != nil {
		return provider.Observation{}, err
	}
	path, err := atomicfile.Resolve(p.crl)
	if err != nil {
		return provider.Observation{}, err
	}
	crl, err := p.list(ca)
	if err != nil {
		return provider.Observation{}, err
	}
	records, err := p.index.of(indexPath(path), p.indexName(), c.Attrs.String("common_name"))
	if err != nil {
		return provider.Observation{}, err
	}
	obs := provider.Observation{Exists: len(records) > 0, Incomplete: true, Sessions: -1, Now: p.now()}
	live := living(records, crl, obs.Now)
	for _, r := range live {
		obs.Versions = append(obs.Versions, provider.Version{ID: r.Serial, Created: r.Issued, Label: r.Label})
	}
	obs.Enabled = len(live) > 0 && obs.Now.Before(ca.cert.NotAfter)
	obs.Notes = p.notes(ca, crl, live, c, obs.Now)
	return obs, nil
}

// living lists the records that are neither revoked nor expired, newest first.
func living(records []record, crl *revocations, now time.Time) []record {
	var out []record
	for _, r := range slices.Backward(records) {
		if _, dead := crl.revoked(r.Serial); !dead && !now.After(r.NotAfter) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b record) int { return b.Issued.Compare(a.Issued) })
	return out
}

func newest(records []record, crl *revocations, now time.Time) string {
	for _, r := range living(records, crl, now) {
		return r.Serial
	}
	return ""
}

func (p *Provider) notes(ca authority, crl *revocations, live []record, c provider.Credential, now time.Time) []string {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	until := "it expires"
	if len(live) > 0 {
		last := slices.MaxFunc(live, func(a, b record) int { return a.NotAfter.Compare(b.NotAfter) })
		until = "it expires, which the last one does at " + stamp(last.NotAfter)
	}
	out := []string{
		fmt.Sprintf("Whoever does not read the revocation list %s keeps accepting an old certificate until %s.", p.crl.Written, until),
		"TLS connections that are already open are not ended by revoking a certificate.",
		"Certificates that were issued before the index " + p.indexName() + " was kept are known only from the stores that hold them.",
	}
	switch {
	case crl == nil:
		out = append(out, fmt.Sprintf("The revocation list %s does not exist yet; it is made by the first change.", p.crl.Written))
	case crl.stale(now):
		out = append(out, fmt.Sprintf("The revocation list %s expired at %s: whoever checks it refuses every certificate of this authority until the next change signs it again.", p.crl.Written, stamp(crl.NextUpdate)))
	}
	if lifetime := c.Attrs.Duration("lifetime"); now.After(ca.cert.NotAfter) {
		out = append(out, fmt.Sprintf("The authority expired at %s: it can revoke, but not issue.", stamp(ca.cert.NotAfter)))
	} else if now.Add(lifetime).After(ca.cert.NotAfter) {
		out = append(out, fmt.Sprintf("The authority expires at %s, and the new certificate with it, before its lifetime is over.", stamp(ca.cert.NotAfter)))
	}
	if len(c.Attrs.Strings("dns_names"))+len(c.Attrs.Strings("ip_addresses")) == 0 && slices.Contains(c.Attrs.Strings("usages"), "server_auth") {
		out = append(out, "Without dns_names or ip_addresses most clients will not accept it for a server: they do not look at the common name.")
	}
	return out
}

// List gives the common names in the index, sorted.
func (p *Provider) List(ctx context.Context, _ string) ([]string, error) {
	if err := cancelled(ctx); err != nil {
		return nil, err
	}
	path, err := atomicfile.Resolve(p.crl)
	if err != nil {
		return nil, err
	}
	return p.index.names(indexPath(path), p.indexName())
}
