package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore-go/pkg/root"
)

var codeSigning = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}

// sigstore NAME: a certificate authority that speaks Fulcio's protocol and a timestamp
// authority, with certificates as Fulcio gives them; $NAME_FULCIO and
// $NAME_TSA are their URLs, and NAME.json their trusted root. An ID token is
// "SUBJECT ISSUER [old]", believed as it stands; with old the certificate is over.
func sigstore(ts *testscript.TestScript, _ bool, args []string) {
	day := time.Now().Add(-12 * time.Hour)
	rootKey, interKey, tsaInterKey, tsaKey := newKey(ts), newKey(ts), newKey(ts), newKey(ts)
	rootCert := certify(ts, &x509.Certificate{NotBefore: day, IsCA: true}, rootKey.Public(), nil, rootKey)
	inter := certify(ts, &x509.Certificate{NotBefore: day, IsCA: true, ExtKeyUsage: codeSigning}, interKey.Public(), rootCert, rootKey)
	fulcio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Credentials struct {
				OidcIdentityToken string `json:"oidcIdentityToken"`
			}
			CertificateSigningRequest []byte
		}
		words := []string{}
		if r.URL.Path == "/api/v2/signingCert" && json.NewDecoder(r.Body).Decode(&asked) == nil {
			words = strings.Fields(asked.Credentials.OidcIdentityToken)
		}
		block, _ := pem.Decode(asked.CertificateSigningRequest)
		if len(words) < 2 || block == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil || csr.CheckSignature() != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		begin := time.Now().Add(-time.Minute)
		if len(words) > 2 {
			begin = begin.Add(-time.Hour)
		}
		leaf := certify(ts, &x509.Certificate{
			EmailAddresses: words[:1], NotBefore: begin, NotAfter: begin.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: codeSigning,
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(words[1])}},
		}, csr.PublicKey, inter, interKey)
		chain := []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))}
		_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
	}))
	ts.Defer(fulcio.Close)

	tsaInter := certify(ts, &x509.Certificate{NotBefore: day, IsCA: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}}, tsaInterKey.Public(), rootCert, rootKey)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	ts.Check(err)
	tsaLeaf := certify(ts, &x509.Certificate{
		NotBefore: day, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, tsaKey.Public(), tsaInter, tsaInterKey)
	tsa := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var req *timestamp.Request
			if req, err = timestamp.ParseRequest(body); err == nil {
				at := timestamp.Timestamp{HashAlgorithm: req.HashAlgorithm, HashedMessage: req.HashedMessage, Time: time.Now(), Nonce: req.Nonce, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}}
				body, err = at.CreateResponseWithOpts(tsaLeaf, tsaKey, crypto.SHA256)
			}
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write(body)
	}))
	ts.Defer(tsa.Close)

	begin, end := time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: rootCert, Intermediates: []*x509.Certificate{inter}, ValidityPeriodStart: begin, ValidityPeriodEnd: end, URI: fulcio.URL}}, nil,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: rootCert, Intermediates: []*x509.Certificate{tsaInter}, Leaf: tsaLeaf, ValidityPeriodStart: begin, ValidityPeriodEnd: end, URI: tsa.URL}}, nil)
	ts.Check(err)
	doc, err := trusted.MarshalJSON()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".json"), doc, 0o644))
	ts.Setenv(args[0]+"_FULCIO", fulcio.URL)
	ts.Setenv(args[0]+"_TSA", tsa.URL)
}

func newKey(ts *testscript.TestScript) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	return key
}

// certify makes a certificate; without a parent it is its own.
func certify(ts *testscript.TestScript, c *x509.Certificate, key crypto.PublicKey, parent *x509.Certificate, by *ecdsa.PrivateKey) *x509.Certificate {
	c.SerialNumber, c.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), true
	c.Subject = pkix.Name{CommonName: fmt.Sprint("test ", c.SerialNumber)}
	if c.IsCA {
		c.KeyUsage = x509.KeyUsageCertSign
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = c.NotBefore.Add(24 * time.Hour)
	}
	if len(c.EmailAddresses) > 0 {
		c.Subject = pkix.Name{}
	}
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, by)
	ts.Check(err)
	out, err := x509.ParseCertificate(der)
	ts.Check(err)
	return out
}
