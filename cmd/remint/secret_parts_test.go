package main

import (
	"context"
	"os"
	"strings"

	"github.com/remint-dev/remint/cmd/remint/internal/command"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// echoing makes one call of providers or stores say the secret that it was given:
// REMINT_TEST_ECHO is "error" or "panic" and which call.
func echoing(parts command.Parts) command.Parts {
	how, call, ok := strings.Cut(os.Getenv("REMINT_TEST_ECHO"), " ")
	if !ok {
		return parts
	}
	say := func(here string, v secret.Value) error {
		switch {
		case here != call:
			return nil
		case how == "panic":
			panic("a careless driver was given " + v.RevealString())
		}
		return provider.Errorf(provider.Permanent, "a careless driver was given %s", v.RevealString())
	}
	in, out := parts.Registry, provider.NewRegistry()
	for _, n := range in.Providers() {
		d := *in.Provider(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Provider, error) {
			p, err := open(ctx, b)
			if err != nil {
				return nil, err
			}
			return echoingProvider(p, say), nil
		}
		out.AddProvider(d)
	}
	for _, n := range in.Stores() {
		d := *in.Store(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Store, error) {
			s, err := open(ctx, b)
			return &echoingStore{s, say}, err
		}
		out.AddStore(d)
	}
	for _, n := range in.Consumers() {
		out.AddConsumer(*in.Consumer(n))
	}
	for _, n := range in.Notifiers() {
		out.AddNotifier(*in.Notifier(n))
	}
	for _, n := range in.Verifiers() {
		out.AddVerifier(*in.Verifier(n))
	}
	parts.Registry = out
	return parts
}

type sayer func(call string, v secret.Value) error

// echoingProvider wraps those that set passwords.
func echoingProvider(p provider.Provider, say sayer) provider.Provider {
	s, ok := p.(provider.Setter)
	if !ok {
		return p
	}
	e := &echoSetter{p, s, say}
	if ender, ok := p.(provider.SessionEnder); ok {
		return struct {
			*echoSetter
			provider.Revoker
			provider.SessionEnder
			provider.Controller
			provider.Lister
		}{e, p.(provider.Revoker), ender, p.(provider.Controller), p.(provider.Lister)}
	}
	if id, ok := p.(provider.Identifier); ok {
		return struct {
			*echoSetter
			provider.Revoker
			provider.Retirer
			provider.Lister
			provider.Identifier
		}{e, p.(provider.Revoker), p.(provider.Retirer), p.(provider.Lister), id}
	}
	return struct {
		*echoSetter
		provider.Revoker
		provider.Retirer
		provider.Controller
		provider.Lister
	}{e, p.(provider.Revoker), p.(provider.Retirer), p.(provider.Controller), p.(provider.Lister)}
}

type echoSetter struct {
	provider.Provider
	setter provider.Setter
	say    sayer
}

func first(m secret.Material) secret.Value { return m.Field(m.Names()[0]) }

func (e *echoSetter) Set(ctx context.Context, m provider.Mutation, x secret.Material) (provider.Applied, error) {
	if err := e.say("provider.Set", first(x)); err != nil {
		return provider.Applied{}, err
	}
	return e.setter.Set(ctx, m, x)
}

func (e *echoSetter) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	if err := e.say("provider.Probe", first(m)); err != nil {
		return provider.Probe{}, err
	}
	return e.Provider.Probe(ctx, c, m)
}

type echoingStore struct {
	provider.Store
	say sayer
}

func (s *echoingStore) Put(ctx context.Context, v secret.Value) error {
	if err := s.say("store.Put", v); err != nil {
		return err
	}
	return s.Store.Put(ctx, v)
}
