// Package x509 mints certificates with a local certificate authority and kills
// them through its revocation list.
//
// The authority keeps an index beside the list (its name plus `.index.jsonl`):
// every certificate is recorded there before it is released, so that one whose
// release was interrupted can be found by its label and revoked.
package x509

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
	// skew is how far the clocks of those who check may be behind.
	skew = time.Minute
)

// New declares the provider `x509` with the type `x509_certificate`.
func New() provider.Definition {
	return provider.Definition{
		Name:        "x509",
		Description: "A certificate authority whose key is in a file, and its revocation list (CRL).",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "certificate", Type: provider.PathType, Required: true,
				Description: "The authority's certificate in PEM, followed by those above it, if any."},
			{Name: "private_key", Type: provider.PathType, Required: true,
				Description: "The authority's private key in PEM (PKCS#8, PKCS#1 or SEC 1), not encrypted."},
			{Name: "crl", Type: provider.PathType, Required: true, Writes: true,
				Description: "The revocation list, PEM or DER. It is made when it is not there. The index of issued certificates is kept beside it, of at most 64 MiB."},
			{Name: "crl_lifetime", Type: provider.Duration, Default: 7 * day, Min: int64(time.Minute), Max: int64(year),
				Description: "How long a revocation list is valid after it was signed. It is signed again with every change, and by a reset when half of this has passed."},
		}},
		Types: []provider.CredentialType{{
			Name:        "x509_certificate",
			Description: "A certificate with its private key, found by its common name.",
			Kind:        lifecycle.Minted,
			Schema: provider.Schema{Attributes: []provider.Attribute{
				{Name: "common_name", Type: provider.String, Required: true, Key: true, Check: checkCommonName,
					Description: "The subject's common name. Certificates of this authority with the same common name are versions of one credential."},
				{Name: "dns_names", Type: provider.StringList, Check: checkDNSNames,
					Description: "DNS names that the certificate is for."},
				{Name: "ip_addresses", Type: provider.StringList, Check: checkAddresses,
					Description: "IP addresses that the certificate is for."},
				{Name: "lifetime", Type: provider.Duration, Default: 90 * day, Min: int64(time.Minute), Max: int64(20 * year),
					Description: "How long it is valid; never longer than the authority itself."},
				{Name: "usages", Type: provider.StringList, Default: []string{"server_auth", "client_auth"}, Check: checkUsages,
					Description: "What it may be used for: `server_auth`, `client_auth`."},
			}},
			Fields: []provider.Field{
				{Name: "certificate", Description: "The certificate, in PEM.", Public: true, Probe: true},
				{Name: "private_key", Description: "Its private key, PKCS#8 in PEM."},
				{Name: "chain", Description: "The certificates of the authority and of those above it, in PEM.", Public: true},
			},
			Issue: keyIssue(),
		}},
		Open: open,
	}
}

// Provider is one certificate authority.
type Provider struct {
	certificate, key, crl provider.Path
	crlLifetime           time.Duration
	index                 index
	lists                 cached[*revocations]
	revocations           batcher
	now                   func() time.Time
}

func open(_ context.Context, b provider.Block) (provider.Provider, error) {
	now := b.Clock()
	p := &Provider{
		certificate: b.Attrs.Path("certificate"), key: b.Attrs.Path("private_key"), crl: b.Attrs.Path("crl"),
		crlLifetime: b.Attrs.Duration("crl_lifetime"),
		now:         func() time.Time { return now().UTC() },
	}
	if p.crlLifetime <= 0 {
		p.crlLifetime = 7 * day
	}
	return p, nil
}

// Identity is the SHA-256 fingerprint of the authority's public key, which
// stays when its certificate is renewed.
func (p *Provider) Identity(ctx context.Context) (string, error) {
	if err := cancelled(ctx); err != nil {
		return "", err
	}
	ca, err := p.authority()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(ca.cert.RawSubjectPublicKeyInfo)
	return "x509:" + hex.EncodeToString(sum[:]), nil
}

// VersionOf is the serial number of the certificate, in lower-case hex.
// Permanent if another authority issued it.
func (p *Provider) VersionOf(m secret.Material) (string, error) {
	cert, err := parseCertificate(m.Field("certificate"))
	if err != nil {
		return "", err
	}
	ca, err := p.authority()
	if err != nil {
		return "", err
	}
	if cert.CheckSignatureFrom(ca.cert) != nil {
		return "", provider.Errorf(provider.Permanent, "the certificate was not issued by %s: revoke it where it was", p.certificate.Written)
	}
	return serialID(cert.SerialNumber), nil
}

// Close has nothing to let go of.
func (p *Provider) Close() error { return nil }

func serialID(serial *big.Int) string { return fmt.Sprintf("%x", serial) }

// parseSerial reads what serialID writes, and nothing else.
func parseSerial(id string) (*big.Int, bool) {
	n, ok := new(big.Int).SetString(id, 16)
	return n, ok && n.Sign() > 0 && serialID(n) == id && n.BitLen() <= 160
}

func cancelled(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return provider.Errorf(provider.Transient, "stopped before anything was done: %v", ctx.Err())
}
