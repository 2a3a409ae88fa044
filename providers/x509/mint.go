package x509

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Mint makes a new key and a certificate for it, records the certificate, and
// only then releases both. It leaves a revocation list behind that is fresh
// enough for those who check it. An error before the record is of a class that
// says that nothing happened; after it, Ambiguous.
func (p *Provider) Mint(ctx context.Context, m provider.Mutation, args provider.Attrs) (secret.Material, provider.Applied, error) {
	ca, err := p.authority()
	if err != nil {
		return secret.Material{}, provider.Applied{}, err
	}
	material, cert, err := p.issue(ca, m.Credential, args)
	if err != nil {
		return secret.Material{}, provider.Applied{}, err
	}
	if err := p.record(ctx, ca, cert, m.Label); err != nil {
		return secret.Material{}, provider.Applied{}, err
	}
	return material, provider.Applied{
		Version: serialID(cert.SerialNumber), At: p.now(),
		Detail: "valid until " + cert.NotAfter.UTC().Format(time.RFC3339),
	}, nil
}

// record sees to the list and writes the certificate into the index.
func (p *Provider) record(ctx context.Context, ca authority, cert *x509.Certificate, label string) error {
	if err := cancelled(ctx); err != nil {
		return err
	}
	if err := p.renew(ctx, ca, func(*revocations) []*big.Int { return nil }); err != nil {
		return err
	}
	path, err := atomicfile.Resolve(p.crl)
	if err != nil {
		return err
	}
	unlock, err := atomicfile.Lock(ctx, filepath.Dir(path))
	if err != nil {
		return atomicfile.Classed(p.crl, err)
	}
	defer unlock()
	// The index must be readable before it grows: a record in a damaged index
	// would never be found.
	if _, err := p.index.of(indexPath(path), p.indexName(), ""); err != nil {
		return err
	}
	return appendRecord(indexPath(path), record{
		Serial: serialID(cert.SerialNumber), CommonName: cert.Subject.CommonName, Label: label, Issued: p.now(), NotAfter: cert.NotAfter,
	})
}

// issue signs a certificate in memory, and checks that those who trust the
// authority will accept it. No side effects.
func (p *Provider) issue(ca authority, c provider.Credential, args provider.Attrs) (secret.Material, *x509.Certificate, error) {
	fail := func(err error) (secret.Material, *x509.Certificate, error) { return secret.Material{}, nil, err }
	if err := p.signs(ca, x509.KeyUsageCertSign, p.now()); err != nil {
		return fail(err)
	}
	caKey, err := p.signer(ca)
	if err != nil {
		return fail(err)
	}
	key, err := newKey(args.String("algorithm"))
	if err != nil {
		return fail(err)
	}
	template, err := p.template(c.Attrs, ca, key)
	if err != nil {
		return fail(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), caKey)
	if err != nil {
		return fail(provider.Errorf(provider.Permanent, "the certificate could not be signed with %s", p.key.Written))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil || chain(cert, ca.cert, p.now()) != nil {
		return fail(provider.Errorf(provider.Permanent, "the authority in %s may not vouch for these names: look at its name constraints and path length", p.certificate.Written))
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fail(provider.Errorf(provider.Permanent, "the new key could not be written as PKCS#8"))
	}
	return secret.NewMaterial(map[string]secret.Value{
		"certificate": secret.New(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"private_key": secret.New(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"chain":       secret.New(ca.chain),
	}), cert, nil
}

func (p *Provider) template(a provider.Attrs, ca authority, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	lifetime := a.Duration("lifetime")
	if lifetime <= 0 {
		lifetime = 90 * day
	}
	now := p.now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: a.String("common_name")}, DNSNames: a.Strings("dns_names"),
		NotBefore: now.Add(-skew), NotAfter: now.Add(lifetime), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if t.NotAfter.After(ca.cert.NotAfter) {
		t.NotAfter = ca.cert.NotAfter
	}
	if t.NotBefore.Before(ca.cert.NotBefore) {
		t.NotBefore = ca.cert.NotBefore
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	for _, s := range a.Strings("ip_addresses") {
		t.IPAddresses = append(t.IPAddresses, net.ParseIP(s))
	}
	usages := a.Strings("usages")
	if len(usages) == 0 {
		usages = []string{"server_auth", "client_auth"}
	}
	for _, u := range usages {
		use, ok := usage(u)
		if !ok {
			return nil, provider.Errorf(provider.Permanent, "%q is not a usage of certificates: it must be server_auth or client_auth", u)
		}
		t.ExtKeyUsage = append(t.ExtKeyUsage, use)
	}
	return t, nil
}

func usage(name string) (x509.ExtKeyUsage, bool) {
	switch name {
	case "server_auth":
		return x509.ExtKeyUsageServerAuth, true
	case "client_auth":
		return x509.ExtKeyUsageClientAuth, true
	}
	return 0, false
}

// newSerial draws 127 random bits below a leading one, so that every serial
// number is positive and of the same length.
func newSerial() (*big.Int, error) {
	top := new(big.Int).Lsh(big.NewInt(1), 126)
	n, err := rand.Int(rand.Reader, top)
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "the system gives no random numbers")
	}
	return n.Add(n, top), nil
}

func indexPath(crl string) string { return crl + ".index.jsonl" }

func (p *Provider) indexName() string { return indexPath(p.crl.Written) }
