// Package totp verifies people by the codes that an authenticator app shows
// (RFC 6238). A code counts once, and so does every code older than one that did.
package totp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Verifier declares the verifier `totp`.
func Verifier() provider.VerifierDefinition {
	return provider.VerifierDefinition{
		Name:  "totp",
		Takes: provider.TakesCode,
		Once:  true,
		Description: "A code of an authenticator app (RFC 6238). It is typed when asked, or read from a file: never from the command line. " +
			"It counts once; after five failures in a row the next attempt has to wait, and after a hundred the person is locked. Worth aal1.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "secrets", Type: provider.String, Required: true, Sensitive: true,
				Description: "A line for each person: who she is, a space, and her secret in base32 (at least 128 bits), as the app got it. A sensitive variable, or `file(…)`."},
			{Name: "digits", Type: provider.Int, Default: int64(6), Min: 6, Max: 8, Description: "How long a code is."},
			{Name: "period", Type: provider.Duration, Default: 30 * time.Second, Min: int64(15 * time.Second), Max: int64(2 * time.Minute), Description: "How long a code is shown. The one before it and the one after it are taken too."},
			{Name: "algorithm", Type: provider.String, Default: "SHA1", OneOf: []string{"SHA1", "SHA256", "SHA512"}, Description: "What the app computes it with."},
			{Name: "valid_for", Type: provider.Duration, Default: time.Hour, Min: int64(time.Second), Max: int64(24 * time.Hour), Description: "How long the person counts as verified for the plan."},
		}},
		Open: open,
	}
}

type verifier struct {
	name     string
	secrets  map[string]string // folded identity to base32
	digits   otp.Digits
	period   time.Duration
	hash     otp.Algorithm
	validFor time.Duration
}

// minSecret is 128 bits in base32 (RFC 4226 §4).
const minSecret = 26

func open(_ context.Context, b provider.Block) (provider.Verifier, error) {
	v := &verifier{
		name: b.Name, secrets: map[string]string{}, digits: otp.Digits(b.Attrs.Int("digits")), period: b.Attrs.Duration("period"),
		hash:     map[string]otp.Algorithm{"SHA1": otp.AlgorithmSHA1, "SHA256": otp.AlgorithmSHA256, "SHA512": otp.AlgorithmSHA512}[b.Attrs.String("algorithm")],
		validFor: b.Attrs.Duration("valid_for"),
	}
	for i, line := range strings.Split(b.Attrs.Secret("secrets").RevealString(), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("line %d of secrets must be: who she is, a space, her secret in base32", i+1)
		}
		key := strings.TrimRight(strings.ToUpper(strings.Join(words[1:], "")), "=")
		if len(key) < minSecret || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			return nil, fmt.Errorf("the secret in line %d of secrets must be base32 of at least 128 bits", i+1)
		}
		who := strings.ToLower(words[0])
		if _, twice := v.secrets[who]; twice {
			return nil, fmt.Errorf("line %d of secrets names somebody for the second time", i+1)
		}
		v.secrets[who] = key
	}
	return v, nil
}

// Verify takes a code that is newer than every one taken before.
func (v *verifier) Verify(ctx context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
	var none provider.Verified
	if brought.Code.IsZero() {
		return none, provider.ErrNothing
	}
	wrong := fmt.Errorf("this is not a code of %s now: wait for the next one, and see that the clocks of both devices are right", addrs.Visible(asked.Identity))
	key, known := v.secrets[strings.ToLower(asked.Identity)]
	code := strings.ReplaceAll(brought.Code.RevealString(), " ", "")
	if !known {
		return none, fmt.Errorf("it knows no %s: say with -as=WHO whose code it is", addrs.Visible(asked.Identity))
	}
	step, ok := v.step(code, key, asked.Now)
	if !ok {
		return none, wrong
	}
	memory := "totp/" + v.name + "/" + strings.ToLower(asked.Identity)
	old, err := asked.Memory.Recall(ctx, memory)
	if err != nil {
		return none, fmt.Errorf("the state could not say which codes were used: %w", err)
	}
	used := errors.New("this code, or a later one, was used before, and a code counts once: wait for the next one")
	if old != nil {
		last, err := strconv.ParseInt(string(old), 10, 64)
		if err != nil || step <= last {
			return none, used
		}
	}
	switch err := asked.Memory.Remember(ctx, memory, old, strconv.AppendInt(nil, step, 10)); {
	case errors.Is(err, provider.ErrConflict):
		return none, used
	case err != nil:
		return none, fmt.Errorf("the code could not be marked as used: %w", err)
	}
	return provider.Verified{
		Identity: asked.Identity, Strength: lifecycle.AAL1, Factor: provider.SingleFactor, Until: asked.Now.Add(v.validFor),
		Claims: map[string]string{"at": asked.Now.UTC().Format(time.RFC3339)},
	}, nil
}

// step finds the time step that a code is of: the present one, or one beside it.
func (v *verifier) step(code, key string, now time.Time) (int64, bool) {
	present := now.Unix() / int64(v.period/time.Second)
	for _, step := range []int64{present, present - 1, present + 1} {
		ok, err := hotp.ValidateCustom(code, uint64(step), key, hotp.ValidateOpts{Digits: v.digits, Algorithm: v.hash})
		if err == nil && ok {
			return step, true
		}
	}
	return 0, false
}
