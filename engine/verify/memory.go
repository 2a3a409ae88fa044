package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// kept is an answer as the state remembers it.
type kept struct {
	PlanDigest string             `json:"plan_digest"`
	Identity   string             `json:"identity"`
	Strength   lifecycle.Strength `json:"strength"`
	Factor     provider.Factor    `json:"factor"`
	Claims     map[string]string  `json:"claims"`
	Until      time.Time          `json:"until"`
}

func keptKey(file *plan.File, verifier, address string) string {
	return "verified/" + file.ID + "/" + verifier + "/" + address
}

// keep remembers an answer for this plan, in place of an earlier one.
func (c *Checker) keep(ctx context.Context, file *plan.File, a Accepted) error {
	next, err := json.Marshal(kept{file.Digest, a.Identity, a.Strength, a.Factor, a.Claims, a.Until.UTC()})
	if err != nil {
		return err
	}
	key := keptKey(file, a.Verifier, a.Address)
	old, err := c.Memory.Recall(ctx, key)
	if err == nil {
		err = c.Memory.Remember(ctx, key, old, next)
	}
	if err != nil {
		return fmt.Errorf("the state could not remember it: %w", err)
	}
	return nil
}

// remembered are the answers of verifiers that cannot be asked twice.
func (c *Checker) remembered(ctx context.Context, file *plan.File) ([]Accepted, []Refusal) {
	var accepted []Accepted
	var refused []Refusal
	for _, b := range c.Verifiers {
		if !c.Registry.Verifier(b.Type).Once {
			continue
		}
		about := []string{""}
		for _, r := range file.Plan.Resets {
			if len(r.Subjects()) > 0 {
				about = append(about, r.Address)
			}
		}
		for _, address := range about {
			a, ok, err := c.recall(ctx, file, b, address)
			switch {
			case err != nil:
				refused = append(refused, Refusal{Verifier: b.Key(), Why: err.Error()})
			case ok:
				accepted = append(accepted, a)
			}
		}
	}
	return accepted, refused
}

func (c *Checker) recall(ctx context.Context, file *plan.File, b *config.Block, address string) (Accepted, bool, error) {
	raw, err := c.Memory.Recall(ctx, keptKey(file, b.Key(), address))
	if err != nil || raw == nil {
		return Accepted{}, false, err
	}
	var k kept
	if json.Unmarshal(raw, &k) != nil {
		return Accepted{}, false, errors.New("what the state remembers of it is damaged: verify again")
	}
	if k.PlanDigest != file.Digest {
		return Accepted{}, false, nil
	}
	a := Accepted{Verifier: b.Key(), Method: b.Type, Address: address, Verified: capped(provider.Verified{
		Identity: k.Identity, Strength: k.Strength, Factor: k.Factor, Claims: k.Claims, Until: k.Until,
	})}
	if why := a.fault(c.Now()); why != "" {
		return Accepted{}, false, errors.New(why)
	}
	return a, true, nil
}

// Forgetful is the memory of a judgement that decides nothing: `verify` shows
// people whether what they bring will hold, and apply judges it.
type Forgetful struct{}

// Recall remembers nothing.
func (Forgetful) Recall(context.Context, string) ([]byte, error) { return nil, nil }

// Remember forgets.
func (Forgetful) Remember(context.Context, string, []byte, []byte) error { return nil }
