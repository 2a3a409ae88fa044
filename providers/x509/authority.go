package x509

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// authority is the certificate of the authority; chain is it and what stands
// above it, in PEM.
type authority struct {
	cert  *x509.Certificate
	chain []byte
}

// authority reads the certificate and makes sure that it is an authority's.
// Whether it has expired is left to the caller.
func (p *Provider) authority() (authority, error) {
	raw, err := p.file(p.certificate, "certificate")
	if err != nil {
		return authority{}, err
	}
	var out authority
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return authority{}, provider.Errorf(provider.Permanent, "%s holds a certificate that cannot be read", p.certificate.Written)
		}
		if out.cert == nil {
			out.cert = cert
		}
		out.chain = append(out.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
	}
	switch {
	case out.cert == nil:
		return authority{}, provider.Errorf(provider.Permanent, "%s holds no certificate in PEM", p.certificate.Written)
	case !out.cert.BasicConstraintsValid || !out.cert.IsCA:
		return authority{}, provider.Errorf(provider.Permanent, "the certificate in %s is not an authority's (basicConstraints CA:TRUE is missing)", p.certificate.Written)
	}
	return out, nil
}

// signs says for what purpose the authority cannot be used, if any. A
// certificate without the keyUsage extension allows everything.
func (p *Provider) signs(ca authority, use x509.KeyUsage, now time.Time) error {
	what := map[x509.KeyUsage]string{x509.KeyUsageCertSign: "certificates (keyCertSign)", x509.KeyUsageCRLSign: "revocation lists (cRLSign)"}[use]
	switch {
	case ca.cert.KeyUsage != 0 && ca.cert.KeyUsage&use == 0:
		return provider.Errorf(provider.Permanent, "the authority in %s may not sign %s: its keyUsage does not say so", p.certificate.Written, what)
	case use == x509.KeyUsageCertSign && now.After(ca.cert.NotAfter):
		return provider.Errorf(provider.Permanent, "the authority in %s expired at %s: renew it first", p.certificate.Written, ca.cert.NotAfter.UTC().Format(time.RFC3339))
	case use == x509.KeyUsageCertSign && now.Before(ca.cert.NotBefore):
		return provider.Errorf(provider.Permanent, "the authority in %s is valid only from %s", p.certificate.Written, ca.cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// signer reads the authority's private key. It is read for each signature and
// not kept.
func (p *Provider) signer(ca authority) (crypto.Signer, error) {
	raw, err := p.file(p.key, "private key")
	if err != nil {
		return nil, err
	}
	key, err := parseKey(raw)
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "%s: %v", p.key.Written, err)
	}
	if !sameKey(key.Public(), ca.cert.PublicKey) {
		return nil, provider.Errorf(provider.Permanent, "the private key in %s does not belong to the certificate in %s", p.key.Written, p.certificate.Written)
	}
	return key, nil
}

func (p *Provider) file(path provider.Path, what string) ([]byte, error) {
	raw, err := atomicfile.Load(path)
	if err == nil && raw == nil {
		// Not NotFound: that would say that the credential is not there.
		err = provider.Errorf(provider.Permanent, "the authority's %s %s does not exist", what, path.Written)
	}
	if err == nil && len(raw) > maxPEM {
		err = provider.Errorf(provider.Permanent, "the authority's %s %s is larger than %d KiB: that cannot be right", what, path.Written, maxPEM>>10)
	}
	return raw, err
}

// maxPEM is more than any certificate chain takes.
const maxPEM = 1 << 20

// parseKey reads the first private key in PEM. Errors never quote it.
func parseKey(raw []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, provider.Errorf(provider.Permanent, "the private key is encrypted: decrypt it, and protect the file instead")
		}
		var key any
		var err error
		switch block.Type {
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
		if s, ok := key.(crypto.Signer); ok && err == nil {
			return s, nil
		}
		return nil, provider.Errorf(provider.Permanent, "the private key cannot be read: it must be RSA, ECDSA or Ed25519 in PKCS#8, PKCS#1 or SEC 1")
	}
	return nil, provider.Errorf(provider.Permanent, "there is no private key in PEM")
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// parseCertificate reads the first certificate of a material's field.
func parseCertificate(v secret.Value) (*x509.Certificate, error) {
	raw := bytes.TrimSpace(v.Reveal())
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			return cert, nil
		}
		break
	}
	return nil, provider.Errorf(provider.Permanent, "there is no certificate in PEM that can be read")
}
