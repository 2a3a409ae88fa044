package providertest

import (
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// unmake takes away what the target keeps its credentials in, and says what it had.
func (b *bench) unmake() (versions []string, ok bool) {
	b.Helper()
	if b.f.Unmade == nil {
		b.Logf("Fixture.Unmade is not given: not checked")
		return nil, false
	}
	if b.typ.Kind != lifecycle.InPlace {
		versions = append(b.live(), "no-such-version")
	}
	b.f.Unmade(b.t)
	b.unmade = true
	return versions, true
}

// wantNothing checks the questions that the engine asks of what is not there yet: each
// is answered, since a reset that is under way cannot go on without.
func (b *bench) wantNothing(when string) {
	b.Helper()
	if o := b.inspect(b.f.Credential); o.Exists || o.Enabled || len(o.Versions) > 0 {
		b.Errorf("Inspect %s says Exists %t, Enabled %t, %d versions: nothing of it is there", when, o.Exists, o.Enabled, len(o.Versions))
	}
	// What is minted may be valid by itself, whatever the target keeps of it.
	if p := b.probe(b.f.Current); p.Verdict == provider.Accepted && b.typ.Kind != lifecycle.Minted {
		b.Errorf("Probe %s is accepted: nothing is there that could accept", when)
	}
	if c, ok := b.p.(provider.Controller); ok {
		p, err := c.Control(background(), b.f.Credential)
		b.leaks.look(b, "Control", p, err)
		if err != nil {
			b.Errorf("Control %s: %v\nA reset that must show that nothing is alive there would stop for good: answer with a Verdict.", when, err)
		}
	}
	if l, ok := b.p.(provider.Lister); ok {
		if names, err := l.List(background(), b.typ.Name); err != nil || len(names) > 0 {
			b.Errorf("List %s: %q, %v: there is nothing to list, which is no fault", when, names, err)
		}
	}
}

// checkContainUnmade goes through contain: kill whatever is there, show that it is
// dead, then make a new one.
func checkContainUnmade(b *bench) {
	versions, ok := b.unmake()
	if !ok {
		return
	}
	b.wantNothing("before anything is made")
	for range 2 {
		b.revoke(b.mutation(b.f.Credential), versions...)
	}
	b.wantNothing("after Revoke of what is not there")
	m, _ := b.issue()
	b.wantLive("the first secret", m)
}

// checkRetireUnmade goes through retire, after which nothing is there either.
func checkRetireUnmade(b *bench) {
	versions, ok := b.unmake()
	if !ok {
		return
	}
	r, retires := b.p.(provider.Retirer)
	for range 2 {
		if !retires {
			b.revoke(b.mutation(b.f.Credential), versions...)
			continue
		}
		if b.typ.Kind == lifecycle.InPlace {
			versions = nil
		}
		a, err := r.Retire(background(), b.mutation(b.f.Credential), versions)
		b.leaks.look(b, "Retire", a, err)
		if err != nil {
			b.Fatalf("Retire of what is not there: %v; it must succeed", err)
		}
	}
	b.wantNothing("after Retire of what is not there")
}
