package x509

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// crlPerm lets everybody read the list: that is what it is for.
const crlPerm = 0o644

// revocations is a revocation list that was read, with its serial numbers at
// hand, and the certificate by which it was verified.
type revocations struct {
	*x509.RevocationList
	at map[string]time.Time // when each serial number was revoked
	by []byte
}

// list reads the revocation list and checks that the authority signed it. Nil
// if there is none.
func (p *Provider) list(ca authority) (*revocations, error) {
	crl, err := p.lists.get(p.crl, func(raw []byte) (*revocations, error) { return p.parseCRL(raw, ca.cert) })
	if crl != nil && err == nil && !bytes.Equal(crl.by, ca.cert.Raw) {
		err = p.verifyCRL(crl.RevocationList, ca.cert)
	}
	return crl, err
}

// parseCRL reads PEM or DER and verifies the signature.
func (p *Provider) parseCRL(raw []byte, ca *x509.Certificate) (*revocations, error) {
	der := raw
	if block, _ := pem.Decode(raw); block != nil {
		der = block.Bytes
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "%s is not a revocation list of X.509 version 2 that can be read; put the right one there", p.crl.Written)
	}
	if err := p.verifyCRL(list, ca); err != nil {
		return nil, err
	}
	out := &revocations{RevocationList: list, at: make(map[string]time.Time, len(list.RevokedCertificateEntries)), by: ca.Raw}
	for _, e := range list.RevokedCertificateEntries {
		out.at[serialID(e.SerialNumber)] = e.RevocationTime
	}
	return out, nil
}

func (p *Provider) verifyCRL(list *x509.RevocationList, ca *x509.Certificate) error {
	if list.CheckSignatureFrom(ca) != nil || !bytes.Equal(list.RawIssuer, ca.RawSubject) {
		return provider.Errorf(provider.Permanent, "%s was not signed by this authority: it is another's list, or it was altered; put the right one there", p.crl.Written)
	}
	return nil
}

// revoked tells whether and when a serial number was revoked.
func (r *revocations) revoked(serial string) (time.Time, bool) {
	if r == nil {
		return time.Time{}, false
	}
	at, ok := r.at[serial]
	return at, ok
}

// stale reports whether relying parties no longer trust the list.
func (r *revocations) stale(now time.Time) bool {
	return r != nil && !r.NextUpdate.IsZero() && now.After(r.NextUpdate)
}

// ripe reports whether the list should be signed again though nothing changed:
// half of its life has passed, or there is none, or it is of the future: a clock was
// wrong, and whoever goes by a right one does not take it.
func (p *Provider) ripe(crl *revocations, now time.Time) bool {
	return crl == nil || now.Before(crl.ThisUpdate) || !crl.NextUpdate.IsZero() && now.After(crl.NextUpdate.Add(-p.crlLifetime/2))
}

// renew puts a new list in place, if pick has serial numbers to add to the old
// one or the old one is ripe.
func (p *Provider) renew(ctx context.Context, ca authority, pick func(old *revocations) []*big.Int) error {
	path, err := atomicfile.Resolve(p.crl)
	if err != nil {
		return err
	}
	return atomicfile.Classed(p.crl, atomicfile.Edit(ctx, path, atomicfile.Options{Mode: crlPerm}, func(raw []byte) ([]byte, error) {
		old, err := p.list(ca)
		if err != nil {
			return nil, err
		}
		added := pick(old)
		if len(added) == 0 && !p.ripe(old, p.now()) {
			return raw, nil
		}
		der, err := p.sign(ca, p.successor(old, added, p.now()))
		if err != nil || raw != nil && !bytes.Contains(raw, []byte("-----BEGIN")) {
			return der, err // what was DER stays DER
		}
		return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
	}))
}

func (p *Provider) sign(ca authority, list *x509.RevocationList) ([]byte, error) {
	if err := p.signs(ca, x509.KeyUsageCRLSign, p.now()); err != nil {
		return nil, err
	}
	key, err := p.signer(ca)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer(ca.cert), key)
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "the revocation list could not be signed with %s", p.key.Written)
	}
	return der, nil
}

// successor is the list after old. Entries of others, and extensions that this
// program does not know, are carried over.
func (p *Provider) successor(old *revocations, added []*big.Int, now time.Time) *x509.RevocationList {
	next := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-skew), NextUpdate: now.Add(p.crlLifetime)}
	if old != nil {
		if old.Number != nil {
			next.Number = new(big.Int).Add(old.Number, big.NewInt(1))
		}
		next.ExtraExtensions = without(old.Extensions, asn1.ObjectIdentifier{2, 5, 29, 20}, asn1.ObjectIdentifier{2, 5, 29, 35})
		for _, e := range old.RevokedCertificateEntries {
			next.RevokedCertificateEntries = append(next.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: e.SerialNumber, RevocationTime: e.RevocationTime, ReasonCode: e.ReasonCode,
				ExtraExtensions: without(e.Extensions, asn1.ObjectIdentifier{2, 5, 29, 21}),
			})
		}
	}
	for _, serial := range added {
		next.RevokedCertificateEntries = append(next.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now})
	}
	return next
}

func without(in []pkix.Extension, oids ...asn1.ObjectIdentifier) []pkix.Extension {
	var out []pkix.Extension
next:
	for _, e := range in {
		for _, oid := range oids {
			if e.Id.Equal(oid) {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

// issuer is the authority's certificate as crypto/x509 wants it for signing a
// list: it insists on a keyUsage and a key identifier, which the standard makes
// optional. What is there is not touched.
func issuer(ca *x509.Certificate) *x509.Certificate {
	c := *ca
	if c.KeyUsage == 0 {
		c.KeyUsage = x509.KeyUsageCRLSign
	}
	if len(c.SubjectKeyId) == 0 {
		sum := sha1.Sum(c.RawSubjectPublicKeyInfo) // an identifier (RFC 5280 §4.2.1.2), not a safeguard
		c.SubjectKeyId = sum[:]
	}
	return &c
}

// cached is a parsed file, parsed again when the file was replaced.
type cached[T any] struct {
	mu    sync.Mutex
	info  os.FileInfo
	value T
}

// get gives the parsed file, the zero T if there is none.
func (c *cached[T]) get(path provider.Path, parse func([]byte) (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var zero T
	info, err := os.Stat(path.Absolute)
	if err == nil && c.info != nil && os.SameFile(info, c.info) && info.Size() == c.info.Size() && info.ModTime().Equal(c.info.ModTime()) {
		return c.value, nil
	}
	raw, rerr := atomicfile.Load(path)
	if rerr != nil || raw == nil {
		return zero, rerr
	}
	value, perr := parse(raw)
	if perr != nil {
		return zero, perr
	}
	c.info, c.value = info, value // a file replaced in between has another stamp next time
	return value, nil
}
