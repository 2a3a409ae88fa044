package totp

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const key = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// memory is a state in a map.
type memory map[string][]byte

// Recall reads the map.
func (m memory) Recall(_ context.Context, k string) ([]byte, error) { return m[k], nil }

// Remember compares and writes.
func (m memory) Remember(_ context.Context, k string, old, next []byte) error {
	if !bytes.Equal(m[k], old) {
		return provider.ErrConflict
	}
	m[k] = next
	return nil
}

func opened(t *testing.T, secrets string) (provider.Verifier, error) {
	t.Helper()
	return Verifier().Open(t.Context(), provider.Block{Name: "app", Attrs: provider.NewAttrs(map[string]any{
		"secrets": secret.FromString(secrets), "digits": int64(6), "period": 30 * time.Second, "algorithm": "SHA1", "valid_for": time.Hour,
	})})
}

func code(t *testing.T, at time.Time) provider.Brought {
	t.Helper()
	c, err := totp.GenerateCode(key, at)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Brought{Code: secret.FromString(c[:3] + " " + c[3:])}
}

func TestCodes(t *testing.T) {
	v, err := opened(t, "# people\nCarol@example.com "+key+"\n\ndave "+strings.ToLower(key)+"====\n")
	if err != nil {
		t.Fatal(err)
	}
	m := memory{}
	ask := func(who string, at time.Time, b provider.Brought) string {
		got, err := v.Verify(t.Context(), provider.Asked{Identity: who, Now: at, Memory: m}, b)
		if err != nil {
			return err.Error()
		}
		if got.Identity != who || got.Strength != lifecycle.AAL1 || got.Factor != provider.SingleFactor || got.Bound || !got.Until.Equal(at.Add(time.Hour)) {
			t.Errorf("got %+v", got)
		}
		return ""
	}
	step := 30 * time.Second
	for _, tc := range []struct {
		what, who string
		at        time.Time
		b         provider.Brought
		want      string
	}{
		{"nothing", "dave", now, provider.Brought{}, provider.ErrNothing.Error()},
		{"a stranger", "erin", now, code(t, now), "it knows no erin"},
		{"too old", "dave", now, code(t, now.Add(-2*step)), "not a code of dave now"},
		{"too early", "dave", now, code(t, now.Add(2*step)), "not a code of dave now"},
		{"the one before", "carol@example.com", now, code(t, now.Add(-step)), ""},
		{"it again", "CAROL@example.com", now, code(t, now.Add(-step)), "used before"},
		{"the present one", "carol@example.com", now, code(t, now), ""},
		{"the one before, now", "carol@example.com", now, code(t, now.Add(-step)), "used before"},
		{"the next one", "carol@example.com", now, code(t, now.Add(step)), ""},
		{"the present one, then", "carol@example.com", now.Add(step), code(t, now.Add(step)), "used before"},
		{"another's are her own", "dave", now, code(t, now), ""},
	} {
		if got := ask(tc.who, tc.at, tc.b); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.what, got, tc.want)
		}
	}
}

func TestSecretsThatCannotBe(t *testing.T) {
	for _, bad := range []string{"carol", "carol JBSWY3DPEHPK3PXP", "carol 11111111111111111111111111111111", "a " + key + "\nA " + key} {
		if _, err := opened(t, bad); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%q gives %v", bad, err)
		}
	}
}
