package providertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// world is a target in memory: accounts with versions and sessions.
type world struct {
	mu       sync.Mutex
	down     bool
	accounts map[string]*account
	clock    time.Time
	made     int
}

type account struct {
	enabled  bool
	versions []version // newest first
	sessions []*connection
}

type version struct {
	provider.Version
	value string
}

type connection struct {
	begun time.Time
	open  bool
}

// now ticks, so that no two events fall together.
func (w *world) now() time.Time {
	w.clock = w.clock.Add(time.Millisecond)
	return w.clock
}

func (w *world) login(name, value string) bool {
	a := w.accounts[name]
	return a != nil && a.enabled && slices.ContainsFunc(a.versions, func(v version) bool { return v.value == value })
}

func (w *world) add(a *account, value, label string) version {
	w.made++
	v := version{Version: provider.Version{ID: fmt.Sprintf("v%d", w.made), Label: label, Created: w.now()}, value: value}
	a.versions = slices.Insert(a.versions, 0, v)
	return v
}

// defects are the ways in which the reference can be made wrong.
type defects struct {
	identityMoves, inspectLogsIn, absentExists          bool
	acceptsAll, unclearRefusal, disabledOnRevoke        bool
	setKeepsOld, setKillsOld, setTwiceTwo, acceptsEmpty bool
	sameKey, noLabel, revokesAll, revokesNothing        bool
	staysDisabled, unknownFails, endsNone, endsAll      bool
	ignoresContext, downRefuses, leaks, leaksJSON       bool
	touchesOthers, racy, unclassed, localClock          bool
	retireFails, noControl, oldestFirst, unlists        bool
	controlNeedsAccounts, probeNeedsAccounts            bool
	inspectNeedsAccounts                                bool
	endsByStart                                         bool
}

// reference is the provider that the suite is tried on.
type reference struct {
	w   *world
	typ provider.CredentialType
	d   defects
}

func (r *reference) begin(ctx context.Context) error {
	if ctx.Err() != nil && !r.d.ignoresContext {
		return provider.Errorf(provider.Transient, "cancelled before anything happened")
	}
	if r.w.down {
		return provider.Errorf(provider.Transient, "the target does not answer; start it")
	}
	return nil
}

func (r *reference) Identity(context.Context) (string, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.d.identityMoves {
		return fmt.Sprint("world-", r.w.made), nil
	}
	return "world", nil
}

func (r *reference) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if err := r.begin(ctx); err != nil {
		return provider.Observation{}, err
	}
	if len(r.w.accounts) == 0 && r.d.inspectNeedsAccounts {
		return provider.Observation{}, errNoAccounts
	}
	a := r.w.accounts[c.Attrs.String("user")]
	if a == nil && !r.d.absentExists {
		return provider.Observation{Now: r.w.now()}, nil
	} else if a == nil {
		a = &account{}
	}
	if r.d.inspectLogsIn {
		r.w.add(a, "looked", "")
	}
	o := provider.Observation{Exists: true, Enabled: a.enabled && len(a.versions) > 0, Unlisted: r.d.unlists, Now: r.w.now()}
	for _, v := range a.versions {
		if r.d.leaksJSON {
			v.Label = v.value
		}
		o.Versions = append(o.Versions, v.Version)
	}
	if r.d.oldestFirst {
		slices.Reverse(o.Versions)
	}
	for _, s := range a.sessions {
		if s.open {
			o.Sessions++
		}
	}
	return o, nil
}

func (r *reference) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	p := provider.Probe{Verdict: provider.Refused, Basis: lifecycle.Tested, Endpoint: "memory"}
	if err := r.begin(ctx); err != nil {
		if r.w.down && r.d.downRefuses {
			return p, nil
		}
		return p, err
	}
	if len(r.w.accounts) == 0 && r.d.probeNeedsAccounts {
		return p, errNoAccounts
	}
	a, value := r.w.accounts[c.Attrs.String("user")], m.Field("value").RevealString()
	switch {
	case r.w.login(c.Attrs.String("user"), value) || r.d.acceptsAll:
		p.Verdict = provider.Accepted
	case r.d.unclearRefusal:
		p.Verdict = provider.Unclear
	case a != nil && !a.enabled && r.d.disabledOnRevoke:
		p.Verdict = provider.Disabled
	case r.d.leaks:
		p.Detail = "wrong password " + value
	}
	return p, nil
}

func (r *reference) Control(ctx context.Context, _ provider.Credential) (provider.Probe, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if len(r.w.accounts) == 0 && r.d.controlNeedsAccounts {
		return provider.Probe{}, errNoAccounts
	}
	return provider.Probe{Verdict: provider.Accepted, Basis: lifecycle.Tested, Endpoint: "memory"}, r.begin(ctx)
}

// errNoAccounts is the fault that is none: a target without a single account.
var errNoAccounts = provider.Errorf(provider.NotFound, "the list of accounts does not exist")

func (r *reference) Close() error { return nil }

func (r *reference) change(ctx context.Context, m provider.Mutation, f func(*account)) (provider.Applied, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if err := r.begin(ctx); err != nil {
		return provider.Applied{}, err
	}
	a := r.w.accounts[m.Credential.Attrs.String("user")]
	if a != nil {
		f(a)
	}
	return r.changed(a), nil
}

// make is change, of an account that is made if it is not there.
func (r *reference) make(ctx context.Context, m provider.Mutation, f func(*account)) (provider.Applied, error) {
	r.w.mu.Lock()
	if user := m.Credential.Attrs.String("user"); r.begin(ctx) == nil && r.w.accounts[user] == nil {
		r.w.accounts[user] = &account{enabled: true}
	}
	r.w.mu.Unlock()
	return r.change(ctx, m, f)
}

func (r *reference) changed(a *account) provider.Applied {
	if r.d.touchesOthers {
		r.w.accounts["neighbour"].enabled = false
	}
	applied := provider.Applied{At: r.w.now()}
	if r.d.localClock {
		applied.At = time.Now()
	}
	if a != nil && len(a.versions) > 0 {
		applied.Version = a.versions[0].ID
	}
	return applied
}

func (r *reference) set(ctx context.Context, m provider.Mutation, material secret.Material) (provider.Applied, error) {
	value := material.Field("value").RevealString()
	if value == "" && !r.d.acceptsEmpty {
		if r.d.unclassed {
			return provider.Applied{}, fmt.Errorf("empty")
		}
		return provider.Applied{}, provider.Errorf(provider.Permanent, "the new secret is empty; issue one")
	}
	if r.d.racy {
		r.w.mu.Lock()
		held := maps.Clone(r.w.accounts)
		r.w.mu.Unlock()
		time.Sleep(time.Millisecond)
		defer func() { r.w.mu.Lock(); r.w.accounts = held; r.w.mu.Unlock() }()
		held["user"] = &account{enabled: true, versions: slices.Clone(held["user"].versions)}
		r.w.mu.Lock()
		v := r.w.add(held["user"], value, m.Label)
		at := r.w.now()
		r.w.mu.Unlock()
		return provider.Applied{Version: v.ID, At: at}, nil
	}
	return r.make(ctx, m, func(a *account) {
		a.enabled = a.enabled || !r.d.staysDisabled
		if len(a.versions) > 0 && a.versions[0].value == value && !r.d.setTwiceTwo {
			return
		}
		if r.typ.Kind == lifecycle.InPlace && !r.d.setKeepsOld || r.d.setKillsOld {
			a.versions = nil
		}
		r.w.add(a, value, m.Label)
	})
}

func (r *reference) mint(ctx context.Context, m provider.Mutation) (secret.Material, provider.Applied, error) {
	var value string
	applied, err := r.make(ctx, m, func(a *account) {
		value = fmt.Sprintf("minted-token-%d", r.w.made)
		if r.d.sameKey {
			value = "minted-token"
		}
		if r.d.noLabel {
			m.Label = ""
		}
		r.w.add(a, value, m.Label)
	})
	return secret.Single(secret.FromString(value)), applied, err
}

func (r *reference) Revoke(ctx context.Context, m provider.Mutation, versions []string) (provider.Applied, error) {
	if r.d.unknownFails && slices.Contains(versions, "no-such-version") {
		return provider.Applied{}, provider.Errorf(provider.NotFound, "no such version")
	}
	return r.change(ctx, m, func(a *account) {
		switch {
		case r.d.revokesNothing:
		case r.typ.Kind == lifecycle.InPlace || len(versions) == 0 || r.d.revokesAll:
			a.enabled = r.typ.Kind != lifecycle.InPlace
			if !r.d.disabledOnRevoke {
				a.versions = nil
			}
		default:
			a.versions = slices.DeleteFunc(a.versions, func(v version) bool { return slices.Contains(versions, v.ID) })
		}
	})
}

func (r *reference) Retire(ctx context.Context, m provider.Mutation, _ []string) (provider.Applied, error) {
	applied, err := r.change(ctx, m, func(*account) {})
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.d.retireFails && r.w.accounts[m.Credential.Attrs.String("user")] == nil {
		return applied, provider.Errorf(provider.NotFound, "no such account")
	}
	delete(r.w.accounts, m.Credential.Attrs.String("user"))
	return applied, err
}

func (r *reference) endSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	var e provider.Ended
	applied, err := r.change(ctx, m, func(a *account) {
		for _, s := range a.sessions {
			if s.open && !r.d.endsNone && (s.begun.Before(cutoff) || cutoff.IsZero() && !r.d.endsByStart || !r.typ.SelectiveSessions || r.d.endsAll) {
				s.open, e.Count = false, e.Count+1
			}
		}
	})
	e.Now = applied.At
	return e, err
}

// The capabilities depend on the type, so each kind has a Go type of its own.
type setting struct{ *reference }

func (s setting) Set(ctx context.Context, m provider.Mutation, v secret.Material) (provider.Applied, error) {
	return s.set(ctx, m, v)
}

func (s setting) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	return s.endSessions(ctx, m, cutoff)
}

type minting struct{ *reference }

func (s minting) Mint(ctx context.Context, m provider.Mutation, _ provider.Attrs) (secret.Material, provider.Applied, error) {
	return s.mint(ctx, m)
}

func (s minting) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	return s.endSessions(ctx, m, cutoff)
}

// incapable hides the optional capabilities.
type incapable struct{ provider.Provider }

func harness(kind lifecycle.Kind, selective bool, d defects) Harness {
	typ := provider.CredentialType{
		Name: "memory_" + string(kind), Description: "An account in memory.", Kind: kind,
		Fields: provider.PasswordFields(), Issue: provider.PasswordIssue(72),
		Sessions: true, SelectiveSessions: selective,
		Schema: provider.Schema{Attributes: []provider.Attribute{{Name: "user", Type: provider.String, Required: true, Key: true, Description: "The account."}}},
	}
	if kind == lifecycle.Minted {
		typ.Issue = provider.Issue{Bits: func(provider.Attrs) float64 { return 128 }}
	}
	worlds := sync.Map{} // block name to world
	def := provider.Definition{Name: "memory", Description: "Accounts in memory.", Types: []provider.CredentialType{typ}}
	def.Open = func(_ context.Context, block provider.Block) (provider.Provider, error) {
		w, _ := worlds.Load(block.Name)
		r := &reference{w: w.(*world), typ: typ, d: d}
		switch {
		case d.noControl:
			return incapable{r}, nil
		case kind == lifecycle.Minted:
			return minting{r}, nil
		default:
			return setting{r}, nil
		}
	}
	return Harness{Definition: def, Type: typ.Name, Setup: func(t *testing.T) Fixture {
		w := &world{accounts: map[string]*account{"user": {enabled: true}, "neighbour": {enabled: true}}, clock: time.Unix(1e9, 0)}
		w.add(w.accounts["user"], "the-first-password", "")
		worlds.Store(t.Name(), w)
		worlds.Store(t.Name()+"-down", &world{down: true})
		return fixture(t, typ, w)
	}}
}

func fixture(t *testing.T, typ provider.CredentialType, w *world) Fixture {
	credential := func(user string) provider.Credential {
		return provider.Credential{Address: "credential.memory." + user, Type: typ.Name, Attrs: provider.NewAttrs(map[string]any{"user": user})}
	}
	login := func(_ *testing.T, m secret.Material) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.login("user", m.Field("value").RevealString())
	}
	return Fixture{
		Block: provider.Block{Name: t.Name()}, Unreachable: provider.Block{Name: t.Name() + "-down"},
		Credential: credential("user"), Absent: credential("nobody"),
		Current: secret.Single(secret.FromString("the-first-password")), Login: login,
		Others: func(*testing.T) string { return fmt.Sprint(w.accounts["neighbour"].enabled) },
		Unmade: func(*testing.T) {
			w.mu.Lock()
			defer w.mu.Unlock()
			clear(w.accounts)
		},
		OpenSession: func(_ *testing.T, m secret.Material) func() bool {
			s := &connection{open: login(nil, m)}
			w.mu.Lock()
			defer w.mu.Unlock()
			s.begun = w.now()
			w.accounts["user"].sessions = append(w.accounts["user"].sessions, s)
			return func() bool { return s.open }
		},
	}
}

func TestReferenceConforms(t *testing.T) {
	for _, kind := range []lifecycle.Kind{lifecycle.InPlace, lifecycle.Overlapping, lifecycle.Minted} {
		for _, selective := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, selective sessions %t", strings.ReplaceAll(string(kind), "_", " "), selective), func(t *testing.T) {
				Run(t, harness(kind, selective, defects{}))
			})
		}
	}
}
