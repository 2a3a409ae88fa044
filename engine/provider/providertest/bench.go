package providertest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// bench is one rule's fixture with an opened provider. Its methods call the
// provider, fail the rule on an error, and look for leaked secrets in every
// answer.
type bench struct {
	t *testing.T // for the fixture's own work
	reporter
	h     Harness
	typ   *provider.CredentialType
	f     Fixture
	p     provider.Provider
	args  provider.Attrs
	leaks leaks
	count atomic.Int64
	// unmade is set once Fixture.Unmade took away more than the one credential.
	unmade bool
}

func newBench(t *testing.T, rep reporter, h Harness) *bench {
	b := &bench{t: t, reporter: rep, h: h, typ: findType(h), f: h.Setup(t), args: h.Args}
	if len(b.args.Public()) == 0 {
		b.args = Defaults(b.typ.Issue.Schema, nil)
	}
	b.learn(b.f.Current)
	b.learn(b.f.Wrong)
	p, err := h.Definition.Open(background(), b.f.Block)
	b.leaks.look(b, "Open", nil, err)
	if err != nil {
		b.Fatalf("Open(Fixture.Block): %v", err)
	}
	b.p = p
	return b
}

// learn makes m's secret fields canaries.
func (b *bench) learn(m secret.Material) {
	for _, name := range m.Names() {
		if f, ok := b.typ.Field(name); !ok || !f.Public {
			b.leaks.add(name, m.Field(name).Reveal())
		}
	}
}

func (b *bench) others() string {
	if b.f.Others == nil {
		return ""
	}
	return b.f.Others(b.t)
}

func (b *bench) login(m secret.Material) bool { return b.f.Login(b.t, m) }

// mutation gives a change of c a label of its own and a growing fence.
func (b *bench) mutation(c provider.Credential) provider.Mutation {
	n := b.count.Add(1)
	return provider.Mutation{Credential: c, Label: fmt.Sprintf("remint-conformance-%d", n), Fence: n}
}

func (b *bench) inspect(c provider.Credential) provider.Observation {
	b.Helper()
	o, err := b.p.Inspect(background(), c)
	b.leaks.look(b, "Inspect", o, err)
	if err != nil {
		b.Fatalf("Inspect: %v\nA credential that is absent, disabled or odd is an Observation; keep errors for a target that cannot be read.", err)
	}
	if o.Unlisted && len(o.Versions) > 0 {
		b.Errorf("Inspect says Unlisted and lists %d versions: it is for versions that could not be read at all", len(o.Versions))
	}
	return o
}

func (b *bench) probe(m secret.Material) provider.Probe {
	b.Helper()
	return b.probeAs(b.f.Credential, m)
}

func (b *bench) probeAs(c provider.Credential, m secret.Material) provider.Probe {
	b.Helper()
	p, err := b.p.Probe(background(), c, m)
	b.leaks.look(b, "Probe", p, err)
	if err != nil {
		b.Fatalf("Probe: %v\nAn answer of the target is a Verdict; keep errors for what could not be asked.", err)
	}
	return p
}

// fresh is a new secret that the target has not seen (types that are not minted).
func (b *bench) fresh() secret.Material {
	b.Helper()
	m, err := b.typ.Issue.Generate(b.args)
	b.learn(m)
	b.leaks.look(b, "Generate", m, err)
	if err != nil {
		b.Fatalf("Issue.Generate: %v", err)
	}
	return m
}

// wrong is a well-formed secret that does not work.
func (b *bench) wrong() secret.Material {
	b.Helper()
	switch {
	case !b.f.Wrong.IsZero():
		return b.f.Wrong
	case b.typ.Issue.Generate != nil:
		return b.fresh()
	}
	m, a := b.mint(b.mutation(b.f.Credential))
	b.revoke(b.mutation(b.f.Credential), a.Version)
	return m
}

func (b *bench) set(mut provider.Mutation, m secret.Material) provider.Applied {
	b.Helper()
	s, ok := b.p.(provider.Setter)
	if !ok {
		b.Fatalf("types of kind %s need the capability provider.Setter", b.typ.Kind)
	}
	a, err := s.Set(background(), mut, m)
	b.leaks.look(b, "Set", a, err)
	if err != nil {
		b.Fatalf("Set: %v", err)
	}
	return a
}

func (b *bench) mint(mut provider.Mutation) (secret.Material, provider.Applied) {
	b.Helper()
	mi, ok := b.p.(provider.Minter)
	if !ok {
		b.Fatalf("types of kind %s need the capability provider.Minter", b.typ.Kind)
	}
	m, a, err := mi.Mint(background(), mut, b.args)
	b.learn(m)
	b.leaks.look(b, "Mint", []any{m, a}, err)
	if err != nil {
		b.Fatalf("Mint: %v", err)
	}
	return m, a
}

// issue makes and installs a new secret, whatever the kind.
func (b *bench) issue() (secret.Material, provider.Applied) {
	b.Helper()
	if b.typ.Kind == lifecycle.Minted {
		return b.mint(b.mutation(b.f.Credential))
	}
	m := b.fresh()
	return m, b.set(b.mutation(b.f.Credential), m)
}

func (b *bench) revoke(mut provider.Mutation, versions ...string) provider.Applied {
	b.Helper()
	r, ok := b.p.(provider.Revoker)
	if !ok {
		b.Fatalf("every type needs the capability provider.Revoker: containment starts with it")
	}
	a, err := r.Revoke(background(), mut, versions)
	b.leaks.look(b, "Revoke", a, err)
	if err != nil {
		b.Fatalf("Revoke(%q): %v\nRevoking what is revoked, unknown or absent succeeds.", versions, err)
	}
	return a
}
