// Package mocked stands in for targets and stores in the tests of a
// workspace: what is planned there touches nothing that is real.
package mocked

import (
	"context"
	"errors"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// World answers for every target. It is called from many goroutines at once.
type World func(c provider.Credential) (provider.Observation, error)

// Registry has what real has, with providers that ask w, and stores that hold
// nothing. Consumers and notifiers cannot be opened: a plan needs none.
func Registry(real *provider.Registry, w World) *provider.Registry {
	r := provider.NewRegistry()
	for _, name := range real.Providers() {
		d := *real.Provider(name)
		d.Open = func(_ context.Context, b provider.Block) (provider.Provider, error) {
			return target{name: name + "." + b.Name, world: w}, nil
		}
		r.AddProvider(d)
	}
	for _, name := range real.Stores() {
		d := *real.Store(name)
		d.Open = func(context.Context, provider.Block) (provider.Store, error) { return nil, errMocked }
		r.AddStore(d)
	}
	for _, name := range real.Consumers() {
		d := *real.Consumer(name)
		d.Open = func(context.Context, provider.Block) (provider.Consumer, error) { return nil, errMocked }
		r.AddConsumer(d)
	}
	for _, name := range real.Notifiers() {
		d := *real.Notifier(name)
		d.Open = func(context.Context, provider.Block) (provider.Notifier, error) { return nil, errMocked }
		r.AddNotifier(d)
	}
	for _, name := range real.Verifiers() {
		r.AddVerifier(*real.Verifier(name))
	}
	return r
}

var errMocked = errors.New("mocked: a test of a workspace opens nothing")

type target struct {
	name  string
	world World
}

// Identity is the block's own name.
func (t target) Identity(context.Context) (string, error) { return "mocked:" + t.name, nil }

// Inspect asks the world.
func (t target) Inspect(_ context.Context, c provider.Credential) (provider.Observation, error) {
	return t.world(c)
}

// Probe is never wanted: a plan logs in nowhere.
func (t target) Probe(context.Context, provider.Credential, secret.Material) (provider.Probe, error) {
	return provider.Probe{}, errMocked
}

// Close has nothing to let go of.
func (t target) Close() error { return nil }
