package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// The bounds on guessing (SP 800-63B-4 §3.2.2 allows 100 failures in a row).
const (
	freeFailures = 5
	maxFailures  = 100
	firstWait    = 30 * time.Second
	longestWait  = time.Hour
)

// guesses counts failures in a row.
type guesses struct {
	Failures int       `json:"failures"`
	Last     time.Time `json:"last"`
}

// wait is how long the next attempt has to wait after the last one.
func (g guesses) wait() time.Duration {
	if g.Failures < freeFailures {
		return 0
	}
	return min(longestWait, firstWait<<min(g.Failures-freeFailures, 10))
}

// throttled counts an attempt as failed before it is made, and forgives it when it
// succeeds: who kills the program in between has spent it.
func (c *Checker) throttled(verifier string, v provider.Verifier) func(context.Context, provider.Asked, provider.Brought) (provider.Verified, error) {
	return func(ctx context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
		// Verifiers look people up without regard to case: another spelling is no new person to guess for.
		key := "guesses/" + verifier + "/" + strings.ToLower(asked.Identity)
		old, err := c.Memory.Recall(ctx, key)
		if err != nil {
			return provider.Verified{}, err
		}
		var g guesses
		if old != nil && json.Unmarshal(old, &g) != nil {
			return provider.Verified{}, errors.New("what the state remembers of earlier attempts is damaged: verify in another way")
		}
		switch next := g.Last.Add(g.wait()); {
		case g.Failures >= maxFailures:
			return provider.Verified{}, fmt.Errorf("it is locked for %s after %d failures: give her a new secret, and the verifier block another name", addrs.Visible(asked.Identity), maxFailures)
		case asked.Now.Before(next):
			return provider.Verified{}, fmt.Errorf("%d codes for %s failed: the next one is taken from %s on", g.Failures, addrs.Visible(asked.Identity), next.UTC().Format(time.RFC3339))
		}
		counted, err := json.Marshal(guesses{g.Failures + 1, asked.Now.UTC()})
		if err == nil {
			err = c.Memory.Remember(ctx, key, old, counted)
		}
		if err != nil {
			return provider.Verified{}, fmt.Errorf("the attempt could not be counted, and so is not made: %w", err)
		}
		got, err := v.Verify(ctx, asked, brought)
		if err != nil {
			return got, err
		}
		none, err := json.Marshal(guesses{})
		if err == nil {
			err = c.Memory.Remember(ctx, key, counted, none)
		}
		if errors.Is(err, provider.ErrConflict) { // somebody else guessed meanwhile: let that stand
			err = nil
		}
		return got, err
	}
}
