package webauthn

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/softkey"
)

const (
	rp     = "login.example.com"
	origin = "https://login.example.com"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// memory is a state in memory.
type memory map[string][]byte

// Recall reads the map.
func (m memory) Recall(_ context.Context, key string) ([]byte, error) { return m[key], nil }

// Remember compares and writes.
func (m memory) Remember(_ context.Context, key string, old, next []byte) error {
	if !bytes.Equal(m[key], old) {
		return provider.ErrConflict
	}
	m[key] = next
	return nil
}

func open1(t testing.TB, hardware bool) (*softkey.Key, *verifier) {
	t.Helper()
	k, err := softkey.New(rp, origin)
	if err != nil {
		t.Fatal(err)
	}
	d, err := k.Declaration("alice@example.com", hardware)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal([]any{d})
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verifier().Open(t.Context(), provider.Block{Name: "w", Attrs: provider.NewAttrs(map[string]any{
		"rp_id": rp, "origins": []string{origin}, "credentials": string(list), "valid_for": time.Hour,
	})})
	if err != nil {
		t.Fatal(err)
	}
	return k, v.(*verifier)
}

func asked(plan string, m memory) provider.Asked {
	return provider.Asked{PlanID: plan, PlanDigest: "sha256:x", Now: now, Memory: m}
}

func answer(t testing.TB, k *softkey.Key, challenge string) provider.Brought {
	t.Helper()
	b, err := k.Answer(challenge)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Brought{Document: b}
}

func TestWhatAnAssertionIsWorth(t *testing.T) {
	for name, tc := range map[string]struct {
		verified, copyable, hardware bool
		want                         lifecycle.Strength
	}{
		"a touch":                      {false, false, true, lifecycle.AAL1},
		"a PIN":                        {true, false, false, lifecycle.AAL2},
		"a PIN, and hardware":          {true, false, true, lifecycle.AAL3},
		"a synced passkey, said to be": {true, true, true, lifecycle.AAL2},
	} {
		t.Run(name, func(t *testing.T) {
			k, v := open1(t, tc.hardware)
			k.Verified, k.Copyable = tc.verified, tc.copyable
			q := asked("p", memory{})
			got, err := v.Verify(t.Context(), q, answer(t, k, v.Challenge(q)["challenge"].(string)))
			if err != nil || got.Strength != tc.want || got.Identity != "alice@example.com" || !got.Bound || !got.Until.Equal(now.Add(time.Hour)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestAssertionsThatDoNotHold(t *testing.T) {
	later := asked("p", nil)
	later.Now = now.Add(2 * time.Hour)
	about := asked("p", nil)
	about.Address = "credential.x.y"
	for name, tc := range map[string]struct {
		change    func(*softkey.Key)
		challenge string
		spoil     string
		want      string
	}{
		"another plan":           {challenge: challenge(asked("other", nil), now), want: "another challenge"},
		"a subject's":            {challenge: challenge(about, now), want: "another challenge"},
		"without a time":         {challenge: b64(asked("p", nil).Challenge()), want: "another challenge"},
		"from the future":        {challenge: challenge(later, later.Now), want: "dated in the future"},
		"another origin":         {change: func(k *softkey.Key) { k.Origin = "https://login.example.com.evil.test" }, want: "somebody may be fishing"},
		"another relying party":  {change: func(k *softkey.Key) { k.RP = "evil.test" }, want: "another relying party than login.example.com"},
		"a registration":         {change: func(k *softkey.Key) { k.Type = "webauthn.create" }, want: "not made by navigator.credentials.get"},
		"nobody touched it":      {change: func(k *softkey.Key) { k.Present = false }, want: "nobody touched the key"},
		"a changed signature":    {spoil: "signature", want: "not signed by the key that is declared for alice@example.com"},
		"changed data":           {spoil: "authenticatorData", want: "not signed by the key"},
		"no assertion":           {spoil: "all", want: "this is no assertion"},
		"somebody else's key":    {spoil: "key", want: "a key that is not declared"},
		"another key, same name": {spoil: "private", want: "not signed by the key"},
	} {
		t.Run(name, func(t *testing.T) {
			k, v := open1(t, true)
			q := asked("p", memory{})
			if tc.change != nil {
				tc.change(k)
			}
			if tc.challenge == "" {
				tc.challenge = challenge(q, now)
			}
			b := answer(t, k, tc.challenge)
			switch tc.spoil {
			case "signature", "authenticatorData":
				var doc map[string]any
				if err := json.Unmarshal(b.Document, &doc); err != nil {
					t.Fatal(err)
				}
				response := doc["response"].(map[string]any)
				s := []byte(response[tc.spoil].(string))
				if at := len(s) - 6; s[at] == 'A' {
					s[at] = 'B'
				} else {
					s[at] = 'A'
				}
				response[tc.spoil] = string(s)
				b.Document, _ = json.Marshal(doc)
			case "all":
				b.Document = []byte(`{"id":"x"}`)
			case "key":
				other, _ := open1(t, true)
				b = answer(t, other, tc.challenge)
			case "private":
				other, w := open1(t, true)
				w.credentials[0].id = v.credentials[0].id
				_ = other
				v = w
			}
			_, err := v.Verify(t.Context(), q, b)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if len(q.Memory.(memory)) > 0 {
				t.Error("something was remembered")
			}
		})
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestACopiedKeyIsNoticed(t *testing.T) {
	k, v := open1(t, true)
	m := memory{}
	one, two := asked("one", m), asked("two", m)
	two.Now = now.Add(time.Minute)
	copied := *k
	first := answer(t, k, challenge(one, one.Now))
	second := answer(t, k, challenge(two, two.Now))
	// They are judged in another order than they were made in, and more than once.
	for range 2 {
		for q, b := range map[*provider.Asked]provider.Brought{&two: second, &one: first} {
			if _, err := v.Verify(t.Context(), *q, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	three := asked("three", m)
	three.Now = now.Add(2 * time.Minute)
	if _, err := v.Verify(t.Context(), three, answer(t, &copied, challenge(three, three.Now))); err == nil || !strings.Contains(err.Error(), "there may be a copy of the key") {
		t.Errorf("a copy gives %v", err)
	}
	if _, err := v.Verify(t.Context(), three, answer(t, k, challenge(three, three.Now))); err != nil {
		t.Errorf("the key itself gives %v", err)
	}
	// A key that does not count is taken as it is.
	k, v = open1(t, true)
	for i, q := range []provider.Asked{one, two, three} {
		k.Counter = 0
		if _, err := v.Verify(t.Context(), q, answer(t, k, challenge(q, q.Now))); err != nil {
			t.Errorf("assertion %d: %v", i, err)
		}
	}
}

func TestDeclarations(t *testing.T) {
	for _, bad := range []string{"", "{}", "null", "[] []", `[{"identity":"a","id":"","public_key":"x"}]`, `[{"identity":"a","id":"AA","public_key":"AA"}]`, `[{"id":"AA"}]`, `[{"identity":"a","key":1}]`} {
		if checkCredentials(bad) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	for _, bad := range []string{"login.example.com", "http://login.example.com", "https://login.example.com/", ""} {
		if checkOrigins([]string{bad}) == nil {
			t.Errorf("the origin %q was taken", bad)
		}
	}
	for _, bad := range []string{"", "https://x", "a b", "a:1"} {
		if checkHost(bad) == nil {
			t.Errorf("the domain %q was taken", bad)
		}
	}
}

// A modulus of megabytes is no key: one signature would take minutes to check.
func TestKeysThatCostTooMuch(t *testing.T) {
	for bits, taken := range map[uint]bool{1024: false, 2048: true, 8192: true, 8200: false, 1 << 20: false} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
		if err != nil {
			t.Fatal(err)
		}
		list, err := json.Marshal([]any{map[string]any{"identity": "a", "id": "AA", "public_key": base64.RawURLEncoding.EncodeToString(der)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseCredentials(string(list)); (err == nil) != taken {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}
