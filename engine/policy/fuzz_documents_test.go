package policy

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadInput: whatever is brought as a policy input, it is refused, or is the same
// when it is written and read again.
func FuzzReadInput(f *testing.F) {
	for _, stage := range []string{"plan", "approval", "result"} {
		raw, err := os.ReadFile("../../schemas/examples/policy-input-" + stage + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"version": "1.0", "stage": "remint.approval", "reason": "scheduled", "mode": "cutover", "now": "2026-12-24T00:00:00Z", "resets": [{"address": "a"}]}`))
	f.Add([]byte(`{"version":"1.0","version":"2.0","resets":null}`))
	f.Add([]byte(`[1e999]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := ReadInput(raw)
		if err != nil {
			return
		}
		first, err := in.Document()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadInput(first)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		second, err := again.Document()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(first), string(second)); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzRevision: revisions have one order, whoever is asked first; none equals one that
// is written otherwise, unless both are times.
func FuzzRevision(f *testing.F) {
	for _, s := range []string{"42", "042", "-1", "9223372036854775808", "2026-11-29T23:00:00Z", "2026-11-29T23:00:00+01:00", "0001-01-01T00:00:00Z", "", "a1b2"} {
		f.Add(s, "7")
		f.Add("2026-11-29T22:00:00Z", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		there, err := CompareRevisions(a, b)
		back, err2 := CompareRevisions(b, a)
		if (err == nil) != (err2 == nil) || err == nil && there != -back {
			t.Errorf("%q and %q: %d (%v), the other way %d (%v)", a, b, there, err, back, err2)
		}
		if err == nil && (CheckRevision(a) != nil || CheckRevision(b) != nil) {
			t.Errorf("%q and %q are compared, and refused", a, b)
		}
		if r, perr := parseRevision(a); err == nil && perr == nil && there == 0 && r.at.IsZero() && a != b {
			t.Errorf("%q equals %q", a, b)
		}
	})
}
