package providertest

import (
	"slices"
	"sync"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// crowd is how many goroutines call at once.
const crowd = 6

// atOnce runs f in many goroutines; f must not call Fatalf.
func atOnce(f func(i int)) {
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func checkConcurrentReads(b *bench) {
	atOnce(func(int) {
		if _, err := b.p.Identity(background()); err != nil {
			b.Errorf("Identity, called at once: %v", err)
		}
		o, err := b.p.Inspect(background(), b.f.Credential)
		b.leaks.look(b, "Inspect", o, err)
		if err != nil || !o.Exists {
			b.Errorf("Inspect, called at once: Exists %t, error %v", o.Exists, err)
		}
		p, err := b.p.Probe(background(), b.f.Credential, b.f.Current)
		b.leaks.look(b, "Probe", p, err)
		if err != nil || p.Verdict != provider.Accepted {
			b.Errorf("Probe, called at once: %s, error %v", p.Verdict, err)
		}
	})
}

func checkConcurrentChanges(b *bench) {
	before := b.inspect(b.f.Credential)
	var mu sync.Mutex
	made := map[string]secret.Material{}
	fail := func(call string, err error) { b.Errorf("%s, called at once: %v", call, err) }
	keep := func(a provider.Applied, m secret.Material) {
		mu.Lock()
		defer mu.Unlock()
		made[a.Version] = m
	}
	fresh := make([]secret.Material, crowd)
	if settable(b.typ) {
		for i := range fresh {
			fresh[i] = b.fresh()
		}
	}
	atOnce(func(i int) {
		mut := b.mutation(b.f.Credential)
		if s, ok := b.p.(provider.Setter); ok && settable(b.typ) {
			a, err := s.Set(background(), mut, fresh[i])
			b.leaks.look(b, "Set", a, err)
			// A fenced target refuses the slower ones.
			if class := provider.ClassOf(err, provider.Ambiguous); err != nil && class != provider.Conflict {
				fail("Set", err)
			} else if err == nil {
				keep(a, fresh[i])
			}
		}
		if mi, ok := b.p.(provider.Minter); ok && minted(b.typ) {
			m, a, err := mi.Mint(background(), mut, b.args)
			b.learn(m)
			b.leaks.look(b, "Mint", a, err)
			if err != nil {
				fail("Mint", err)
			} else {
				keep(a, m)
			}
		}
	})
	b.settled(before, made, fresh)
}

// settled checks the state that concurrent changes left.
func (b *bench) settled(before provider.Observation, made map[string]secret.Material, fresh []secret.Material) {
	b.Helper()
	after := b.inspect(b.f.Credential)
	if b.typ.Kind == lifecycle.InPlace {
		live := 0
		for _, m := range fresh {
			if b.login(m) {
				live++
			}
		}
		if live != 1 || b.login(b.f.Current) {
			b.Errorf("%d of the secrets that were set at once work, want 1 (and the old one: %t, want false)", live, b.login(b.f.Current))
		}
		return
	}
	if want := len(before.Versions) + crowd; len(after.Versions) != want {
		b.Errorf("Inspect lists %d versions after %d were made at once beside %d: some are lost", len(after.Versions), crowd, len(before.Versions))
	}
	for id, m := range made {
		if !slices.Contains(b.ids(after), id) {
			b.Errorf("version %q, made at once with others, is not in Inspect", id)
		}
		b.wantLive("a secret made at once with others", m)
	}
}
