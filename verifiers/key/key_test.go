package key

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// pair is a key in PEM.
func pair(t testing.TB, kind string) (private secret.Value, public string) {
	t.Helper()
	var der, pub []byte
	var err error
	switch kind {
	case "ed25519":
		p, k, e := ed25519.GenerateKey(rand.Reader)
		if e != nil {
			t.Fatal(e)
		}
		der, _ = x509.MarshalPKCS8PrivateKey(k)
		pub, err = x509.MarshalPKIXPublicKey(p)
	case "p256":
		k, e := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if e != nil {
			t.Fatal(e)
		}
		der, _ = x509.MarshalPKCS8PrivateKey(k)
		pub, err = x509.MarshalPKIXPublicKey(k.Public())
	case "rsa":
		k, e := rsa.GenerateKey(rand.Reader, 2048)
		if e != nil {
			t.Fatal(e)
		}
		der, _ = x509.MarshalPKCS8PrivateKey(k)
		pub, err = x509.MarshalPKIXPublicKey(k.Public())
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))
}

func opened(t testing.TB, public, strength string) *verifier {
	t.Helper()
	v, err := Verifier().Open(t.Context(), provider.Block{Name: "k", Attrs: provider.NewAttrs(map[string]any{
		"identity": "carol@example.com", "public_key": public, "strength": strength, "valid_for": time.Hour,
	})})
	if err != nil {
		t.Fatal(err)
	}
	return v.(*verifier)
}

func TestAStatementHolds(t *testing.T) {
	for _, kind := range []string{"ed25519", "p256"} {
		for _, strength := range []lifecycle.Strength{lifecycle.AAL1, lifecycle.AAL2} {
			private, public := pair(t, kind)
			v := opened(t, public, string(strength))
			q := provider.Asked{PlanID: "p", PlanDigest: "d", Now: now}
			b, err := v.Prove(q, private)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Verify(t.Context(), q, b)
			if err != nil || got.Identity != "carol@example.com" || got.Strength != strength || !got.Bound || !got.Until.Equal(now.Add(time.Hour)) || (got.Factor == provider.MultiFactor) != (strength == lifecycle.AAL2) {
				t.Errorf("%s: %+v, %v", kind, got, err)
			}
		}
	}
}

func TestStatementsThatDoNotHold(t *testing.T) {
	private, public := pair(t, "ed25519")
	v := opened(t, public, "aal1")
	q := provider.Asked{PlanID: "p", PlanDigest: "d", Now: now}
	good, err := v.Prove(q, private)
	if err != nil {
		t.Fatal(err)
	}
	other, subject, digest, early := q, q, q, q
	other.PlanID, subject.Address, digest.PlanDigest, early.Now = "other", "credential.x.y", "e", now.Add(-time.Hour)
	text := string(good.Document)
	stranger, _ := pair(t, "ed25519")
	foreign, err := v.Prove(q, stranger)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		asked    provider.Asked
		document string
		want     string
	}{
		"another plan":      {other, text, "about another plan"},
		"another digest":    {digest, text, "about another plan"},
		"a subject":         {subject, text, "about another plan"},
		"from the future":   {early, text, "dated in the future"},
		"another key":       {q, string(foreign.Document), "another key than that of carol@example.com"},
		"a changed one":     {q, text[:len(text)-8] + "AAAAAAA" + text[len(text)-1:], "another key than that of carol@example.com, or was changed"},
		"no statement":      {q, "hello", "no statement as"},
		"an unsigned one":   {q, "eyJhbGciOiJub25lIn0." + strings.Split(text, ".")[1] + ".", "no statement as"},
		"of another type":   {q, "eyJhbGciOiJFZERTQSJ9." + strings.SplitN(text, ".", 2)[1], "no statement as"},
		"an empty document": {q, "", provider.ErrNothing.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Verify(t.Context(), tc.asked, provider.Brought{Document: []byte(tc.document)}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	private, public := pair(t, "rsa")
	if checkPublic(public) == nil || checkPublic("x") == nil || checkPublic(private.RevealString()) == nil {
		t.Error("a key of another kind was taken")
	}
	_, good := pair(t, "ed25519")
	v := opened(t, good, "aal1")
	for _, bad := range []secret.Value{private, secret.FromString("x"), secret.FromString("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")} {
		if _, err := v.Prove(provider.Asked{Now: now}, bad); err == nil {
			t.Error("such a key signed")
		}
	}
}
