package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/remint-dev/remint/cmd/remint/internal/command"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// echo stands between the program and what handles secrets. It tells the test which
// secrets there were, and makes one call say the one that it was given.
type echo struct {
	how, call string // "error" or "panic", and which; "" for none
	seen      string // the file of sightings, outside of the workspace
}

// sighting is a secret that a call was given or gave, as a line of REMINT_TEST_SEEN.
type sighting struct{ Call, Field, Value string }

// publicFields are those of a secret's material that are none.
var publicFields = []string{"certificate", "chain", "public_key"}

// echoing makes parts do so: REMINT_TEST_ECHO is "error" or "panic" and which call.
func echoing(parts command.Parts) command.Parts {
	e := &echo{seen: os.Getenv("REMINT_TEST_SEEN")}
	e.how, e.call, _ = strings.Cut(os.Getenv("REMINT_TEST_ECHO"), " ")
	if e.call == "" && e.seen == "" {
		return parts
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
			return e.provider(p), nil
		}
		out.AddProvider(d)
	}
	for _, n := range in.Stores() {
		d := *in.Store(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Store, error) {
			s, err := open(ctx, b)
			return &echoingStore{s, e}, err
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

// say keeps what a call was given and, if it is the careless one, repeats all of it.
// A certificate alone is nothing to repeat.
func (e *echo) say(here string, m secret.Material) error {
	var all []string
	if strings.HasPrefix(m.Field("value").RevealString(), "-----BEGIN CERTIFICATE") {
		return nil
	}
	for _, field := range m.Names() {
		value := m.Field(field).RevealString()
		all = append(all, value)
		if !slices.Contains(publicFields, field) {
			e.note(sighting{here, field, value})
		}
	}
	switch text := "a careless driver was given " + strings.Join(all, " and "); {
	case here != e.call:
		return nil
	case e.how == "panic":
		panic(text)
	default:
		return provider.Errorf(provider.Permanent, "%s", text)
	}
}

func (e *echo) note(s sighting) {
	if e.seen == "" {
		return
	}
	line, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(e.seen, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

// provider wraps p with exactly the capabilities that it has.
func (e *echo) provider(p provider.Provider) provider.Provider {
	plain := &echoingProvider{p, e}
	minter, mints := p.(provider.Minter)
	ender, ends := p.(provider.SessionEnder)
	id, identifies := p.(provider.Identifier)
	switch {
	case mints: // x509
		return struct {
			*echoMinter
			provider.Revoker
			provider.Controller
			provider.Lister
			provider.Identifier
		}{&echoMinter{plain, minter}, p.(provider.Revoker), p.(provider.Controller), p.(provider.Lister), id}
	case ends: // postgresql
		return struct {
			*echoSetter
			provider.Revoker
			provider.SessionEnder
			provider.Controller
			provider.Lister
		}{&echoSetter{plain, p.(provider.Setter)}, p.(provider.Revoker), ender, p.(provider.Controller), p.(provider.Lister)}
	case identifies: // ssh
		return struct {
			*echoSetter
			provider.Revoker
			provider.Retirer
			provider.Lister
			provider.Identifier
		}{&echoSetter{plain, p.(provider.Setter)}, p.(provider.Revoker), p.(provider.Retirer), p.(provider.Lister), id}
	}
	return struct { // htpasswd
		*echoSetter
		provider.Revoker
		provider.Retirer
		provider.Controller
		provider.Lister
	}{&echoSetter{plain, p.(provider.Setter)}, p.(provider.Revoker), p.(provider.Retirer), p.(provider.Controller), p.(provider.Lister)}
}

type echoingProvider struct {
	provider.Provider
	echo *echo
}

func (p *echoingProvider) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	if err := p.echo.say("provider.Probe", m); err != nil {
		return provider.Probe{}, err
	}
	return p.Provider.Probe(ctx, c, m)
}

type echoSetter struct {
	*echoingProvider
	setter provider.Setter
}

func (p *echoSetter) Set(ctx context.Context, m provider.Mutation, x secret.Material) (provider.Applied, error) {
	if err := p.echo.say("provider.Set", x); err != nil {
		return provider.Applied{}, err
	}
	return p.setter.Set(ctx, m, x)
}

type echoMinter struct {
	*echoingProvider
	minter provider.Minter
}

func (p *echoMinter) Mint(ctx context.Context, m provider.Mutation, args provider.Attrs) (secret.Material, provider.Applied, error) {
	x, a, err := p.minter.Mint(ctx, m, args)
	if err == nil {
		err = p.echo.say("provider.Mint", x)
	}
	return x, a, err
}

type echoingStore struct {
	provider.Store
	echo *echo
}

func (s *echoingStore) Put(ctx context.Context, v secret.Value) error {
	if err := s.echo.say("store.Put", secret.Single(v)); err != nil {
		return err
	}
	return s.Store.Put(ctx, v)
}
