package evidence

import (
	"crypto"
	"github.com/remint-dev/remint/engine/plan"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

func testSigner(t testing.TB, alg Algorithm) *Signer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evidence.pem")
	if err := GenerateSigner(path, alg); err != nil {
		t.Fatal(err)
	}
	s, err := LoadSigner(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func testCommon(run string, seq int) Common {
	return Common{
		Run: run, PlanID: "plan-" + run, PlanDigest: "sha256:" + strings.Repeat("ab", 32),
		WorkspaceDigest: "sha256:" + strings.Repeat("cd", 32), PolicyDigest: "sha256:" + strings.Repeat("ef", 32),
		TrustDigest: "sha256:" + strings.Repeat("01", 32), Trust: "self-asserted", Sequence: seq, Recorded: testTime, Program: "0.1.0",
	}
}

// testGates are decisions of the plan and of the approval policies.
func testGates(planned, approved string) []plan.Judgement {
	a, b := testJudged(planned)[0], testJudged(approved)[0]
	a.Stage, b.Stage = stagePlan, stageApproval
	a.Decisions = nil
	return []plan.Judgement{a, b}
}

// testJudged is a decision of the result policies.
func testJudged(result string) []plan.Judgement {
	j := plan.Judgement{ID: "d", Stage: stageResult, InputDigest: "sha256:0", PolicyDigest: testCommon("", 0).PolicyDigest, Result: result, AskedAt: testTime}
	if result == plan.Denied {
		j.Decisions = []plan.Decision{{Source: "house", Rule: "no", Level: plan.Deny}}
	}
	return []plan.Judgement{j}
}

func testStep(run, address, step string, seq int) Step {
	return Step{
		Common: testCommon(run, seq), Address: address, CredentialType: "htpasswd_user", Target: "file:/srv/site.htpasswd",
		Step: step, Phase: step[:strings.IndexByte(step, '.')], Outcome: "done", Attempts: 1, StartedAt: testTime, FinishedAt: testTime,
		Facts:  map[string]string{"version": "v2", "sessions_ended": "0"},
		Probes: []Probe{{Subject: "old", Verdict: "refused", Basis: "password", Endpoint: "file", At: testTime}},
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			s := testSigner(b, alg)
			step := testStep("r1", "credential.htpasswd_user.a", "install.user", 3)
			for b.Loop() {
				if _, err := s.Sign(step); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func sigstoreVerifier(t testing.TB, keys map[string]crypto.PublicKey) (*verify.Verifier, root.TrustedMaterial) {
	t.Helper()
	m := map[string]*root.ExpiringKey{}
	for hint, k := range keys {
		v, err := signature.LoadVerifier(k, crypto.SHA256)
		must(t, err)
		m[hint] = root.NewExpiringKey(v, time.Time{}, time.Time{})
	}
	material := root.NewTrustedPublicKeyMaterialFromMapping(m)
	v, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	must(t, err)
	return v, material
}

// sigstoreAccepts is a whole verification by sigstore-go.
func sigstoreAccepts(v *verify.Verifier, line []byte) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(line); err != nil {
		return err
	}
	_, err := v.Verify(&b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithKey()))
	return err
}

// sigstoreSignature is sigstore-go's check of the signature alone.
func sigstoreSignature(material root.TrustedMaterial, line []byte) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(line); err != nil {
		return err
	}
	content, err := b.SignatureContent()
	if err != nil {
		return err
	}
	key, err := b.VerificationContent()
	if err != nil {
		return err
	}
	return verify.VerifySignature(content, key, material)
}

func BenchmarkSigstoreVerify(b *testing.B) {
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			s := testSigner(b, alg)
			line, err := s.Sign(testStep("r1", "credential.htpasswd_user.a", "install.user", 3))
			if err != nil {
				b.Fatal(err)
			}
			v, _ := sigstoreVerifier(b, map[string]crypto.PublicKey{s.KeyID(): s.Public()})
			for b.Loop() {
				if err := sigstoreAccepts(v, line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
