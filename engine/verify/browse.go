package verify

import (
	"context"
	"errors"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// Browsed finds the verifier whose answers are got with a browser: of that name, or
// the only one.
func (c *Checker) Browsed(ctx context.Context, name string) (*config.Block, provider.Browsed, error) {
	blocks, why := c.candidates(Presented{Verifier: name, Takes: provider.TakesAssertion})
	switch {
	case why != "":
		return nil, nil, errors.New(why)
	case len(blocks) > 1:
		return nil, nil, errors.New("more than one verifier could be meant: name one with -verifier=TYPE.NAME. There are " + blocks[0].Key() + ", " + blocks[1].Key())
	}
	b := blocks[0]
	v, err := c.open(ctx, b)
	if err != nil {
		return nil, nil, errors.New(b.Key() + ": " + err.Error())
	}
	browsed, ok := v.(provider.Browsed)
	if !ok {
		return nil, nil, errors.New("the verifier " + b.Key() + " needs no browser: " + bring(c.Registry.Verifier(b.Type).Takes))
	}
	return b, browsed, nil
}

// Question is what a verifier is asked about a plan.
func (c *Checker) Question(file *plan.File, p Presented) (provider.Asked, error) {
	return c.asked(file, p)
}
