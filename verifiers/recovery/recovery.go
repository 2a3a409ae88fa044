// Package recovery verifies people by saved recovery codes (SP 800-63B-4 §4.2.1.1):
// random, kept by the person, each good for one time. Only slow hashes of them are kept.
package recovery

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Verifier declares the verifier `recovery`.
func Verifier() provider.VerifierDefinition {
	return provider.VerifierDefinition{
		Name:  "recovery",
		Takes: provider.TakesCode,
		Once:  true,
		Description: "A recovery code that the person has kept for the day when all else is lost: 80 random bits, good for one time, kept here as a bcrypt hash. " +
			"`remint verify -new-codes=WHO` makes them. Worth aal1 alone, and aal2 together with one authenticator of the same person (SP 800-63B-4 §4.2.2.2). Guessing is throttled as with `totp`.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "codes", Type: provider.String, Required: true, Sensitive: true,
				Description: "A line for each code: whose it is, a space, and its hash, as `remint verify -new-codes=WHO` prints them; as in `file(\"recovery.codes\")`."},
			{Name: "valid_for", Type: provider.Duration, Default: time.Hour, Min: int64(time.Second), Max: int64(24 * time.Hour), Description: "How long the person counts as verified for the plan."},
		}},
		Open:    open,
		NewCode: newCode,
	}
}

type verifier struct {
	hashes   map[string][]string // by folded identity
	validFor time.Duration
}

// maxCodes bounds how many hashes one attempt may cost, and highestCost what each
// does: with both, an attempt takes some 5 s, and bcrypt's own highest would take days.
const (
	maxCodes    = 20
	highestCost = 12
)

func open(_ context.Context, b provider.Block) (provider.Verifier, error) {
	v := &verifier{hashes: map[string][]string{}, validFor: b.Attrs.Duration("valid_for")}
	for i, line := range strings.Split(b.Attrs.Secret("codes").RevealString(), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 2 {
			return nil, fmt.Errorf("line %d of codes must be: whose code it is, a space, its hash", i+1)
		}
		if cost, err := bcrypt.Cost([]byte(words[1])); err != nil || cost < hashCost || cost > highestCost {
			return nil, fmt.Errorf("the hash in line %d of codes must be bcrypt of a cost from %d to %d, as `remint verify -new-codes=WHO` makes it", i+1, hashCost, highestCost)
		}
		who := strings.ToLower(words[0])
		if v.hashes[who] = append(v.hashes[who], words[1]); len(v.hashes[who]) > maxCodes {
			return nil, fmt.Errorf("line %d of codes is one too many: nobody needs more than %d", i+1, maxCodes)
		}
	}
	return v, nil
}

// Verify takes a code that was not used before.
func (v *verifier) Verify(ctx context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
	var none provider.Verified
	if brought.Code.IsZero() {
		return none, provider.ErrNothing
	}
	code, ok := normal(brought.Code.RevealString())
	if !ok {
		return none, fmt.Errorf("this is no recovery code: it has %d letters and digits, in groups of four", codeLength)
	}
	hashes := v.hashes[strings.ToLower(asked.Identity)]
	if len(hashes) == 0 {
		return none, fmt.Errorf("it has no codes of %s: say with -as=WHO whose code it is", addrs.Visible(asked.Identity))
	}
	for _, h := range hashes {
		if bcrypt.CompareHashAndPassword([]byte(h), []byte(code)) != nil {
			continue
		}
		// The hash's name in the state is of the hash, not of the code.
		sum := sha256.Sum256([]byte(h))
		err := asked.Memory.Remember(ctx, "recovery/"+hex.EncodeToString(sum[:]), nil, []byte(asked.Now.UTC().Format(time.RFC3339)))
		switch {
		case errors.Is(err, provider.ErrConflict):
			return none, errors.New("this recovery code was used before, and counts once: use another, and strike this one out")
		case err != nil:
			return none, fmt.Errorf("the code could not be marked as used: %w", err)
		}
		return provider.Verified{
			Identity: asked.Identity, Strength: lifecycle.AAL1, Factor: provider.SavedRecoveryCode, Until: asked.Now.Add(v.validFor),
			Claims: map[string]string{"at": asked.Now.UTC().Format(time.RFC3339), "codes_declared": fmt.Sprint(len(hashes))},
		}, nil
	}
	return none, fmt.Errorf("this is no recovery code of %s: type it as it was handed out", addrs.Visible(asked.Identity))
}

// A code is Crockford's base32: sixteen characters of five bits are 80 bits, where
// SP 800-63B-4 wants 64.
const (
	alphabet   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength = 16
	hashCost   = 10
)

// normal undoes what people do to codes when they write them down.
func normal(text string) (string, bool) {
	s := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(strings.TrimSpace(text)))
	return s, len(s) == codeLength && strings.Trim(s, alphabet) == ""
}

// newCode makes a code for somebody, and the line that declares it.
func newCode(who string) (secret.Value, string, error) {
	b := make([]byte, codeLength)
	_, _ = rand.Read(b) // crypto/rand.Read never fails: it ends the program instead
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	hash, err := bcrypt.GenerateFromPassword(b, hashCost)
	if err != nil {
		return secret.Value{}, "", errors.New("the code cannot be hashed")
	}
	var groups []string
	for i := 0; i < codeLength; i += 4 {
		groups = append(groups, string(b[i:i+4]))
	}
	return secret.FromString(strings.Join(groups, "-")), who + " " + string(hash), nil
}
