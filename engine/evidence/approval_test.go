package evidence

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testApproval() Approval {
	return Approval{
		PlanID: "p1", PlanDigest: "sha256:" + strings.Repeat("ab", 32), PolicyDigest: "sha256:" + strings.Repeat("cd", 32),
		TrustDigest: "sha256:" + strings.Repeat("ef", 32), Targets: []string{"file:/srv/x <&>\u2028"}, Decision: Approve, Approver: "alice",
		CreatedAt: testTime, ExpiresAt: testTime.Add(24 * time.Hour), Nonce: "n1",
	}
}

func TestApproval(t *testing.T) {
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		alice, mallory := testSigner(t, alg), testSigner(t, alg)
		b, err := SignApproval(alice, testApproval())
		must(t, err)
		got, err := VerifyApproval(b, alice.Public())
		must(t, err)
		if diff := cmp.Diff(testApproval(), *got); diff != "" {
			t.Fatal(diff)
		}
		if _, err := VerifyApproval(b, mallory.Public()); !errors.Is(err, ErrKey) {
			t.Fatalf("another key: %v", err)
		}
		forged := bytes.Replace(b, []byte(alice.KeyID()), []byte(mallory.KeyID()), 1)
		if _, err := VerifyApproval(forged, mallory.Public()); !errors.Is(err, ErrSignature) {
			t.Fatalf("forged: %v", err)
		}
		unverified, err := ParseApproval(b)
		must(t, err)
		if unverified.KeyID != alice.KeyID() {
			t.Fatal("the key is not named")
		}
		line, err := alice.Sign(testStep("r1", "credential.htpasswd_user.a", "install.user", 1))
		must(t, err)
		if _, err := VerifyApproval(line, alice.Public()); err == nil {
			t.Fatal("a step passes for an approval")
		}
	}
}

func TestApprovalRefused(t *testing.T) {
	s := testSigner(t, Ed25519)
	for name, change := range map[string]func(*Approval){
		"decision": func(a *Approval) { a.Decision = "maybe" },
		"expiry":   func(a *Approval) { a.ExpiresAt = a.CreatedAt },
		"plan":     func(a *Approval) { a.PlanID = "" },
		"digest":   func(a *Approval) { a.PlanDigest = "sha256:xyz" },
	} {
		a := testApproval()
		change(&a)
		if _, err := SignApproval(s, a); err == nil {
			t.Errorf("%s: was signed", name)
		}
	}
}

func FuzzParseApproval(f *testing.F) {
	s := testSigner(f, Ed25519)
	b, err := SignApproval(s, testApproval())
	must(f, err)
	f.Add(b)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{},"verificationMaterial":{"publicKey":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := VerifyApproval(b, s.Public()); err == nil && a.Nonce != "n1" {
			t.Fatalf("a forged approval was accepted: %+v", a)
		}
	})
}
