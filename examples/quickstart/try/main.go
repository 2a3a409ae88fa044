// Command try sets the quickstart's scene and looks at it from outside: it uses
// none of remint's code.
//
//	try setup DIR   makes a site, a bastion and an authority with old credentials
//	try check DIR   tries the old credentials and those that the stores hold now
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: try setup|check DIR")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "setup":
		err = setup(os.Args[2])
	case "check":
		err = check(os.Args[2])
	default:
		err = errors.New("say setup or check")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "try:", err)
		os.Exit(1)
	}
}

// files collects what setup writes.
type files map[string][]byte

func setup(dir string) error {
	w := files{}
	if err := errors.Join(w.site(), w.bastion(), w.authority()); err != nil {
		return err
	}
	for name, data := range w {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (w files) site() error {
	password := rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 5)
	other, err2 := bcrypt.GenerateFromPassword([]byte(rand.Text()), 5)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	w["site.htpasswd"] = fmt.Appendf(nil, "# the site's users\nreader:%s\ndeploy:%s\n", other, hash)
	w["app/.env"] = fmt.Appendf(nil, "# read by the app\nSITE_USER=deploy\nSITE_PASSWORD=%s\n", password)
	w["old/password"] = []byte(password)
	return nil
}

func (w files) bastion() error {
	line := func(comment string) (string, []byte, error) {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", nil, err
		}
		p, err := ssh.NewPublicKey(public)
		if err != nil {
			return "", nil, err
		}
		block, err := ssh.MarshalPrivateKey(private, comment)
		if err != nil {
			return "", nil, err
		}
		return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(p))) + " " + comment, pem.EncodeToMemory(block), nil
	}
	other, _, err := line("admin@example.com")
	ci, key, err2 := line("ci@example.com")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	w["authorized_keys"] = fmt.Appendf(nil, "%s\nno-pty %s\n", other, ci)
	w["ci_ed25519"], w["old/ci_ed25519"] = key, key
	return nil
}

func (w files) authority() error {
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Internal CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "api.internal"}, DNSNames: []string{"api.internal"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 3, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), key)
	if err != nil {
		return err
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 7)}, ca, key)
	if err != nil {
		return err
	}
	caKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	apiKey, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return err
	}
	encode := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	w["ca/ca.pem"], w["ca/ca.key"], w["ca/ca.crl"] = encode("CERTIFICATE", caDER), encode("PRIVATE KEY", caKey), encode("X509 CRL", crl)
	w["api.pem"], w["api.key"] = encode("CERTIFICATE", leafDER), encode("PRIVATE KEY", apiKey)
	w["old/api.pem"] = w["api.pem"]
	return nil
}

// attempt is one credential and what must become of it.
type attempt struct {
	what    string
	wanted  bool
	accepts func() (bool, error)
}

func check(dir string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	attempts := []attempt{
		{"deploy's old password at site.htpasswd", false, func() (bool, error) { return password(in("site.htpasswd"), in("old/password")) }},
		{"deploy's new password at site.htpasswd", true, func() (bool, error) { return dotenv(in("site.htpasswd"), in("app/.env")) }},
		{"ci's old key in authorized_keys", false, func() (bool, error) { return listed(in("authorized_keys"), in("old/ci_ed25519")) }},
		{"ci's new key in authorized_keys", true, func() (bool, error) { return listed(in("authorized_keys"), in("ci_ed25519")) }},
		{"api's old certificate under the CRL", false, func() (bool, error) { return valid(in("ca/ca.pem"), in("ca/ca.crl"), in("old/api.pem")) }},
		{"api's new certificate under the CRL", true, func() (bool, error) { return valid(in("ca/ca.pem"), in("ca/ca.crl"), in("api.pem")) }},
	}
	var wrong error
	for _, a := range attempts {
		got, err := a.accepts()
		if err != nil {
			return fmt.Errorf("%s: %w", a.what, err)
		}
		word := map[bool]string{true: "accepted", false: "refused"}
		fmt.Printf("  %-42s %s\n", a.what, word[got])
		if got != a.wanted {
			wrong = errors.Join(wrong, fmt.Errorf("%s is %s, which it must not be", a.what, word[got]))
		}
	}
	return wrong
}

func password(site, file string) (bool, error) {
	p, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	return authenticates(site, p)
}

func dotenv(site, file string) (bool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "SITE_PASSWORD="); ok {
			return authenticates(site, []byte(strings.Trim(v, `'"`)))
		}
	}
	return false, errors.New("no SITE_PASSWORD")
}

func authenticates(site string, password []byte) (bool, error) {
	f, err := os.Open(site)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if hash, ok := strings.CutPrefix(s.Text(), "deploy:"); ok {
			return bcrypt.CompareHashAndPassword([]byte(hash), password) == nil, nil
		}
	}
	return false, errors.New("deploy is gone")
}

func listed(file, keyFile string) (bool, error) {
	list, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		return false, err
	}
	key, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		return false, err
	}
	for len(list) > 0 {
		public, _, _, rest, err := ssh.ParseAuthorizedKey(list)
		if err != nil {
			break
		}
		if bytes.Equal(public.Marshal(), key.PublicKey().Marshal()) {
			return true, nil
		}
		list = rest
	}
	return false, nil
}

func valid(caFile, crlFile, certFile string) (bool, error) {
	der := func(name string) ([]byte, error) {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, fmt.Errorf("%s is not PEM", name)
		}
		return block.Bytes, nil
	}
	caDER, err := der(caFile)
	crlDER, err2 := der(crlFile)
	certDER, err3 := der(certFile)
	if err := errors.Join(err, err2, err3); err != nil {
		return false, err
	}
	ca, err := x509.ParseCertificate(caDER)
	crl, err2 := x509.ParseRevocationList(crlDER)
	cert, err3 := x509.ParseCertificate(certDER)
	if err := errors.Join(err, err2, err3); err != nil {
		return false, err
	}
	if err := crl.CheckSignatureFrom(ca); err != nil {
		return false, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "api.internal"}); err != nil {
		return false, nil
	}
	for _, r := range crl.RevokedCertificateEntries {
		if r.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return false, nil
		}
	}
	return true, nil
}
