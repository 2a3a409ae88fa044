// Package fleet holds the open providers, stores, consumers and notifiers of
// one workspace: opened on first use, shared by everything that follows, closed
// together.
package fleet

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
)

// Fleet opens what a workspace's blocks configure. It is safe for concurrent use.
type Fleet struct {
	registry *provider.Registry
	// Now is the clock of whatever is opened, set before that; this machine's if nil.
	Now func() time.Time

	mu        sync.Mutex
	providers map[*config.ProviderBlock]*opening
	notifiers map[*config.Block]provider.Notifier
}

type opening struct {
	once     sync.Once
	provider provider.Provider
	identity string
	err      error
	idMu     sync.Mutex
}

// New is an empty fleet.
func New(r *provider.Registry) *Fleet {
	return &Fleet{registry: r, providers: map[*config.ProviderBlock]*opening{}, notifiers: map[*config.Block]provider.Notifier{}}
}

func (f *Fleet) opening(b *config.ProviderBlock) *opening {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.providers[b]
	if o == nil {
		o = &opening{}
		f.providers[b] = o
	}
	return o
}

// Provider gives the instance of b, opening it if it is the first to ask.
func (f *Fleet) Provider(ctx context.Context, b *config.ProviderBlock) (provider.Provider, error) {
	o := f.opening(b)
	o.once.Do(func() {
		d := f.registry.Provider(b.Type)
		o.provider, o.err = d.Open(context.WithoutCancel(ctx), provider.Block{Name: b.Name, Attrs: b.Attrs, Now: f.Now})
	})
	return o.provider, o.err
}

// Identity gives the target identity of b, read until it answers once and then remembered: a
// target that changes identity during a run is noticed when it is next planned.
func (f *Fleet) Identity(ctx context.Context, b *config.ProviderBlock) (string, error) {
	p, err := f.Provider(ctx, b)
	if err != nil {
		return "", err
	}
	o := f.opening(b)
	o.idMu.Lock()
	defer o.idMu.Unlock()
	if o.identity == "" {
		o.identity, err = p.Identity(ctx)
	}
	return o.identity, err
}

// Store opens a store.
func (f *Fleet) Store(ctx context.Context, b *config.Block) (provider.Store, error) {
	return f.registry.Store(b.Type).Open(ctx, provider.Block{Name: b.Name, Attrs: b.Attrs, Now: f.Now})
}

// Consumer opens a consumer.
func (f *Fleet) Consumer(ctx context.Context, b *config.Block) (provider.Consumer, error) {
	return f.registry.Consumer(b.Type).Open(ctx, provider.Block{Name: b.Name, Attrs: b.Attrs, Now: f.Now})
}

// Notifier gives a notifier, opened once: one that keeps a file remembers what
// it has written there.
func (f *Fleet) Notifier(ctx context.Context, b *config.Block) (provider.Notifier, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.notifiers[b]; n != nil {
		return n, nil
	}
	n, err := f.registry.Notifier(b.Type).Open(context.WithoutCancel(ctx), provider.Block{Name: b.Name, Attrs: b.Attrs, Now: f.Now})
	if err == nil {
		f.notifiers[b] = n
	}
	return n, err
}

// Credential is what the provider is told about c.
func Credential(c *config.Credential) provider.Credential {
	return provider.Credential{Address: c.Addr.String(), Type: c.Type.Name, Attrs: c.Attrs}
}

// Close closes every open provider.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, o := range f.providers {
		if o.provider != nil {
			errs = append(errs, o.provider.Close())
		}
	}
	f.providers = map[*config.ProviderBlock]*opening{}
	return errors.Join(errs...)
}
