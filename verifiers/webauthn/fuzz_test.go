package webauthn

import (
	"encoding/json"
	"testing"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// FuzzAssertion: whatever is brought as an assertion, it counts only as what the key
// signed over this plan's challenge.
func FuzzAssertion(f *testing.F) {
	k, v := open1(f, false)
	q := asked("p", memory{})
	good := answer(f, k, v.Challenge(q)["challenge"].(string)).Document
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(answer(f, k, challenge(asked("other", nil), now)).Document)
	k.Present = false
	f.Add(answer(f, k, v.Challenge(q)["challenge"].(string)).Document)
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, document []byte) {
		q := asked("p", memory{})
		got, err := v.Verify(t.Context(), q, provider.Brought{Document: document})
		switch {
		case err != nil && err.Error() == "":
			t.Error("a refusal without a reason")
		case err == nil && (got.Identity != "alice@example.com" || got.Strength != lifecycle.AAL2 || !got.Bound || got.Claims["origin"] != origin):
			t.Errorf("counts as %+v", got)
		}
	})
}

// FuzzCredentials: whatever is declared as keys, each that is taken is somebody's, has
// an id of its own, and a signature can be checked by it.
func FuzzCredentials(f *testing.F) {
	k, _ := open1(f, true)
	d, err := k.Declaration("alice@example.com", true)
	if err != nil {
		f.Fatal(err)
	}
	list, err := json.Marshal([]any{d})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(list), `[]`, `null`, `{}`, `[{}]`, `[{"identity":"a","id":"AA","public_key":"AA"}]`, string(list[:len(list)-1]) + "," + string(list[1:]), string(list) + "[]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseCredentials(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, c := range found {
			if c.Identity == "" || len(c.id) == 0 || c.key == nil || seen[string(c.id)] {
				t.Errorf("taken: %+v", c)
			}
			seen[string(c.id)] = true
			if signed(c.key, []byte("data"), []byte("no signature")) {
				t.Error("a key that anything is signed with")
			}
		}
	})
}
