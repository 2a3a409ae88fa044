package x509

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
)

// TestCrashBeforeRelease: a run that died after the record and before it had
// the certificate finds it by its label, and kills it.
func TestCrashBeforeRelease(t *testing.T) {
	dir := t.TempDir()
	attrs := authorityFiles(t, dir)
	api := provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api"})}
	died := opened(t, attrs)
	ca, err := died.authority()
	if err != nil {
		t.Fatal(err)
	}
	_, lost, err := died.issue(ca, api, provider.Attrs{})
	if err != nil {
		t.Fatal(err)
	}
	if obs, err := opened(t, attrs).Inspect(t.Context(), api); err != nil || len(obs.Versions) > 0 {
		t.Fatalf("signing alone must leave nothing: %+v, %v", obs, err)
	}
	if err := died.record(t.Context(), ca, lost, "run 7/issue"); err != nil {
		t.Fatal(err)
	}

	resumed := opened(t, attrs)
	obs, err := resumed.Inspect(t.Context(), api)
	if err != nil || len(obs.Versions) != 1 || obs.Versions[0].Label != "run 7/issue" || obs.Versions[0].ID != serialID(lost.SerialNumber) {
		t.Fatalf("%+v, %v", obs, err)
	}
	if _, err := resumed.Revoke(t.Context(), provider.Mutation{Credential: api, Label: "run 7/issue"}, []string{obs.Versions[0].ID}); err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(dir, "lost.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lost.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "verify", "-crl_check", "-CAfile", filepath.Join(dir, "ca.pem"), "-CRLfile", filepath.Join(dir, "ca.crl"), cert).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("openssl: %v: %s", err, out)
	}
}

// TestExpiry: by the clock alone a certificate stops being a version, and is
// refused.
func TestExpiry(t *testing.T) {
	p := opened(t, authorityFiles(t, t.TempDir()))
	api := provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api", "lifetime": time.Hour})}
	m, _, err := p.Mint(t.Context(), provider.Mutation{Credential: api}, provider.Attrs{})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * time.Hour).UTC()
	p.now = func() time.Time { return later }
	got, err := p.Probe(t.Context(), api, m)
	if err != nil || got.Verdict != provider.Refused || !strings.Contains(got.Detail, "expired at") {
		t.Errorf("%+v, %v", got, err)
	}
	if obs, err := p.Inspect(t.Context(), api); err != nil || obs.Enabled || len(obs.Versions) > 0 || !obs.Exists {
		t.Errorf("%+v, %v", obs, err)
	}
	earlier := time.Now().Add(-2 * time.Hour).UTC()
	p.now = func() time.Time { return earlier }
	if got, err := p.Probe(t.Context(), api, m); err != nil || got.Verdict == provider.Refused || got.Verdict == provider.Accepted {
		t.Errorf("before its time: %+v, %v", got, err)
	}
}

func TestChecks(t *testing.T) {
	schema := New().Types[0].Schema
	for _, tc := range []struct {
		attr  string
		value any
		ok    bool
	}{
		{"common_name", "api.internal", true},
		{"common_name", "Jürgen's laptop", true},
		{"common_name", "", false},
		{"common_name", strings.Repeat("x", 65), false},
		{"common_name", "a\nb", false},
		{"common_name", "a\x00b", false},
		{"dns_names", []string{"a.b", "*.a.b", "x_y", "localhost"}, true},
		{"dns_names", []string{"a..b"}, false},
		{"dns_names", []string{""}, false},
		{"dns_names", []string{"a.*.b"}, false},
		{"dns_names", []string{"-a"}, false},
		{"dns_names", []string{"münchen.de"}, false},
		{"dns_names", []string{strings.Repeat("a", 64)}, false},
		{"ip_addresses", []string{"192.0.2.1", "2001:db8::1"}, true},
		{"ip_addresses", []string{"fe80::1%eth0"}, false},
		{"ip_addresses", []string{"192.0.2.1/24"}, false},
		{"usages", []string{"client_auth"}, true},
		{"usages", []string{"code_signing"}, false},
		{"usages", []string{}, false},
	} {
		a, _ := schema.Find(tc.attr)
		if err := a.Check(tc.value); (err == nil) != tc.ok {
			t.Errorf("%s %q: %v", tc.attr, tc.value, err)
		}
	}
}

func authorityFiles(t *testing.T, dir string) provider.Attrs {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(year),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, crypto.Signer(key).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"crl_lifetime": 7 * day, "crl": provider.Path{Written: "ca.crl", Absolute: filepath.Join(dir, "ca.crl")}}
	for name, block := range map[string]*pem.Block{
		"certificate": {Type: "CERTIFICATE", Bytes: der}, "private_key": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		file := map[string]string{"certificate": "ca.pem", "private_key": "ca.key"}[name]
		values[name] = provider.Path{Written: file, Absolute: filepath.Join(dir, file)}
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return provider.NewAttrs(values)
}

func opened(t *testing.T, attrs provider.Attrs) *Provider {
	t.Helper()
	p, err := open(t.Context(), provider.Block{Attrs: attrs})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*Provider)
}

var _ provider.Identifier = (*Provider)(nil)

// TestListOfTheFuture: what was revoked while the clock was ten years ahead is dead
// for those whose clock is right as soon as it is revoked again by a right one.
func TestListOfTheFuture(t *testing.T) {
	dir := t.TempDir()
	attrs := authorityFiles(t, dir)
	api := provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api"})}
	p := opened(t, attrs)
	m, minted, err := p.Mint(t.Context(), provider.Mutation{Credential: api}, provider.Attrs{})
	if err != nil {
		t.Fatal(err)
	}
	right := p.now
	p.now = func() time.Time { return right().Add(10 * 365 * day) }
	if _, err := p.Revoke(t.Context(), provider.Mutation{Credential: api}, []string{minted.Version}); err != nil {
		t.Fatal(err)
	}
	p.now = right
	if got, err := p.Probe(t.Context(), api, m); err != nil || got.Verdict != provider.Unclear {
		t.Errorf("by a list that is not valid yet: %+v, %v", got, err)
	}
	if _, err := p.Revoke(t.Context(), provider.Mutation{Credential: api}, []string{minted.Version}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Probe(t.Context(), api, m); err != nil || got.Verdict != provider.Refused {
		t.Errorf("revoked again: %+v, %v", got, err)
	}
	cert := filepath.Join(dir, "old.pem")
	if err := os.WriteFile(cert, m.Field("certificate").Reveal(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "verify", "-crl_check", "-CAfile", filepath.Join(dir, "ca.pem"), "-CRLfile", filepath.Join(dir, "ca.crl"), cert).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("openssl: %v: %s", err, out)
	}
}

// TestClock: a block goes by the clock that it is opened with.
func TestClock(t *testing.T) {
	at := time.Now().Add(5 * 24 * time.Hour).UTC().Truncate(time.Second)
	p, err := New().Open(t.Context(), provider.Block{Name: "ca", Attrs: authorityFiles(t, t.TempDir()), Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	obs, err := p.Inspect(t.Context(), provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api"})})
	if err != nil || !obs.Now.Equal(at) {
		t.Errorf("%+v, %v", obs, err)
	}
}
