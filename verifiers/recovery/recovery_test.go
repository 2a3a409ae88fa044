package recovery

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

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

func opened(t testing.TB, codes string) (provider.Verifier, error) {
	t.Helper()
	return Verifier().Open(t.Context(), provider.Block{Name: "saved", Attrs: provider.NewAttrs(map[string]any{"codes": secret.FromString(codes), "valid_for": time.Hour})})
}

func TestCodes(t *testing.T) {
	code, line, err := Verifier().NewCode("Carol@example.com")
	if err != nil {
		t.Fatal(err)
	}
	plain := code.RevealString()
	if len(plain) != codeLength+3 || strings.Contains(line, plain) || !strings.HasPrefix(line, "Carol@example.com $2a$") {
		t.Errorf("the code has %d characters, its line %d", len(plain), len(line))
	}
	v, err := opened(t, "# codes\n"+line+"\n")
	if err != nil {
		t.Fatal(err)
	}
	m := memory{}
	ask := func(who, text string) string {
		b := provider.Brought{}
		if text != "" {
			b.Code = secret.FromString(text)
		}
		got, err := v.Verify(t.Context(), provider.Asked{Identity: who, Now: now, Memory: m}, b)
		if err != nil {
			return err.Error()
		}
		if got.Identity != who || got.Strength != lifecycle.AAL1 || got.Factor != provider.SavedRecoveryCode || got.Bound {
			t.Errorf("got %+v", got)
		}
		return ""
	}
	written := strings.ToLower(strings.ReplaceAll(strings.NewReplacer("0", "O", "1", "l").Replace(plain), "-", " "))
	for _, tc := range []struct{ what, who, text, want string }{
		{"nothing", "carol@example.com", "", provider.ErrNothing.Error()},
		{"too short", "carol@example.com", plain[:15], "no recovery code: it has 16"},
		{"a stranger", "dave", plain, "no codes of dave"},
		{"a wrong one", "carol@example.com", "0000-0000-0000-0000", "no recovery code of carol@example.com"},
		{"as people write it", "carol@example.com", written, ""},
		{"it again", "carol@example.com", plain, "used before, and counts once"},
	} {
		if got := ask(tc.who, tc.text); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.what, got, tc.want)
		}
	}
}

func TestLinesThatCannotBe(t *testing.T) {
	weak, err := bcrypt.GenerateFromPassword([]byte("0000000000000000"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := bcrypt.GenerateFromPassword([]byte("0000000000000000"), hashCost)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"carol", "carol 0000", "carol " + string(weak), "carol " + strings.Replace(string(strong), "$10$", "$31$", 1), strings.Repeat("carol "+string(strong)+"\n", maxCodes+1)} {
		if _, err := opened(t, bad); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}
