package executor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// world is everything outside remint: it outlives every process of a test.
type world struct {
	mu       sync.Mutex
	clock    time.Time
	identity string
	// controller tells whether the provider has a login of its own to show.
	controller bool
	// retires tells whether it has an operation of its own for that; readOnly, whether
	// it has none that changes anything.
	retires, readOnly bool
	// identifies tells whether it names versions by their secret, and writeOnly
	// whether stores cannot be read back.
	identifies, writeOnly bool
	// unopenable is a kind of thing that cannot be reached: provider, store, consumer
	// or notifier.
	unopenable string
	// wrap, if set, takes abilities away from the provider, or has it answer otherwise.
	wrap func(controlled) provider.Provider
	// place and basis are those of probes, if not the usual; detail is what they add.
	place, detail string
	basis         lifecycle.Proof
	settle        time.Duration
	// fence is the token with which somebody changed the target last.
	fence    int64
	accounts map[string]*account
	stores   map[string]string
	reloads  map[string]int
	notices  []provider.Notice
	filed    map[string]string // bundle ID to line
	order    []string          // of filed bundles
	serial   int
	faults   []*fault
	calls    []string
}

// account is one credential at its target.
type account struct {
	exists, enabled, unlisted bool
	// unrecorded: the target keeps no record of it, and it lives all the same.
	unrecorded bool
	// broken: the target lists what remint makes, and lets nobody in with it.
	broken   bool
	versions []version // newest first
	// sessions are when those that are open were begun.
	sessions []time.Time
}

// version is one secret that the target accepts while it is listed.
type version struct {
	id, label, value string
	created          time.Time
	// elsewhere: it works, but stands under a name that is not the credential's.
	elsewhere bool
}

// fault is what goes wrong at one call, or what somebody does just before it.
type fault struct {
	op string
	// skip is how many calls of op pass first; times how many it meets, 0 for one.
	skip, times int
	// kind is a provider.Class, or unclassed, hang, crash, unclear; "" for nothing wrong.
	kind   string
	effect bool // the call has its effect all the same
	before func(*world)
	// says is what the error or the panic quotes.
	says func(*world) string
}

// Kinds of fault that are no class.
const (
	unclassed = "unclassed"
	hang      = "hang"
	crash     = "crash"
	unclear   = "unclear"
	panics    = "panics"
)

var errUnopenable = provider.Errorf(provider.Permanent, "nobody is there")

var errCrashed = errors.New("this process died")

func newWorld() *world {
	return &world{
		clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), identity: "mem-1", controller: true,
		accounts: map[string]*account{}, stores: map[string]string{}, reloads: map[string]int{}, filed: map[string]string{},
	}
}

// now is the one clock of the world; it never stands still.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tick()
}

func (w *world) tick() time.Time {
	w.clock = w.clock.Add(time.Millisecond)
	return w.clock
}

func (w *world) account(name string) *account {
	if w.accounts[name] == nil {
		w.accounts[name] = &account{}
	}
	return w.accounts[name]
}

// add puts a version on top, as somebody at the target would.
func (w *world) add(a *account, label, value string) version {
	w.serial++
	v := version{id: fmt.Sprintf("v%d", w.serial), label: label, value: value, created: w.tick()}
	a.versions = append([]version{v}, a.versions...)
	a.exists, a.enabled = true, true
	return v
}

// works reports whether value logs in as name now.
func (w *world) works(name, value string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return value != "" && w.accept(name, value) == provider.Accepted
}

func (w *world) accept(name, value string) provider.Verdict {
	a := w.account(name)
	i := slices.IndexFunc(a.versions, func(v version) bool { return v.value == value })
	if i < 0 {
		return provider.Refused
	}
	if a.versions[i].elsewhere {
		return provider.Unclear
	}
	if !a.enabled {
		return provider.Disabled
	}
	if a.broken && value != "OLD" {
		return provider.Refused
	}
	return provider.Accepted
}

// live counts the versions that log in, apart from those of the values given.
func (w *world) live(name string, but ...string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, v := range w.account(name).versions {
		if w.account(name).enabled && !slices.Contains(but, v.value) {
			n++
		}
	}
	return n
}

func (w *world) fail(f fault) { w.faults = append(w.faults, &f) }

// count is how often op was called by anybody.
func (w *world) count(op string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == op {
			n++
		}
	}
	return n
}

// call is one call that leaves a process: faults are met, effect happens or not.
// A kind that is no error is given back for the callee to act on.
func (w *world) call(ctx context.Context, p *process, op string, effect func()) (kind string, err error) {
	if p.dead.Load() {
		return "", errCrashed
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	w.mu.Lock()
	w.calls = append(w.calls, op)
	f := w.meet(op)
	if f == nil {
		defer w.mu.Unlock()
		if effect != nil {
			effect()
		}
		return "", nil
	}
	if f.before != nil {
		f.before(w)
	}
	if effect != nil && (f.effect || f.kind == "" || f.kind == unclear) {
		effect()
	}
	said := op + " failed (" + f.kind + ")"
	if f.says != nil {
		said = f.says(w)
	}
	w.mu.Unlock()
	switch f.kind {
	case "", unclear:
		return f.kind, nil
	case panics:
		panic(said)
	case crash:
		p.die()
		return "", errCrashed
	case hang:
		<-ctx.Done()
		return "", ctx.Err()
	case unclassed:
		return "", errors.New("something went wrong")
	}
	return "", provider.Errorf(provider.Class(f.kind), "%s", said)
}

// meet finds the first fault for op that is due.
func (w *world) meet(op string) *fault {
	for _, f := range w.faults {
		if f.op != op || f.times < 0 {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.times--; f.times <= 0 {
			f.times = -1
		}
		return f
	}
	return nil
}

// target is the provider `mem`.
type target struct {
	w *world
	p *process
}

// controlled is a target with a login of its own.
type controlled struct{ target }

// retiring is a target that retires in an operation of its own.
type retiring struct{ controlled }

// Retire leaves nothing of the account, but for what stands under another name and
// is not named.
func (t retiring) Retire(ctx context.Context, m provider.Mutation, ids []string) (provider.Applied, error) {
	var out provider.Applied
	_, err := t.w.call(ctx, t.p, "Retire", func() {
		left := slices.DeleteFunc(t.w.account(name(m.Credential)).versions, func(v version) bool { return !v.elsewhere || slices.Contains(ids, v.id) })
		t.w.accounts[name(m.Credential)] = &account{versions: left}
		out = provider.Applied{At: t.w.tick(), Detail: "the account is gone"}
	})
	return out, err
}

// identifying is a target that names a version by its secret.
type identifying struct{ controlled }

// VersionOf looks the secret up.
func (t identifying) VersionOf(m secret.Material) (string, error) {
	id := ""
	_, err := t.w.call(context.Background(), t.p, "VersionOf", func() {
		for _, a := range t.w.accounts {
			for _, v := range a.versions {
				if v.value == m.Field("private_key").RevealString() {
					id = v.id
				}
			}
		}
	})
	return id, err
}

// retiringNamed is both.
type retiringNamed struct {
	retiring
	provider.Identifier
}

// reading is a target that can be read and logged in to, and no more.
type reading struct {
	provider.Provider
}

const endpoint = "mem://main"

func probeField(credentialType string) string {
	switch credentialType {
	case "mem_key":
		return "private_key"
	case "mem_token":
		return "certificate"
	}
	return "value"
}

func name(c provider.Credential) string { return c.Attrs.String("name") }

// Identity names the target.
func (t target) Identity(ctx context.Context) (string, error) {
	var id string
	_, err := t.w.call(ctx, t.p, "Identity", func() { id = t.w.identity })
	return id, err
}

// Inspect reads an account.
func (t target) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	var obs provider.Observation
	_, err := t.w.call(ctx, t.p, "Inspect", func() {
		a := t.w.account(name(c))
		obs = provider.Observation{
			Exists: a.exists, Enabled: a.enabled, Unlisted: a.unlisted, Sessions: len(a.sessions), Now: t.w.tick(), Settle: t.w.settle, Fence: t.w.fence,
		}
		obs.Exists, obs.Incomplete = obs.Exists && !a.unrecorded, a.unrecorded
		for _, v := range a.versions {
			if !a.unlisted && !a.unrecorded && !v.elsewhere {
				obs.Versions = append(obs.Versions, provider.Version{ID: v.id, Label: v.label, Created: v.created})
			}
		}
	})
	return obs, err
}

// Probe logs in once.
func (t target) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	p := provider.Probe{Basis: lifecycle.Tested, Endpoint: endpoint}
	kind, err := t.w.call(ctx, t.p, "Probe", func() { p.Verdict = t.w.accept(name(c), m.Field(probeField(c.Type)).RevealString()) })
	if kind == unclear {
		p.Verdict = provider.Unclear
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	p.Detail = t.w.detail
	if t.w.place != "" {
		p.Endpoint = t.w.place
	}
	if t.w.basis != "" {
		p.Basis = t.w.basis
	}
	return p, err
}

// Control logs in as the provider itself.
func (t controlled) Control(ctx context.Context, _ provider.Credential) (provider.Probe, error) {
	_, err := t.w.call(ctx, t.p, "Control", nil)
	return provider.Probe{Verdict: provider.Accepted, Basis: lifecycle.Tested, Endpoint: endpoint}, err
}

// Set sets a secret; in place it replaces the only one.
func (t target) Set(ctx context.Context, m provider.Mutation, material secret.Material) (provider.Applied, error) {
	var out provider.Applied
	_, err := t.w.call(ctx, t.p, "Set", func() {
		a, value := t.w.account(name(m.Credential)), material.Field(probeField(m.Credential.Type)).RevealString()
		if i := slices.IndexFunc(a.versions, func(v version) bool { return v.value == value }); i >= 0 {
			out = provider.Applied{Version: a.versions[i].id, At: t.w.tick()}
			return
		}
		if m.Credential.Type == "mem_password" {
			a.versions = nil
		}
		v := t.w.add(a, m.Label, value)
		out = provider.Applied{Version: v.id, At: v.created, Detail: "it was set there"}
	})
	if err != nil {
		return provider.Applied{}, err
	}
	return out, nil
}

// Mint makes a certificate.
func (t target) Mint(ctx context.Context, m provider.Mutation, _ provider.Attrs) (secret.Material, provider.Applied, error) {
	var v version
	_, err := t.w.call(ctx, t.p, "Mint", func() {
		v = t.w.add(t.w.account(name(m.Credential)), m.Label, fmt.Sprintf("cert-%d", t.w.serial+1))
	})
	if err != nil {
		return secret.Material{}, provider.Applied{}, err
	}
	material := secret.NewMaterial(map[string]secret.Value{
		"certificate": secret.FromString(v.value), "private_key": secret.FromString("key of " + v.value),
	})
	return material, provider.Applied{Version: v.id, At: v.created}, nil
}

// Revoke kills versions; in place the whole account.
func (t target) Revoke(ctx context.Context, m provider.Mutation, ids []string) (provider.Applied, error) {
	var out provider.Applied
	_, err := t.w.call(ctx, t.p, "Revoke", func() {
		a := t.w.account(name(m.Credential))
		if m.Credential.Type == "mem_password" {
			a.versions, a.enabled = nil, false
		}
		a.versions = slices.DeleteFunc(a.versions, func(v version) bool { return slices.Contains(ids, v.id) })
		out.At = t.w.tick()
	})
	return out, err
}

// EndSessions ends what was begun before cutoff, all where that is zero, and a good
// part of the settle window passes with it.
func (t target) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	var out provider.Ended
	_, err := t.w.call(ctx, t.p, "EndSessions", func() {
		a := t.w.account(name(m.Credential))
		was := len(a.sessions)
		a.sessions = slices.DeleteFunc(a.sessions, func(s time.Time) bool { return cutoff.IsZero() || s.Before(cutoff) })
		out = provider.Ended{Count: was - len(a.sessions), Now: t.w.tick()}
		t.w.clock = t.w.clock.Add(t.w.settle / 2)
	})
	return out, err
}

// Close does nothing.
func (target) Close() error { return nil }

// keeper is the store `mem`.
type keeper struct {
	w   *world
	p   *process
	key string
}

// Check asks whether Put would do.
func (s keeper) Check(ctx context.Context) error {
	_, err := s.w.call(ctx, s.p, "Check", nil)
	return err
}

// Get reads.
func (s keeper) Get(ctx context.Context) (secret.Value, error) {
	var v secret.Value
	_, err := s.w.call(ctx, s.p, "Get", func() {
		if x := s.w.stores[s.key]; x != "" {
			v = secret.FromString(x)
		}
	})
	return v, err
}

// Put writes.
func (s keeper) Put(ctx context.Context, v secret.Value) error {
	_, err := s.w.call(ctx, s.p, "Put", func() { s.w.stores[s.key] = v.RevealString() })
	return err
}

// Holds reads back.
func (s keeper) Holds(ctx context.Context, v secret.Value) (bool, error) {
	holds := false
	_, err := s.w.call(ctx, s.p, "Holds", func() { holds = s.w.stores[s.key] == v.RevealString() })
	if err == nil && s.w.writeOnly {
		err = provider.ErrWriteOnly
	}
	return holds, err
}

// Empty removes.
func (s keeper) Empty(ctx context.Context) error {
	_, err := s.w.call(ctx, s.p, "Empty", func() { delete(s.w.stores, s.key) })
	return err
}

// reader is the consumer `mem`.
type reader struct {
	w *world
	p *process
}

// Reload counts by key.
func (c reader) Reload(ctx context.Context, key string) error {
	_, err := c.w.call(ctx, c.p, "Reload", func() { c.w.reloads[key]++ })
	return err
}

// teller is the notifier `mem`.
type teller struct {
	w *world
	p *process
}

// Send keeps the notice.
func (n teller) Send(ctx context.Context, x provider.Notice) error {
	_, err := n.w.call(ctx, n.p, "Send", func() { n.w.notices = append(n.w.notices, x) })
	return err
}

// registry is what a process of this world may name.
func registry(w *world, p *process) *provider.Registry {
	str := func(name string, key bool) provider.Schema {
		return provider.Schema{Attributes: []provider.Attribute{{Name: name, Type: provider.String, Required: true, Key: key}}}
	}
	made := func(fields ...string) provider.Issue {
		return provider.Issue{Generate: func(provider.Attrs) (secret.Material, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.serial++
			out := map[string]secret.Value{}
			for _, f := range fields {
				out[f] = secret.FromString(fmt.Sprintf("%s-%d", strings.ToUpper(f), w.serial))
			}
			return secret.NewMaterial(out), nil
		}}
	}
	r := provider.NewRegistry()
	r.AddProvider(provider.Definition{
		Name: "mem", Types: []provider.CredentialType{
			{Name: "mem_password", Kind: lifecycle.InPlace, Sessions: true, SelectiveSessions: true, Schema: str("name", true),
				Fields: []provider.Field{{Name: "value", Probe: true}}, Issue: made("value")},
			{Name: "mem_key", Kind: lifecycle.Overlapping, Schema: str("name", true),
				Fields: []provider.Field{{Name: "private_key", Probe: true}, {Name: "public_key", Public: true}}, Issue: made("private_key", "public_key")},
			{Name: "mem_token", Kind: lifecycle.Minted, Schema: str("name", true),
				Fields: []provider.Field{{Name: "certificate", Public: true, Probe: true}, {Name: "private_key"}}},
		},
		Open: func(context.Context, provider.Block) (provider.Provider, error) {
			switch {
			case w.unopenable == "provider":
				return nil, errUnopenable
			case w.wrap != nil:
				return w.wrap(controlled{target{w, p}}), nil
			case w.identifies && w.retires:
				at := controlled{target{w, p}}
				return retiringNamed{retiring{at}, identifying{at}}, nil
			case w.identifies:
				return identifying{controlled{target{w, p}}}, nil
			case w.readOnly:
				return reading{target{w, p}}, nil
			case w.retires:
				return retiring{controlled{target{w, p}}}, nil
			case w.controller:
				return controlled{target{w, p}}, nil
			}
			return target{w, p}, nil
		},
	})
	r.AddStore(provider.StoreDefinition{Name: "mem", Schema: str("key", false), Open: func(_ context.Context, b provider.Block) (provider.Store, error) {
		if w.unopenable == "store" {
			return nil, errUnopenable
		}
		return keeper{w, p, b.Attrs.String("key")}, nil
	}})
	r.AddConsumer(provider.ConsumerDefinition{Name: "mem", Open: func(context.Context, provider.Block) (provider.Consumer, error) {
		if w.unopenable == "consumer" {
			return nil, errUnopenable
		}
		return reader{w, p}, nil
	}})
	r.AddNotifier(provider.NotifierDefinition{Name: "mem", Open: func(context.Context, provider.Block) (provider.Notifier, error) {
		if w.unopenable == "notifier" {
			return nil, errUnopenable
		}
		return teller{w, p}, nil
	}})
	return r
}
