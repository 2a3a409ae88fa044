package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// keep remembers an answer for this plan, in place of an earlier one about the same
// person. Others stay: a credential may have two subjects.
func (c *Checker) keep(ctx context.Context, file *plan.File, a Accepted) error {
	key := keptKey(file, a.Verifier, a.Address)
	old, err := c.Memory.Recall(ctx, key)
	if err != nil {
		return fmt.Errorf("the state could not remember it: %w", err)
	}
	list, err := keptOf(old)
	if err != nil {
		list = nil // it counts for nothing as it is
	}
	list = slices.DeleteFunc(list, func(k kept) bool { return Same(k.Identity, a.Identity) || k.PlanDigest != file.Digest })
	next, err := json.Marshal(append(list, kept{file.Digest, a.Identity, a.Strength, a.Factor, a.Claims, a.Until.UTC()}))
	if err == nil {
		err = c.Memory.Remember(ctx, key, old, next)
	}
	if err != nil {
		return fmt.Errorf("the state could not remember it: %w", err)
	}
	return nil
}

// keptOf reads what the state remembers of one verifier and address.
func keptOf(raw []byte) ([]kept, error) {
	var list []kept
	if raw != nil && json.Unmarshal(raw, &list) != nil {
		return nil, errors.New("what the state remembers of it is damaged: verify again")
	}
	return list, nil
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
			more, why := c.recall(ctx, file, b, address)
			accepted = append(accepted, more...)
			for _, err := range why {
				refused = append(refused, Refusal{Verifier: b.Key(), Why: err.Error()})
			}
		}
	}
	return accepted, refused
}

// recall is what one verifier said for one address: what counts, and why the rest does not.
func (c *Checker) recall(ctx context.Context, file *plan.File, b *config.Block, address string) (accepted []Accepted, refused []error) {
	raw, err := c.Memory.Recall(ctx, keptKey(file, b.Key(), address))
	if err != nil {
		return nil, []error{err}
	}
	list, err := keptOf(raw)
	if err != nil {
		return nil, []error{err}
	}
	for _, k := range list {
		if k.PlanDigest != file.Digest {
			continue
		}
		a := Accepted{Verifier: b.Key(), Method: b.Type, Address: address, Verified: capped(provider.Verified{
			Identity: k.Identity, Strength: k.Strength, Factor: k.Factor, Claims: k.Claims, Until: k.Until,
		})}
		if why := a.fault(c.Now()); why != "" {
			refused = append(refused, errors.New(why))
			continue
		}
		accepted = append(accepted, a)
	}
	return accepted, refused
}

// Forgetful is the memory of a judgement that decides nothing: `verify` shows
// people whether what they bring will hold, and apply judges it.
type Forgetful struct{}

// Recall remembers nothing.
func (Forgetful) Recall(context.Context, string) ([]byte, error) { return nil, nil }

// Remember forgets.
func (Forgetful) Remember(context.Context, string, []byte, []byte) error { return nil }
