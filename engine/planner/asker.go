package planner

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/provider"
)

// asker puts questions to targets for one plan, each for a bounded time. A target that
// once let it pass is asked nothing more: ten thousand credentials at one that hangs
// would each wait for it, and hold up those at others.
type asker struct {
	fleet    *fleet.Fleet
	patience time.Duration

	mu         sync.Mutex
	silent     map[*config.ProviderBlock]error
	identities map[*config.ProviderBlock]func() (string, error)
}

func (p *Planner) asker() *asker {
	return &asker{
		fleet: p.Fleet, patience: cmp.Or(p.Patience, provider.CallTimeout),
		silent: map[*config.ProviderBlock]error{}, identities: map[*config.ProviderBlock]func() (string, error){},
	}
}

// identity is that of the target of b. It is asked for once: what keeps it from one
// credential keeps it from all. ctx is the plan's.
func (a *asker) identity(ctx context.Context, b *config.ProviderBlock) (string, error) {
	a.mu.Lock()
	once := a.identities[b]
	if once == nil {
		once = sync.OnceValues(func() (id string, err error) {
			err = a.ask(ctx, b, func(ctx context.Context) (err error) {
				id, err = a.fleet.Identity(ctx, b)
				return err
			})
			return id, err
		})
		a.identities[b] = once
	}
	a.mu.Unlock()
	return once()
}

// observe reads c at its target.
func (a *asker) observe(ctx context.Context, c *config.Credential) (obs provider.Observation, err error) {
	err = a.ask(ctx, c.Provider, func(ctx context.Context) (err error) {
		obs, err = a.fleet.Observe(ctx, c)
		return err
	})
	return obs, err
}

// ask puts a question to the target of b. What was answered when the time was over
// counts for nothing, since less may have been read than there is.
func (a *asker) ask(ctx context.Context, b *config.ProviderBlock, question func(context.Context) error) error {
	if err := a.hushed(b, nil); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	err := question(within)
	if within.Err() == nil || ctx.Err() != nil {
		return err
	}
	said := "the target did not answer"
	var classed *provider.Error
	if errors.As(err, &classed) { // which names the target, and what it was asked
		said = err.Error()
	}
	return a.hushed(b, provider.Errorf(provider.Transient, "%s: an answer may take %v, so find out what holds it up", said, a.patience))
}

// hushed says why the target of b is asked nothing more, nil if it is: err, if it is the
// first to say so.
func (a *asker) hushed(b *config.ProviderBlock, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.silent[b] == nil && err != nil {
		a.silent[b] = err
	}
	return a.silent[b]
}
