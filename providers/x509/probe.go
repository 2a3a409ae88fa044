package x509

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Probe decides as a relying party does that trusts the authority and reads its
// revocation list. Where there is no list, nothing is revoked.
func (p *Provider) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	if err := cancelled(ctx); err != nil {
		return provider.Probe{}, err
	}
	out := provider.Probe{Verdict: provider.Unclear, Basis: lifecycle.Tested, Endpoint: p.crl.Written}
	cert, err := parseCertificate(m.Field("certificate"))
	if err != nil {
		out.Detail = err.Error()
		return out, nil
	}
	if v := m.Field("private_key"); !v.IsZero() {
		if key, err := parseKey(v.Reveal()); err != nil || !sameKey(key.Public(), cert.PublicKey) {
			out.Detail = "the private_key does not belong to the certificate"
			return out, nil
		}
	}
	if name := c.Attrs.String("common_name"); cert.Subject.CommonName != name {
		out.Detail = "the certificate is for " + addrs.Quote(cert.Subject.CommonName) + ", not for this credential"
		return out, nil
	}
	out.Verdict, out.Detail, err = p.judge(cert)
	return out, err
}

// Control judges, in the place where Probe does, a certificate made for this
// and never released: the authority can sign, and its list is fresh.
func (p *Provider) Control(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	if err := cancelled(ctx); err != nil {
		return provider.Probe{}, err
	}
	out := provider.Probe{Verdict: provider.Unclear, Basis: lifecycle.Tested, Endpoint: p.crl.Written}
	ca, err := p.authority()
	if err != nil {
		return out, err
	}
	_, cert, err := p.issue(ca, c, provider.Attrs{})
	if err != nil {
		return out, err
	}
	if crl, err := p.list(ca); err == nil && crl.stale(p.now()) {
		out.Detail = "the revocation list has expired"
		return out, nil
	}
	out.Verdict, out.Detail, err = p.judge(cert)
	return out, err
}

// judge verifies cert against the authority and the list, now.
func (p *Provider) judge(cert *x509.Certificate) (provider.Verdict, string, error) {
	ca, err := p.authority()
	if err != nil {
		return provider.Unclear, "", err
	}
	now := p.now()
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case cert.CheckSignatureFrom(ca.cert) != nil:
		return provider.Refused, "it was not issued by this authority", nil
	case now.After(cert.NotAfter):
		return provider.Refused, "it expired at " + stamp(cert.NotAfter), nil
	case now.Before(cert.NotBefore):
		return provider.Disabled, "it is valid only from " + stamp(cert.NotBefore), nil
	case now.After(ca.cert.NotAfter) || now.Before(ca.cert.NotBefore):
		return provider.Unclear, "the authority itself is not valid now, which says nothing of the certificate", nil
	}
	if err := chain(cert, ca.cert, now); err != nil {
		return provider.Unclear, "it does not verify for another reason: " + addrs.Visible(err.Error()), nil
	}
	crl, err := p.list(ca)
	if err != nil {
		return provider.Unclear, err.Error(), nil
	}
	at, dead := crl.revoked(serialID(cert.SerialNumber))
	switch {
	case crl == nil:
		return provider.Accepted, "it verifies; there is no revocation list yet", nil
	case now.Before(crl.ThisUpdate):
		return provider.Unclear, "the revocation list is valid only from " + stamp(crl.ThisUpdate), nil
	case crl.stale(now) && dead:
		return provider.Unclear, "it is on the revocation list, but the list expired at " + stamp(crl.NextUpdate) + ", and some accept what only a stale list refuses", nil
	case dead:
		return provider.Refused, "revoked at " + stamp(at), nil
	case crl.stale(now):
		return provider.Accepted, "it verifies and is not revoked; the revocation list expired at " + stamp(crl.NextUpdate), nil
	}
	return provider.Accepted, "it verifies and is not revoked", nil
}

// chain verifies cert under the authority as the only root, for any usage.
func chain(cert, ca *x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}
