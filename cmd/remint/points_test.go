package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/remint-dev/remint/cmd/remint/internal/command"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// The ways in which an operation is broken. An operation is a durable write to
// the journal or a call that leaves the process.
const (
	killBefore   = "kill-before"   // SIGKILL before it has any effect
	killAfter    = "kill-after"    // SIGKILL after its effect, before anything can be recorded
	failBefore   = "fail-before"   // it fails, with a transient error, without effect
	failAfter    = "fail-after"    // it has its effect, and the reply is lost
	interrupt    = "interrupt"     // SIGINT while it goes on
	interruptTwo = "interrupt-two" // SIGINT twice while it goes on
)

// points counts the operations of a process, and breaks one of them.
type points struct {
	mu    sync.Mutex
	count int
	log   *os.File
	n     int // which operation to break; 0 for none
	way   string
}

// breakable puts points between the program and everything outside it. The
// environment says which one breaks, and how.
func breakable(parts command.Parts) command.Parts {
	p := &points{}
	if n, way, ok := strings.Cut(os.Getenv("REMINT_TEST_BREAK"), ":"); ok {
		p.n, _ = strconv.Atoi(n)
		p.way = way
	}
	if path := os.Getenv("REMINT_TEST_LOG"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			panic(err)
		}
		p.log = f
	}
	if p.n == 0 && p.log == nil {
		return parts
	}
	parts.Registry = p.registry(parts.Registry)
	parts.WrapJournal = func(j journal.Journal) journal.Journal { return &brokenJournal{j, p} }
	parts.WrapArchive = func(a executor.Archive) executor.Archive { return &brokenArchive{a, p} }
	return parts
}

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (p *points) do(op string, effect func() error) error {
	p.mu.Lock()
	p.count++
	broken := p.count == p.n
	if p.log != nil {
		fmt.Fprintln(p.log, op)
	}
	p.mu.Unlock()
	if !broken {
		return effect()
	}
	switch p.way {
	case killBefore:
		kill()
	case failBefore:
		return provider.Errorf(provider.Transient, "broken on purpose")
	case interrupt, interruptTwo:
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
		time.Sleep(20 * time.Millisecond)
		if p.way == interruptTwo {
			_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
			time.Sleep(20 * time.Millisecond)
		}
	}
	err := effect()
	switch p.way {
	case killAfter:
		kill()
	case failAfter:
		return provider.Errorf(provider.Ambiguous, "the reply was lost, on purpose")
	}
	return err
}

// registry wraps whatever the definitions open.
func (p *points) registry(in *provider.Registry) *provider.Registry {
	out := provider.NewRegistry()
	for _, n := range in.Providers() {
		d := *in.Provider(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Provider, error) {
			inner, err := open(ctx, b)
			if err != nil {
				return nil, err
			}
			return p.provider(inner), nil
		}
		out.AddProvider(d)
	}
	for _, n := range in.Stores() {
		d := *in.Store(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Store, error) {
			s, err := open(ctx, b)
			return &brokenStore{s, p}, err
		}
		out.AddStore(d)
	}
	for _, n := range in.Consumers() {
		d := *in.Consumer(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Consumer, error) {
			c, err := open(ctx, b)
			return &brokenConsumer{c, p}, err
		}
		out.AddConsumer(d)
	}
	for _, n := range in.Notifiers() {
		d := *in.Notifier(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Notifier, error) {
			x, err := open(ctx, b)
			return &brokenNotifier{x, p}, err
		}
		out.AddNotifier(d)
	}
	return out
}

type brokenJournal struct {
	journal.Journal
	at *points
}

func (j *brokenJournal) Open(ctx context.Context, r journal.Run) error {
	return j.at.do("journal.Open", func() error { return j.Journal.Open(ctx, r) })
}

func (j *brokenJournal) Append(ctx context.Context, b *journal.Batch) error {
	return j.at.do("journal.Append", func() error { return j.Journal.Append(ctx, b) })
}

func (j *brokenJournal) Acquire(ctx context.Context, run, holder string, keys []string) (l []journal.Lease, err error) {
	err = j.at.do("journal.Acquire", func() error { l, err = j.Journal.Acquire(ctx, run, holder, keys); return err })
	return l, err
}

func (j *brokenJournal) Release(ctx context.Context, run string) error {
	return j.at.do("journal.Release", func() error { return j.Journal.Release(ctx, run) })
}

type brokenArchive struct {
	inner executor.Archive
	at    *points
}

func (a *brokenArchive) File(ctx context.Context, b []journal.Bundle) error {
	return a.at.do("archive.File", func() error { return a.inner.File(ctx, b) })
}

type brokenStore struct {
	inner provider.Store
	at    *points
}

func (s *brokenStore) Check(ctx context.Context) error {
	return s.at.do("store.Check", func() error { return s.inner.Check(ctx) })
}

func (s *brokenStore) Get(ctx context.Context) (v secret.Value, err error) {
	err = s.at.do("store.Get", func() error { v, err = s.inner.Get(ctx); return err })
	return v, err
}

func (s *brokenStore) Put(ctx context.Context, v secret.Value) error {
	return s.at.do("store.Put", func() error { return s.inner.Put(ctx, v) })
}

func (s *brokenStore) Holds(ctx context.Context, v secret.Value) (ok bool, err error) {
	err = s.at.do("store.Holds", func() error { ok, err = s.inner.Holds(ctx, v); return err })
	return ok, err
}

func (s *brokenStore) Empty(ctx context.Context) error {
	return s.at.do("store.Empty", func() error { return s.inner.Empty(ctx) })
}

type brokenConsumer struct {
	inner provider.Consumer
	at    *points
}

func (c *brokenConsumer) Reload(ctx context.Context, key string) error {
	return c.at.do("consumer.Reload", func() error { return c.inner.Reload(ctx, key) })
}

type brokenNotifier struct {
	inner provider.Notifier
	at    *points
}

func (n *brokenNotifier) Send(ctx context.Context, x provider.Notice) error {
	return n.at.do("notifier.Send", func() error { return n.inner.Send(ctx, x) })
}

// provider wraps p with exactly the capabilities that it has.
func (p *points) provider(inner provider.Provider) provider.Provider {
	b := &brokenProvider{inner, p}
	all := []provider.Provider{
		struct { // htpasswd
			*brokenProvider
			setter
			revoker
			retirer
			controller
			lister
		}{b, setter{b}, revoker{b}, retirer{b}, controller{b}, lister{b}},
		struct { // postgresql
			*brokenProvider
			setter
			revoker
			ender
			controller
			lister
		}{b, setter{b}, revoker{b}, ender{b}, controller{b}, lister{b}},
		struct { // ssh
			*brokenProvider
			setter
			revoker
			retirer
			lister
			identifier
		}{b, setter{b}, revoker{b}, retirer{b}, lister{b}, identifier{b}},
		struct { // x509
			*brokenProvider
			minter
			revoker
			controller
			lister
			identifier
		}{b, minter{b}, revoker{b}, controller{b}, lister{b}, identifier{b}},
	}
	for _, w := range all {
		if capabilities(w) == capabilities(inner) {
			return w
		}
	}
	panic("points_test.go has no wrapper for a provider that can " + capabilities(inner))
}

// capabilities lists what a provider implements.
func capabilities(p provider.Provider) string {
	var out []string
	for _, t := range []reflect.Type{
		reflect.TypeFor[provider.Setter](), reflect.TypeFor[provider.Minter](), reflect.TypeFor[provider.Revoker](), reflect.TypeFor[provider.Retirer](),
		reflect.TypeFor[provider.SessionEnder](), reflect.TypeFor[provider.Controller](), reflect.TypeFor[provider.Lister](), reflect.TypeFor[provider.Identifier](),
	} {
		if reflect.TypeOf(p).Implements(t) {
			out = append(out, t.Name())
		}
	}
	return strings.Join(out, " ")
}

type brokenProvider struct {
	inner provider.Provider
	at    *points
}

func (b *brokenProvider) Identity(ctx context.Context) (s string, err error) {
	err = b.at.do("provider.Identity", func() error { s, err = b.inner.Identity(ctx); return err })
	return s, err
}

func (b *brokenProvider) Inspect(ctx context.Context, c provider.Credential) (o provider.Observation, err error) {
	err = b.at.do("provider.Inspect", func() error { o, err = b.inner.Inspect(ctx, c); return err })
	return o, err
}

func (b *brokenProvider) Probe(ctx context.Context, c provider.Credential, m secret.Material) (o provider.Probe, err error) {
	err = b.at.do("provider.Probe", func() error { o, err = b.inner.Probe(ctx, c, m); return err })
	return o, err
}

func (b *brokenProvider) Close() error { return b.inner.Close() }

type (
	setter     struct{ *brokenProvider }
	minter     struct{ *brokenProvider }
	revoker    struct{ *brokenProvider }
	retirer    struct{ *brokenProvider }
	ender      struct{ *brokenProvider }
	controller struct{ *brokenProvider }
	lister     struct{ *brokenProvider }
	identifier struct{ *brokenProvider }
)

func (b setter) Set(ctx context.Context, m provider.Mutation, x secret.Material) (a provider.Applied, err error) {
	err = b.at.do("provider.Set", func() error { a, err = b.inner.(provider.Setter).Set(ctx, m, x); return err })
	return a, err
}

func (b minter) Mint(ctx context.Context, m provider.Mutation, args provider.Attrs) (x secret.Material, a provider.Applied, err error) {
	err = b.at.do("provider.Mint", func() error { x, a, err = b.inner.(provider.Minter).Mint(ctx, m, args); return err })
	if err != nil {
		x, a = secret.Material{}, provider.Applied{}
	}
	return x, a, err
}

func (b revoker) Revoke(ctx context.Context, m provider.Mutation, versions []string) (a provider.Applied, err error) {
	err = b.at.do("provider.Revoke", func() error { a, err = b.inner.(provider.Revoker).Revoke(ctx, m, versions); return err })
	return a, err
}

func (b retirer) Retire(ctx context.Context, m provider.Mutation) (a provider.Applied, err error) {
	err = b.at.do("provider.Retire", func() error { a, err = b.inner.(provider.Retirer).Retire(ctx, m); return err })
	return a, err
}

func (b ender) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (e provider.Ended, err error) {
	err = b.at.do("provider.EndSessions", func() error { e, err = b.inner.(provider.SessionEnder).EndSessions(ctx, m, cutoff); return err })
	return e, err
}

func (b controller) Control(ctx context.Context, c provider.Credential) (o provider.Probe, err error) {
	err = b.at.do("provider.Control", func() error { o, err = b.inner.(provider.Controller).Control(ctx, c); return err })
	return o, err
}

func (b lister) List(ctx context.Context, t string) ([]string, error) {
	return b.inner.(provider.Lister).List(ctx, t)
}

func (b identifier) VersionOf(m secret.Material) (string, error) {
	return b.inner.(provider.Identifier).VersionOf(m)
}
