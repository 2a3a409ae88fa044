package key

import (
	"testing"

	"github.com/remint-dev/remint/engine/provider"
)

// FuzzStatement: whatever is brought as a statement, and whatever is declared as a key,
// it counts only where that key signed a statement about this plan.
func FuzzStatement(f *testing.F) {
	private, public := pair(f, "ed25519")
	_, other := pair(f, "p256")
	v := opened(f, public, "aal1")
	q := provider.Asked{PlanID: "p", PlanDigest: "d", Now: now}
	good, err := v.Prove(q, private)
	if err != nil {
		f.Fatal(err)
	}
	elsewhere, err := v.Prove(provider.Asked{PlanID: "q", PlanDigest: "d", Now: now}, private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(public, good.Document)
	f.Add(other, good.Document)
	f.Add(public, elsewhere.Document)
	f.Add(public+other, []byte("a.b.c"))
	f.Add("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", []byte("eyJhbGciOiJub25lIn0.e30."))
	f.Fuzz(func(t *testing.T, declared string, document []byte) {
		key, err := parsePublic(declared)
		if (key == nil) == (err == nil) {
			t.Fatalf("a key and a fault, or neither: %v", err)
		}
		if err != nil {
			return
		}
		w := &verifier{identity: v.identity, public: key, strength: v.strength, factor: v.factor, validFor: v.validFor}
		got, err := w.Verify(t.Context(), q, provider.Brought{Document: document})
		if err == nil && (fingerprint(key) != fingerprint(v.public) || !got.Bound || !got.Until.Equal(now.Add(v.validFor))) {
			t.Errorf("counts as %+v", got)
		}
	})
}
