package providertest

import (
	"slices"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// wantLive checks from outside and by Probe that m works.
func (b *bench) wantLive(what string, m secret.Material) {
	b.Helper()
	if !b.login(m) {
		b.Errorf("%s does not log in", what)
	}
	b.wantVerdict(what, b.probe(m), provider.Accepted)
}

// wantDead checks from outside and by Probe that m does not work.
func (b *bench) wantDead(what string, m secret.Material) {
	b.Helper()
	if b.login(m) {
		b.Errorf("%s still logs in", what)
	}
	b.wantVerdict(what, b.probe(m), provider.Refused)
}

// wantApplied checks a's clock against the target's, and its version against
// what Inspect lists.
func (b *bench) wantApplied(call string, a provider.Applied, before, after provider.Observation) {
	b.Helper()
	if a.At.Before(before.Now) || a.At.After(after.Now) {
		b.Errorf("%s: Applied.At %v is not between the target's %v before and %v after: take it from the target's clock, just after the change", call, a.At, before.Now, after.Now)
	}
	if len(after.Versions) == 0 && b.typ.Kind == lifecycle.InPlace {
		return // a target that does not show its versions
	}
	if a.Version == "" || len(after.Versions) == 0 || after.Versions[0].ID != a.Version {
		b.Errorf("%s: Applied.Version %q is not the newest that Inspect lists: %+v", call, a.Version, after.Versions)
	}
}

func checkSetReplaces(b *bench) {
	before, m := b.inspect(b.f.Credential), b.fresh()
	a := b.set(b.mutation(b.f.Credential), m)
	b.wantLive("the new secret after Set", m)
	b.wantDead("the old secret after Set", b.f.Current)
	after := b.inspect(b.f.Credential)
	b.wantApplied("Set", a, before, after)
	if len(after.Versions) > 1 {
		b.Errorf("Inspect lists %d versions of an in_place credential after Set", len(after.Versions))
	}
	if len(before.Versions) > 0 && len(after.Versions) > 0 && before.Versions[0].ID == after.Versions[0].ID {
		b.Errorf("the version ID is still %q after Set: a new secret is a new version", after.Versions[0].ID)
	}
}

func checkSetAdds(b *bench) {
	before, m := b.inspect(b.f.Credential), b.fresh()
	a := b.set(b.mutation(b.f.Credential), m)
	b.wantLive("the new secret after Set", m)
	b.wantLive("the old secret after Set of an overlapping type", b.f.Current)
	after := b.inspect(b.f.Credential)
	b.wantApplied("Set", a, before, after)
	b.wantKept(before, after)
}

// wantKept checks that after lists all versions of before and one more.
func (b *bench) wantKept(before, after provider.Observation) {
	b.Helper()
	for _, v := range before.Versions {
		if !slices.ContainsFunc(after.Versions, func(w provider.Version) bool { return w.ID == v.ID }) {
			b.Errorf("version %q is gone from Inspect, though nobody revoked it", v.ID)
		}
	}
	if len(after.Versions) != len(before.Versions)+1 {
		b.Errorf("Inspect lists %d versions after one was added to %d", len(after.Versions), len(before.Versions))
	}
	checkVersions(b, after)
}

func checkSetTwice(b *bench) {
	m, mut := b.fresh(), b.mutation(b.f.Credential)
	b.set(mut, m)
	once := b.inspect(b.f.Credential)
	b.set(mut, m)
	twice := b.inspect(b.f.Credential)
	if len(once.Versions) != len(twice.Versions) {
		b.Errorf("Set twice left %d versions, once %d: setting the same material again is the same as setting it once", len(twice.Versions), len(once.Versions))
	}
	if b.typ.Kind == lifecycle.Overlapping {
		if diff := steady(once, twice); diff != "" {
			b.Errorf("Set twice differs from Set once:\n%s", diff)
		}
	}
	b.wantLive("a secret that was set twice", m)
}

func checkSetEmpty(b *bench) {
	s, ok := b.p.(provider.Setter)
	if !ok {
		b.Fatalf("types of kind %s need the capability provider.Setter", b.typ.Kind)
	}
	a, err := s.Set(background(), b.mutation(b.f.Credential), secret.Material{})
	b.leaks.look(b, "Set", a, err)
	if err == nil {
		b.Fatalf("Set of empty material succeeds: it must be a Permanent error, not an empty secret")
	}
	b.wantClassed("Set of empty material", err)
	b.wantLive("the current secret after a Set that failed", b.f.Current)
}

func checkMint(b *bench) {
	before := b.inspect(b.f.Credential)
	mut := b.mutation(b.f.Credential)
	m, a := b.mint(mut)
	checkNames(b, b.typ, m)
	after := b.inspect(b.f.Credential)
	b.wantApplied("Mint", a, before, after)
	b.wantKept(before, after)
	if len(after.Versions) > 0 && after.Versions[0].Label != mut.Label {
		b.Errorf("the minted version has the label %q in Inspect, want %q: without it an orphan cannot be found", after.Versions[0].Label, mut.Label)
	}
	b.wantLive("the minted secret", m)
	b.wantLive("the old secret after Mint", b.f.Current)

	next, again := b.mint(b.mutation(b.f.Credential))
	name := secretField(b.typ)
	if next.Field(name).Equal(m.Field(name)) || m.Field(name).Equal(b.f.Current.Field(name)) {
		b.Errorf("Mint gave the same %s twice: every version needs a secret of its own", name)
	}
	if again.Version == a.Version {
		b.Errorf("Mint gave the version ID %q twice", a.Version)
	}
}

// checkOrphan plays a run that lost the answer of its Mint.
func checkOrphan(b *bench) {
	mut := b.mutation(b.f.Credential)
	lost, _ := b.mint(mut)
	var found []string
	for _, v := range b.inspect(b.f.Credential).Versions {
		if v.Label == mut.Label {
			found = append(found, v.ID)
		}
	}
	if len(found) != 1 {
		b.Fatalf("Inspect lists %d versions with the label of one Mint, want 1: keep Mutation.Label at the target", len(found))
	}
	b.revoke(mut, found...)
	again, _ := b.mint(mut)
	b.wantDead("the orphan after it was revoked", lost)
	b.wantLive("the secret minted in its place under the same label", again)
	b.wantLive("the current secret", b.f.Current)
}
