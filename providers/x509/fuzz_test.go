package x509

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
)

// FuzzAuthority: whatever the files of an authority hold, they are used or
// refused, and a list that the authority did not sign is not believed.
func FuzzAuthority(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign, SubjectKeyId: []byte{1},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		f.Fatal(err)
	}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Now()}},
	}, cert, key)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	path := func(name string) provider.Path {
		return provider.Path{Written: name, Absolute: filepath.Join(dir, name)}
	}
	p := &Provider{crl: path("crl"), certificate: path("cert")}
	pemOf := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	f.Add(pemOf("CERTIFICATE", der), list)
	f.Add(append(pemOf("CERTIFICATE", der), pemOf("CERTIFICATE", der)...), pemOf("X509 CRL", list))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), list[:len(list)/2])
	f.Fuzz(func(t *testing.T, certificate, crl []byte) {
		if err := os.WriteFile(p.certificate.Absolute, certificate, 0o600); err != nil {
			t.Fatal(err)
		}
		if ca, err := p.authority(); err == nil && (ca.cert == nil || !ca.cert.IsCA) {
			t.Error("an authority that is none")
		}
		got, err := p.parseCRL(crl, cert)
		if (got == nil) == (err == nil) {
			t.Fatalf("a list and an error, or neither: %v", err)
		}
		if got != nil && got.CheckSignatureFrom(cert) != nil {
			t.Error("a list that the authority did not sign")
		}
	})
}
