package evidence

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// FuzzWordsOfPeople: whatever is brought as what somebody signed, it counts only as
// exactly what she signed, and only as what it is: an override is no break-glass.
func FuzzWordsOfPeople(f *testing.F) {
	s := testSigner(f, Ed25519)
	a := testApproval()
	bound := Binding{PlanID: a.PlanID, PlanDigest: a.PlanDigest, PolicyDigest: a.PolicyDigest, TrustDigest: a.TrustDigest, Targets: a.Targets, CreatedAt: a.CreatedAt, ExpiresAt: a.ExpiresAt, Nonce: a.Nonce}
	override, err := SignOverride(s, Override{Binding: bound, Approver: "alice", Reason: "r", Ticket: "t",
		Denials: []Denial{{Stage: stagePlan, Source: "house", Rule: "no", Address: "a"}}})
	must(f, err)
	glass, err := SignBreakGlass(s, BreakGlass{Binding: bound, Member: "alice", Reason: "r"})
	must(f, err)
	review, err := SignReview(s, Review{Run: "r1", PlanID: a.PlanID, PlanDigest: a.PlanDigest, Reviewer: "alice", Comment: "c", CreatedAt: testTime, Nonce: "n1"})
	must(f, err)
	for _, seed := range [][]byte{override, glass, review, override[:len(override)/2], []byte(`{}`), bytes.Replace(glass, []byte(`"dsseEnvelope"`), []byte(`"dsseEnvelope":{},"dsseEnvelope"`), 1)} {
		f.Add(seed)
	}
	signed := map[string]kind{string(override): anOverride(), string(glass): aBreakGlass(), string(review): aReview()}
	said := func(k kind, b []byte) any {
		var v any
		switch k.predicateType {
		case OverrideType:
			if o, err := VerifyOverride(b, s.Public()); err == nil {
				v = o
			}
		case BreakGlassType:
			if g, err := VerifyBreakGlass(b, s.Public()); err == nil {
				v = g
			}
		case ReviewType:
			if r, err := verifyStatementOf[Review](k, b, s.Public()); err == nil {
				v = r
			}
		}
		return v
	}
	words := map[string]string{}
	for doc, k := range signed {
		text, err := json.Marshal(said(k, []byte(doc)))
		must(f, err)
		if string(text) == "null" {
			f.Fatalf("%s does not verify", k.name)
		}
		words[k.predicateType] = string(text)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []kind{anOverride(), aBreakGlass(), aReview()} {
			v := said(k, b)
			if v == nil {
				continue
			}
			if text, err := json.Marshal(v); err != nil || string(text) != words[k.predicateType] {
				t.Errorf("%s counts that nobody signed: %s, %v", k.name, text, err)
			}
		}
		_, _ = ParseOverride(b)
		_, _ = ParseBreakGlass(b)
	})
}

// FuzzParseAuthority: whatever a trusted root is, it is refused, or names who certifies
// and who says when, and then no document is believed that it did not certify.
func FuzzParseAuthority(f *testing.F) {
	s := testSigner(f, Ed25519)
	signed, err := SignApproval(s, testApproval())
	must(f, err)
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, nil, nil, nil, nil)
	must(f, err)
	empty, err := trusted.MarshalJSON()
	must(f, err)
	f.Add(empty)
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","certificateAuthorities":[{"subject":{"organization":"x"},"uri":"https://x","certChain":{"certificates":[{"rawBytes":"AAAA"}]},"validFor":{"start":"2026-01-01T00:00:00Z"}}],"timestampAuthorities":[{}],"tlogs":[{"baseUrl":"x","hashAlgorithm":"SHA2_256","publicKey":{"rawBytes":"AAAA","keyDetails":"PKIX_ECDSA_P256_SHA_256"},"logId":{"keyId":"AAAA"}}]}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","certificateAuthorities":[null],"ctlogs":[{}],"tlogs":[null]}`))
	f.Add([]byte(`null`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := ParseAuthority(text)
		if (a == nil) == (err == nil) {
			t.Fatalf("an authority and an error, or neither: %v", err)
		}
		if a == nil {
			return
		}
		if len(a.material.FulcioCertificateAuthorities()) == 0 || len(a.material.TimestampingAuthorities())+len(a.material.RekorLogs()) == 0 {
			t.Error("an authority without one who certifies or says when")
		}
		if id, err := a.Identify(ApprovalType, signed); err == nil {
			t.Errorf("a key counts as the certificate of %v", id)
		}
	})
}
