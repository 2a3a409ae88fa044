package x509_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

func TestCutoverWithEveryKindOfKey(t *testing.T) {
	for kind, args := range map[string][]string{
		"ec, openssl's defaults": nil,
		"rsa":                    {"-newkey", "rsa:3072", "-days", "30"},
		"ed25519":                {"-newkey", "ed25519", "-days", "30"},
		"keyUsage said": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "30",
			"-addext", "keyUsage=critical,keyCertSign,cRLSign"},
	} {
		t.Run(kind, func(t *testing.T) {
			c := newCA(t, args...)
			p, api := c.open(t, nil), credential("api.internal", map[string]any{"ip_addresses": []string{"192.0.2.7", "2001:db8::7"}})
			for _, algorithm := range []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"} {
				old, oldID := mintWith(t, p, api, "old", algorithm)
				next, nextID := mintWith(t, p, api, "new", algorithm)
				if !c.accepts(t, old) || !c.accepts(t, next) {
					t.Fatal("openssl must accept both")
				}
				if bytes.Equal(old.Field("private_key").Reveal(), next.Field("private_key").Reveal()) {
					t.Fatal("the key was used twice")
				}
				for range 2 {
					revoke(t, p, api, oldID)
				}
				if c.accepts(t, old) || !c.accepts(t, next) {
					t.Fatal("the old one must be dead, the new one alive")
				}
				if got := probe(t, p, api, certOnly(old)); got.Verdict != provider.Refused || got.Basis != lifecycle.Tested || got.Endpoint != "ca/ca.crl" {
					t.Errorf("%+v", got)
				}
				if n := strings.Count(c.crlText(t), strings.ToUpper(oldID)); n != 1 {
					t.Errorf("revoked twice, listed %d times", n)
				}
				file := filepath.Join(t.TempDir(), "pair.pem")
				write(t, file, next.Field("private_key").RevealString())
				fromKey := openssl(t, "pkey", "-in", file, "-pubout")
				write(t, file, next.Field("certificate").RevealString())
				if fromKey != openssl(t, "x509", "-in", file, "-noout", "-pubkey") {
					t.Error("certificate and key do not belong together")
				}
				text := openssl(t, "x509", "-in", file, "-noout", "-text")
				for _, want := range []string{"DNS:api.internal", "IP Address:192.0.2.7", "IP Address:2001:DB8:0:0:0:0:0:7", "CA:FALSE", "TLS Web Server Authentication, TLS Web Client Authentication"} {
					if !strings.Contains(text, want) {
						t.Errorf("no %s in the certificate", want)
					}
				}
				revoke(t, p, api, nextID)
			}
		})
	}
}

// TestAdoption: a certificate from before remint lives only in a store.
func TestAdoption(t *testing.T) {
	c := newCA(t)
	p, api := c.open(t, nil), credential("api.internal", nil)
	old := c.foreign(t, "api.internal")
	if got := probe(t, p, api, certOnly(old)); got.Verdict != provider.Accepted {
		t.Fatalf("before there is a list: %+v", got)
	}
	if obs := inspect(t, p, api); obs.Exists || obs.Enabled || !strings.Contains(strings.Join(obs.Notes, "\n"), "does not exist yet") {
		t.Errorf("%+v", obs)
	}
	if _, err := os.Stat(c.crl); !os.IsNotExist(err) {
		t.Error("looking made a revocation list")
	}
	id, err := p.(provider.Identifier).VersionOf(certOnly(old))
	if err != nil || id != "f0e1d2c3" {
		t.Fatal(id, err)
	}
	next, _ := mint(t, p, api, "l")
	if !c.accepts(t, old) || !c.accepts(t, next) {
		t.Fatal("both must live")
	}
	revoke(t, p, api, id)
	if c.accepts(t, old) || !c.accepts(t, next) {
		t.Fatal("only the new one must live")
	}
	if got := probe(t, p, api, old); got.Verdict != provider.Refused {
		t.Errorf("%+v", got)
	}
}

// TestKeepsAnExistingList: entries, reasons, number and format of a list made
// by somebody else.
func TestKeepsAnExistingList(t *testing.T) {
	c := newCA(t)
	dir := filepath.Dir(c.crl)
	write(t, filepath.Join(dir, "index.txt"), "R\t300101000000Z\t250101000000Z,keyCompromise\tBEEF01\tunknown\t/CN=x\n")
	write(t, filepath.Join(dir, "number"), "1F\n")
	write(t, filepath.Join(dir, "openssl.cnf"), fmt.Sprintf("[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ncrlnumber=%s/number\ndefault_md=sha256\n", dir, dir))
	pem := filepath.Join(dir, "pem.crl")
	openssl(t, "ca", "-config", filepath.Join(dir, "openssl.cnf"), "-gencrl", "-crldays", "1", "-keyfile", c.key, "-cert", c.cert, "-out", pem)
	openssl(t, "crl", "-in", pem, "-outform", "DER", "-out", c.crl)
	p, api := c.open(t, map[string]any{"crl_lifetime": time.Hour}), credential("api.internal", nil)
	_, id := mint(t, p, api, "l")
	revoke(t, p, api, id)
	text := c.crlText(t)
	for _, want := range []string{"BEEF01", "Jan  1 00:00:00 2025 GMT", "Key Compromise", strings.ToUpper(id), "X509v3 CRL Number: \n                32"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.HasPrefix(read(t, c.crl), "-----") {
		t.Error("the DER file became PEM")
	}
}

func TestStaleList(t *testing.T) {
	c := newCA(t)
	p, api := c.open(t, nil), credential("api.internal", nil)
	dead, id := mint(t, p, api, "dead")
	live, _ := mint(t, p, api, "live")
	revoke(t, p, api, id)
	c.ageList(t)
	stale := c.open(t, nil)
	if got := probe(t, stale, api, dead); got.Verdict != provider.Unclear {
		t.Errorf("revoked, on a stale list: %+v", got)
	}
	if got := probe(t, stale, api, live); got.Verdict != provider.Accepted || !strings.Contains(got.Detail, "expired") {
		t.Errorf("not revoked, and a stale list: %+v", got)
	}
	if got, err := stale.(provider.Controller).Control(t.Context(), api); err != nil || got.Verdict != provider.Unclear {
		t.Errorf("control at a stale list: %+v, %v", got, err)
	}
	if notes := strings.Join(inspect(t, stale, api).Notes, "\n"); !strings.Contains(notes, "refuses every certificate") {
		t.Error(notes)
	}
	revoke(t, stale, api, id) // revoking again makes the list fresh
	if got := probe(t, stale, api, dead); got.Verdict != provider.Refused || c.accepts(t, dead) || !c.accepts(t, live) {
		t.Errorf("%+v", got)
	}
}

// ageList replaces the list by one with the same entries that has expired.
func (c ca) ageList(t *testing.T) {
	t.Helper()
	var index strings.Builder
	for l := range strings.Lines(c.crlText(t)) {
		if _, id, ok := strings.Cut(l, "Serial Number: "); ok {
			index.WriteString("R\t300101000000Z\t250101000000Z\t" + strings.TrimSpace(id) + "\tunknown\t/CN=x\n")
		}
	}
	dir := filepath.Dir(c.crl)
	write(t, filepath.Join(dir, "index.txt"), index.String())
	write(t, filepath.Join(dir, "openssl.cnf"), fmt.Sprintf("[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ncrlnumber=%s/number\ndefault_md=sha256\n", dir, dir))
	write(t, filepath.Join(dir, "number"), "1F\n")
	openssl(t, "ca", "-config", filepath.Join(dir, "openssl.cnf"), "-gencrl", "-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20240102000000Z",
		"-keyfile", c.key, "-cert", c.cert, "-out", c.crl)
}

func TestProbeVerdicts(t *testing.T) {
	c, elsewhere := newCA(t), newCA(t)
	p, api := c.open(t, nil), credential("api.internal", nil)
	mine, _ := mint(t, p, api, "l")
	theirs, _ := mint(t, elsewhere.open(t, nil), api, "l")
	other, _ := mint(t, p, credential("other.internal", nil), "l")
	for name, tc := range map[string]struct {
		m    secret.Material
		want provider.Verdict
	}{
		"live":              {mine, provider.Accepted},
		"another issuer":    {theirs, provider.Refused},
		"another name":      {other, provider.Unclear},
		"key of another":    {mine.With("private_key", other.Field("private_key")), provider.Unclear},
		"garbage":           {secret.NewMaterial(map[string]secret.Value{"certificate": secret.FromString("canary-1c9e")}), provider.Unclear},
		"PEM garbage":       {secret.NewMaterial(map[string]secret.Value{"certificate": secret.FromString("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}), provider.Unclear},
		"nothing":           {secret.Material{}, provider.Unclear},
		"trailing newlines": {mine.With("certificate", secret.FromString("\n"+mine.Field("certificate").RevealString()+"\n\n")), provider.Accepted},
	} {
		if got := probe(t, p, api, tc.m); got.Verdict != tc.want || strings.Contains(got.Detail, "canary") {
			t.Errorf("%s: %+v, want %s", name, got, tc.want)
		}
	}
	if _, err := p.(provider.Identifier).VersionOf(theirs); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("a version of another authority: %v", err)
	}
	id, _ := p.(provider.Identifier).VersionOf(other)
	if _, err := p.(provider.Revoker).Revoke(t.Context(), provider.Mutation{Credential: api}, []string{id}); provider.ClassOf(err, "") != provider.Permanent || !c.accepts(t, other) {
		t.Errorf("revoking another credential's: %v", err)
	}
	write(t, c.crl, read(t, elsewhere.crl))
	if got := probe(t, p, api, mine); got.Verdict != provider.Unclear {
		t.Errorf("another authority's list: %+v", got)
	}
	before := read(t, c.crl)
	for name, change := range map[string]func() error{
		"Revoke": func() error {
			_, err := p.(provider.Revoker).Revoke(t.Context(), provider.Mutation{Credential: api}, nil)
			return err
		},
		"Mint": func() error {
			_, _, err := p.(provider.Minter).Mint(t.Context(), provider.Mutation{Credential: api}, provider.Attrs{})
			return err
		},
	} {
		if err := change(); provider.ClassOf(err, "") != provider.Permanent || read(t, c.crl) != before {
			t.Errorf("%s over another's list: %v", name, err)
		}
	}
}

func TestBadAuthorities(t *testing.T) {
	good := newCA(t)
	dir := t.TempDir()
	garbage, encrypted := filepath.Join(dir, "garbage"), filepath.Join(dir, "encrypted")
	write(t, garbage, "canary-55aa")
	openssl(t, "pkey", "-in", good.key, "-aes256", "-passout", "pass:x", "-out", encrypted)
	leaf := newCA(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-addext", "basicConstraints=critical,CA:FALSE")
	noSign := newCA(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-addext", "keyUsage=digitalSignature")
	expired := newCA(t)
	expired.selfSign(t, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour))
	narrow := newCA(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-addext", "nameConstraints=critical,permitted;DNS:example.com")
	for name, tc := range map[string]struct {
		c    ca
		want string
	}{
		"key of another":          {ca{good.cert, newCA(t).key, good.crl, good.index}, "does not belong"},
		"no certificate":          {ca{garbage, good.key, good.crl, good.index}, "no certificate in PEM"},
		"no key":                  {ca{good.cert, garbage, good.crl, good.index}, "no private key in PEM"},
		"encrypted key":           {ca{good.cert, encrypted, good.crl, good.index}, "encrypted"},
		"missing certificate":     {ca{filepath.Join(dir, "x"), good.key, good.crl, good.index}, "does not exist"},
		"not an authority":        {leaf, "not an authority's"},
		"may not sign":            {noSign, "may not sign"},
		"expired":                 {expired, "expired at"},
		"constrained to others":   {narrow, "name constraints"},
		"list is garbage":         {ca{good.cert, good.key, garbage, good.index}, "not a revocation list"},
		"list's folder is absent": {ca{good.cert, good.key, filepath.Join(dir, "no", "x"), good.index}, "make it first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := tc.c.open(t, nil).(provider.Minter).Mint(t.Context(), provider.Mutation{Credential: credential("api.internal", nil)}, provider.Attrs{})
			class := provider.ClassOf(err, provider.Ambiguous)
			if err == nil || class == provider.Ambiguous || class == provider.Transient || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v", class, err)
			}
		})
	}
	t.Run("an expired authority can still revoke", func(t *testing.T) {
		revoke(t, expired.open(t, nil), credential("api.internal", nil), "beef")
		if !strings.Contains(expired.crlText(t), "BEEF") {
			t.Error("not listed")
		}
	})
}

// selfSign replaces the authority's certificate by one of other dates.
func (c ca) selfSign(t *testing.T, from, until time.Time) {
	t.Helper()
	block, _ := pem.Decode([]byte(read(t, c.key)))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: from, NotAfter: until,
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.(crypto.Signer).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func TestNeverOutlivesTheAuthority(t *testing.T) {
	c := newCA(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "3")
	p, api := c.open(t, nil), credential("api.internal", nil)
	m, _ := mint(t, p, api, "l")
	file := filepath.Join(t.TempDir(), "c")
	write(t, file, m.Field("certificate").RevealString())
	if openssl(t, "x509", "-in", file, "-noout", "-enddate") != openssl(t, "x509", "-in", c.cert, "-noout", "-enddate") {
		t.Error("it ends otherwise than the authority")
	}
	if notes := strings.Join(inspect(t, p, api).Notes, "\n"); !strings.Contains(notes, "before its lifetime is over") {
		t.Error(notes)
	}
}

func TestIdentityOutlivesRenewal(t *testing.T) {
	c := newCA(t)
	p := c.open(t, nil)
	before, err := p.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	openssl(t, "req", "-x509", "-key", c.key, "-subj", "/O=Test/CN=Test CA", "-days", "99", "-out", c.cert)
	if after, err := p.Identity(t.Context()); err != nil || after != before || !strings.HasPrefix(after, "x509:") {
		t.Error(before, after, err)
	}
}
