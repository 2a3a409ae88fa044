package x509_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/providertest"
	"github.com/remint-dev/remint/engine/secret"
	remintx509 "github.com/remint-dev/remint/providers/x509"
)

// ca is an authority made with the openssl program.
type ca struct{ cert, key, crl, index string }

func newCA(t *testing.T, args ...string) ca {
	t.Helper()
	dir := t.TempDir()
	c := ca{cert: filepath.Join(dir, "ca.pem"), key: filepath.Join(dir, "ca.key"), crl: filepath.Join(dir, "ca.crl")}
	c.index = c.crl + ".index.jsonl"
	if len(args) == 0 {
		args = []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "3650"}
	}
	openssl(t, append([]string{"req", "-x509", "-nodes", "-subj", "/O=Test/CN=Test CA", "-keyout", c.key, "-out", c.cert}, args...)...)
	return c
}

func (c ca) attrs(more map[string]any) provider.Attrs {
	set := map[string]any{
		"certificate": provider.Path{Written: "ca/ca.pem", Absolute: c.cert},
		"private_key": provider.Path{Written: "ca/ca.key", Absolute: c.key},
		"crl":         provider.Path{Written: "ca/ca.crl", Absolute: c.crl},
	}
	for k, v := range more {
		set[k] = v
	}
	return providertest.Defaults(remintx509.New().Schema, set)
}

func (c ca) open(t *testing.T, more map[string]any) provider.Provider {
	t.Helper()
	p, err := remintx509.New().Open(t.Context(), provider.Block{Name: "test", Attrs: c.attrs(more)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// accepts asks openssl whether it accepts the certificate, with the list.
func (c ca) accepts(t *testing.T, m secret.Material) bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cert.pem")
	write(t, file, m.Field("certificate").RevealString())
	out, err := exec.Command("openssl", "verify", "-crl_check", "-CAfile", c.cert, "-CRLfile", c.crl, file).CombinedOutput()
	text := string(out)
	switch {
	case err == nil && strings.HasSuffix(strings.TrimSpace(text), ": OK"):
		return true
	case strings.Contains(text, "certificate revoked"), strings.Contains(text, "certificate has expired"), strings.Contains(text, "unable to get local issuer"):
		return false
	}
	t.Fatalf("openssl says neither yes nor no: %v: %s", err, text)
	return false
}

// crlText is the list as openssl reads it, its signature checked.
func (c ca) crlText(t *testing.T) string {
	t.Helper()
	return openssl(t, "crl", "-in", c.crl, "-CAfile", c.cert, "-noout", "-text")
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %v: %v: %s", args, err, out)
	}
	return string(out)
}

func credential(name string, more map[string]any) provider.Credential {
	set := map[string]any{"common_name": name, "dns_names": []string{name}}
	for k, v := range more {
		set[k] = v
	}
	return provider.Credential{
		Address: "credential.x509_certificate.api", Type: "x509_certificate",
		Attrs: providertest.Defaults(remintx509.New().Types[0].Schema, set),
	}
}

func mint(t *testing.T, p provider.Provider, c provider.Credential, label string) (secret.Material, string) {
	t.Helper()
	return mintWith(t, p, c, label, "ecdsa-p256")
}

func mintWith(t *testing.T, p provider.Provider, c provider.Credential, label, algorithm string) (secret.Material, string) {
	t.Helper()
	m, a, err := p.(provider.Minter).Mint(t.Context(), provider.Mutation{Credential: c, Label: label}, provider.NewAttrs(map[string]any{"algorithm": algorithm}))
	if err != nil {
		t.Fatal(err)
	}
	return m, a.Version
}

func revoke(t *testing.T, p provider.Provider, c provider.Credential, versions ...string) {
	t.Helper()
	if _, err := p.(provider.Revoker).Revoke(t.Context(), provider.Mutation{Credential: c}, versions); err != nil {
		t.Fatal(err)
	}
}

func probe(t *testing.T, p provider.Provider, c provider.Credential, m secret.Material) provider.Probe {
	t.Helper()
	out, err := p.Probe(t.Context(), c, m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func inspect(t *testing.T, p provider.Provider, c provider.Credential) provider.Observation {
	t.Helper()
	out, err := p.Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func certOnly(m secret.Material) secret.Material {
	return secret.NewMaterial(map[string]secret.Value{"certificate": m.Field("certificate")})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// foreign is a certificate that the authority issued before remint came.
func (c ca) foreign(t *testing.T, name string) secret.Material {
	t.Helper()
	dir := t.TempDir()
	key, csr, cert := filepath.Join(dir, "k"), filepath.Join(dir, "r"), filepath.Join(dir, "c")
	openssl(t, "req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN="+name, "-keyout", key, "-out", csr)
	openssl(t, "x509", "-req", "-in", csr, "-CA", c.cert, "-CAkey", c.key, "-set_serial", "0x00f0e1d2c3", "-days", "30", "-out", cert)
	return secret.NewMaterial(map[string]secret.Value{
		"certificate": secret.FromString(read(t, cert)), "private_key": secret.FromString(read(t, key)),
	})
}
