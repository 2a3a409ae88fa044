package x509

import (
	"context"
	"fmt"
	"math/big"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Revoke puts serial numbers on the revocation list, also of certificates that
// the index does not know: those issued before it was kept. One that the index
// knows under another common name is refused. A list that is fresh and has
// them already stays as it is.
func (p *Provider) Revoke(ctx context.Context, m provider.Mutation, versions []string) (provider.Applied, error) {
	if err := cancelled(ctx); err != nil {
		return provider.Applied{}, err
	}
	ca, err := p.authority()
	if err != nil {
		return provider.Applied{}, err
	}
	path, err := atomicfile.Resolve(p.crl)
	if err != nil {
		return provider.Applied{}, err
	}
	crl, err := p.list(ca)
	if err != nil {
		return provider.Applied{}, err
	}
	name := m.Credential.Attrs.String("common_name")
	records, err := p.index.of(indexPath(path), p.indexName(), name)
	if err != nil {
		return provider.Applied{}, err
	}
	if len(versions) == 0 {
		for _, r := range living(records, crl, p.now()) {
			versions = append(versions, r.Serial)
		}
	}
	serials, err := p.serials(path, name, versions)
	if err != nil {
		return provider.Applied{}, err
	}
	if err := p.revocations.do(ctx, serials, p.enter(ctx, ca)); err != nil {
		return provider.Applied{}, err
	}
	if crl, err = p.list(ca); err != nil || crl == nil {
		return provider.Applied{}, provider.Errorf(provider.Ambiguous, "the revocation list %s cannot be read back", p.crl.Written)
	}
	return provider.Applied{
		Version: newest(records, crl, p.now()), At: p.now(),
		Detail: fmt.Sprintf("%d serial number(s) on the list, CRL number %v", len(serials), crl.Number),
	}, nil
}

// enter signs a list with the serial numbers of one batch.
func (p *Provider) enter(ctx context.Context, ca authority) func(func() map[string]*big.Int) error {
	return func(begin func() map[string]*big.Int) error {
		return p.renew(ctx, ca, func(old *revocations) []*big.Int {
			var added []*big.Int
			for id, serial := range begin() {
				if _, already := old.revoked(id); !already {
					added = append(added, serial)
				}
			}
			return added
		})
	}
}

// serials reads the IDs of versions. What cannot be a serial number names no
// certificate, and is left out.
func (p *Provider) serials(crlPath, name string, versions []string) (map[string]*big.Int, error) {
	out := map[string]*big.Int{}
	for _, id := range versions {
		n, ok := parseSerial(id)
		if !ok {
			continue
		}
		owner, known, err := p.index.owner(indexPath(crlPath), p.indexName(), id)
		if err != nil {
			return nil, err
		}
		if known && owner.CommonName != name {
			return nil, provider.Errorf(provider.Permanent, "the certificate %s was issued for %s, not for %s: it was not revoked; is a store holding the wrong certificate?", id, addrs.Quote(owner.CommonName), addrs.Quote(name))
		}
		out[id] = n
	}
	return out, nil
}
