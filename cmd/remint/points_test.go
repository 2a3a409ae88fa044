package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
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
	transient    = "transient"     // it fails without effect, and trying again may help
	permanent    = "permanent"     // it fails without effect, and trying again will not help
	ambiguous    = "ambiguous"     // it has no effect, and nobody can tell
	lostReply    = "lost-reply"    // it has its effect, and the reply is lost
	interrupt    = "interrupt"     // SIGINT while it goes on
	interruptTwo = "interrupt-two" // SIGINT twice while it goes on
	cutOff       = "cut-off"       // SIGINT twice, and it ends without effect when its context does
	sigterm      = "terminate"     // SIGTERM while it goes on
	sigstop      = "stop"          // SIGSTOP before it; another runner wants to do the same; SIGCONT
	hooked       = "hooked"        // REMINT_TEST_HOOK, a shell's command, is done before it
	panics       = "panics"        // what is called panics
)

// points names the operations of a process, and breaks one of them. A name is
// what is called and, for the journal, what is written; #n counts those alike.
type points struct {
	mu       sync.Mutex
	counts   map[string]int
	log      *os.File
	at, way  string // which operation to break and how
	poisoned bool   // the journal failed, and fails from then on
}

// breakable puts points between the program and everything outside it. The
// environment says which one breaks, and how.
func breakable(parts command.Parts) command.Parts {
	p := &points{counts: map[string]int{}}
	p.way, p.at, _ = strings.Cut(os.Getenv("REMINT_TEST_BREAK"), " ")
	if path := os.Getenv("REMINT_TEST_LOG"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			panic(err)
		}
		p.log = f
	}
	if p.at == "" && p.log == nil {
		return parts
	}
	parts.Registry = p.registry(parts.Registry)
	parts.WrapJournal = func(j journal.Journal) journal.Journal { return &brokenJournal{j, p} }
	parts.WrapArchive = func(a executor.Archive) executor.Archive { return &brokenArchive{a, p} }
	return parts
}

// uncutAfter is after how long a call that nobody cut off counts as one that nobody will.
const uncutAfter = 30 * time.Second

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// interruptSelf sends a signal n times, and sees each arrive: the runtime hands one to
// all who asked for it, of which the program is the other.
func interruptSelf(n int, sig syscall.Signal) {
	seen := make(chan os.Signal, n)
	signal.Notify(seen, sig)
	defer signal.Stop(seen)
	for range n {
		_ = syscall.Kill(os.Getpid(), sig)
		<-seen
		time.Sleep(20 * time.Millisecond)
	}
}

// enter names an operation, and reports whether it is the one to break.
func (p *points) enter(op string) (name string, broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[op]++
	name = op + "#" + strconv.Itoa(p.counts[op])
	return name, name == p.at
}

// value is do for an operation with a result, of which a failure leaves nothing.
func value[T any](ctx context.Context, p *points, op string, effect func() (T, error)) (T, error) {
	var out T
	err := p.do(ctx, op, func() (err error) { out, err = effect(); return err })
	if err != nil {
		out = *new(T)
	}
	return out, err
}

func (p *points) note(word, name string) {
	if p.log != nil {
		fmt.Fprintln(p.log, word+" "+name) // one write: what is there is whole
	}
}

func (p *points) do(ctx context.Context, op string, effect func() error) error {
	name, broken := p.enter(op)
	p.note("begin", name)
	if broken {
		p.note("broke", name)
		if err, ended := p.breakBefore(ctx, name); ended {
			return err
		}
	}
	err := effect()
	if err == nil {
		p.note("effect", name)
	}
	if broken && p.way == killAfter {
		kill()
	}
	if broken && p.way == lostReply && err == nil {
		return provider.Errorf(provider.Ambiguous, "the reply was lost, on purpose")
	}
	return err
}

// breakBefore does what comes before an effect, and reports whether there is to
// be none.
func (p *points) breakBefore(ctx context.Context, name string) (error, bool) {
	switch p.way {
	case killBefore:
		kill()
	case transient:
		return provider.Errorf(provider.Transient, "broken on purpose"), true
	case permanent:
		return provider.Errorf(provider.Permanent, "broken for good, on purpose"), true
	case ambiguous:
		return provider.Errorf(provider.Ambiguous, "no answer, on purpose"), true
	case hooked:
		if out, err := exec.Command("/bin/sh", "-c", os.Getenv("REMINT_TEST_HOOK")).CombinedOutput(); err != nil {
			panic(fmt.Sprintf("the hook failed: %v %s", err, out))
		}
	case panics:
		panic("on purpose")
	case interrupt:
		interruptSelf(1, syscall.SIGINT)
	case sigterm:
		interruptSelf(1, syscall.SIGTERM)
	case sigstop:
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case interruptTwo:
		interruptSelf(2, syscall.SIGINT)
	case cutOff:
		interruptSelf(2, syscall.SIGINT)
		select {
		case <-ctx.Done():
			return ctx.Err(), true
		case <-time.After(uncutAfter):
			p.note("uncut", name)
		}
	}
	return nil, false
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
			return &brokenStore{s, p}, complete(s, &brokenStore{}, err)
		}
		out.AddStore(d)
	}
	for _, n := range in.Consumers() {
		d := *in.Consumer(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Consumer, error) {
			c, err := open(ctx, b)
			return &brokenConsumer{c, p}, complete(c, &brokenConsumer{}, err)
		}
		out.AddConsumer(d)
	}
	for _, n := range in.Verifiers() {
		out.AddVerifier(*in.Verifier(n))
	}
	for _, n := range in.Notifiers() {
		d := *in.Notifier(n)
		open := d.Open
		d.Open = func(ctx context.Context, b provider.Block) (provider.Notifier, error) {
			x, err := open(ctx, b)
			return &brokenNotifier{x, p}, complete(x, &brokenNotifier{}, err)
		}
		out.AddNotifier(d)
	}
	return out
}

type brokenArchive struct {
	inner executor.Archive
	at    *points
}

func (a *brokenArchive) File(ctx context.Context, b []journal.Bundle) error {
	return a.at.do(ctx, "archive.File", func() error { return a.inner.File(ctx, b) })
}

type brokenStore struct {
	inner provider.Store
	at    *points
}

func (s *brokenStore) Check(ctx context.Context) error {
	return s.at.do(ctx, "store.Check", func() error { return s.inner.Check(ctx) })
}

func (s *brokenStore) Get(ctx context.Context) (secret.Value, error) {
	return value(ctx, s.at, "store.Get", func() (secret.Value, error) { return s.inner.Get(ctx) })
}

func (s *brokenStore) Put(ctx context.Context, v secret.Value) error {
	return s.at.do(ctx, "store.Put", func() error { return s.inner.Put(ctx, v) })
}

func (s *brokenStore) Holds(ctx context.Context, v secret.Value) (bool, error) {
	return value(ctx, s.at, "store.Holds", func() (bool, error) { return s.inner.Holds(ctx, v) })
}

func (s *brokenStore) Empty(ctx context.Context) error {
	return s.at.do(ctx, "store.Empty", func() error { return s.inner.Empty(ctx) })
}

type brokenConsumer struct {
	inner provider.Consumer
	at    *points
}

func (c *brokenConsumer) Reload(ctx context.Context, key string) error {
	return c.at.do(ctx, "consumer.Reload", func() error { return c.inner.Reload(ctx, key) })
}

type brokenNotifier struct {
	inner provider.Notifier
	at    *points
}

func (n *brokenNotifier) Send(ctx context.Context, x provider.Notice) error {
	return n.at.do(ctx, "notifier.Send["+x.Kind+"]", func() error { return n.inner.Send(ctx, x) })
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
			fencer
			awaiter
			ender
			controller
			lister
		}{b, setter{b}, revoker{b}, fencer{b}, awaiter{b}, ender{b}, controller{b}, lister{b}},
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
		if capabilities(w) == capabilities(inner) && complete(inner, w, nil) == nil {
			return w
		}
	}
	panic("points_test.go has no wrapper for a provider that can " + capabilities(inner))
}

// capabilities lists what a provider implements.
func capabilities(p provider.Provider) string {
	var out []string
	for _, t := range []reflect.Type{
		reflect.TypeFor[provider.Setter](), reflect.TypeFor[provider.Minter](), reflect.TypeFor[provider.Revoker](), reflect.TypeFor[provider.Retirer](), reflect.TypeFor[provider.Fencer](), reflect.TypeFor[provider.Awaiter](),
		reflect.TypeFor[provider.SessionEnder](), reflect.TypeFor[provider.Controller](), reflect.TypeFor[provider.Lister](), reflect.TypeFor[provider.Identifier](),
	} {
		if reflect.TypeOf(p).Implements(t) {
			out = append(out, t.Name())
		}
	}
	return strings.Join(out, " ")
}

// complete refuses a wrapper that hides a method of what it wraps: an operation
// that a later version adds has no point yet.
func complete(inner, wrapper any, err error) error {
	if err != nil {
		return err
	}
	for m := range reflect.TypeOf(inner).Methods() {
		if _, ok := reflect.TypeOf(wrapper).MethodByName(m.Name); !ok {
			return fmt.Errorf("points_test.go has no point for %T.%s", inner, m.Name)
		}
	}
	return nil
}

type brokenProvider struct {
	inner provider.Provider
	at    *points
}

func (b *brokenProvider) Identity(ctx context.Context) (string, error) {
	return value(ctx, b.at, "provider.Identity", func() (string, error) { return b.inner.Identity(ctx) })
}

func (b *brokenProvider) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	return value(ctx, b.at, "provider.Inspect", func() (provider.Observation, error) { return b.inner.Inspect(ctx, c) })
}

func (b *brokenProvider) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	return value(ctx, b.at, "provider.Probe", func() (provider.Probe, error) { return b.inner.Probe(ctx, c, m) })
}

func (b *brokenProvider) Close() error { return b.inner.Close() }

type (
	setter     struct{ *brokenProvider }
	minter     struct{ *brokenProvider }
	revoker    struct{ *brokenProvider }
	retirer    struct{ *brokenProvider }
	fencer     struct{ *brokenProvider }
	awaiter    struct{ *brokenProvider }
	ender      struct{ *brokenProvider }
	controller struct{ *brokenProvider }
	lister     struct{ *brokenProvider }
	identifier struct{ *brokenProvider }
)

func (b setter) Set(ctx context.Context, m provider.Mutation, x secret.Material) (provider.Applied, error) {
	return value(ctx, b.at, "provider.Set", func() (provider.Applied, error) { return b.inner.(provider.Setter).Set(ctx, m, x) })
}

func (b minter) Mint(ctx context.Context, m provider.Mutation, args provider.Attrs) (x secret.Material, a provider.Applied, err error) {
	err = b.at.do(ctx, "provider.Mint", func() error { x, a, err = b.inner.(provider.Minter).Mint(ctx, m, args); return err })
	if err != nil {
		x, a = secret.Material{}, provider.Applied{}
	}
	return x, a, err
}

func (b revoker) Revoke(ctx context.Context, m provider.Mutation, versions []string) (provider.Applied, error) {
	return value(ctx, b.at, "provider.Revoke", func() (provider.Applied, error) { return b.inner.(provider.Revoker).Revoke(ctx, m, versions) })
}

func (b retirer) Retire(ctx context.Context, m provider.Mutation, versions []string) (provider.Applied, error) {
	return value(ctx, b.at, "provider.Retire", func() (provider.Applied, error) { return b.inner.(provider.Retirer).Retire(ctx, m, versions) })
}

func (b fencer) Fence(ctx context.Context, m provider.Mutation) error {
	return b.at.do(ctx, "provider.Fence", func() error { return b.inner.(provider.Fencer).Fence(ctx, m) })
}

func (b awaiter) Await(ctx context.Context, c provider.Credential) error {
	return b.at.do(ctx, "provider.Await", func() error { return b.inner.(provider.Awaiter).Await(ctx, c) })
}

func (b ender) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	return value(ctx, b.at, "provider.EndSessions", func() (provider.Ended, error) { return b.inner.(provider.SessionEnder).EndSessions(ctx, m, cutoff) })
}

func (b controller) Control(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return value(ctx, b.at, "provider.Control", func() (provider.Probe, error) { return b.inner.(provider.Controller).Control(ctx, c) })
}

func (b lister) List(ctx context.Context, t string) ([]string, error) {
	return value(ctx, b.at, "provider.List", func() ([]string, error) { return b.inner.(provider.Lister).List(ctx, t) })
}

func (b identifier) VersionOf(m secret.Material) (string, error) {
	return b.inner.(provider.Identifier).VersionOf(m)
}
