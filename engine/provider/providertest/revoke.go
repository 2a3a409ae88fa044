package providertest

import (
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// live lists the IDs that Inspect shows of the credential.
func (b *bench) live() []string {
	b.Helper()
	var ids []string
	for _, v := range b.inspect(b.f.Credential).Versions {
		ids = append(ids, v.ID)
	}
	return ids
}

func checkRevokeInPlace(b *bench) {
	before := b.inspect(b.f.Credential)
	for _, times := range []string{"once", "twice"} {
		b.revoke(b.mutation(b.f.Credential), b.ids(before)...)
		b.wantDead("the right secret after Revoke "+times, b.f.Current)
		b.wantDead("a wrong secret after Revoke "+times, b.wrong())
	}
	if o := b.inspect(b.f.Credential); o.Enabled {
		b.Errorf("Inspect says Enabled after Revoke: nobody can log in with any secret")
	}
	m := b.fresh()
	b.set(b.mutation(b.f.Credential), m)
	b.wantLive("the new secret of a Set after Revoke", m)
	b.wantDead("the revoked secret after the next Set", b.f.Current)
	if o := b.inspect(b.f.Credential); !o.Exists || !o.Enabled {
		b.Errorf("Inspect says Exists %t, Enabled %t after Revoke and Set: Set must enable login in the same operation", o.Exists, o.Enabled)
	}
}

func (b *bench) ids(o provider.Observation) []string {
	var ids []string
	for _, v := range o.Versions {
		ids = append(ids, v.ID)
	}
	return ids
}

func checkRevokeNamed(b *bench) {
	old := b.live()
	first, a := b.issue()
	second, _ := b.issue()
	for _, times := range []string{"once", "twice"} {
		b.revoke(b.mutation(b.f.Credential), a.Version)
		b.wantDead("the version that was revoked "+times, first)
		b.wantLive("a newer version that was not named to Revoke", second)
		b.wantLive("an older version that was not named to Revoke", b.f.Current)
	}
	b.revoke(b.mutation(b.f.Credential), old...)
	b.wantDead("the oldest version after Revoke", b.f.Current)
	b.wantLive("the new version after Revoke of all others", second)
}

func checkRevokeUnknown(b *bench) {
	b.revoke(b.mutation(b.f.Credential), "no-such-version")
	b.wantLive("the current secret after Revoke of a version that is not there", b.f.Current)
}

func checkRevokeAll(b *bench) {
	extra := b.f.Current
	if b.typ.Kind != lifecycle.InPlace {
		extra, _ = b.issue()
	}
	for range 2 {
		b.revoke(b.mutation(b.f.Credential))
		b.wantDead("the first version after Revoke of all", b.f.Current)
		b.wantDead("the last version after Revoke of all", extra)
	}
	if o := b.inspect(b.f.Credential); o.Enabled {
		b.Errorf("Inspect says Enabled after Revoke of all versions")
	}
}

func checkRevokeAbsent(b *bench) {
	for range 2 {
		b.revoke(b.mutation(b.f.Absent))
	}
	if o := b.inspect(b.f.Absent); o.Exists {
		b.Errorf("Revoke made a credential that was not there")
	}
	b.wantLive("the credential beside it", b.f.Current)
}

func checkRetire(b *bench) {
	r, ok := b.p.(provider.Retirer)
	if !ok {
		return
	}
	var versions []string // as the engine names them: of what is in place, none
	if b.typ.Kind != lifecycle.InPlace {
		versions = append(b.live(), "no-such-version")
	}
	for range 2 {
		a, err := r.Retire(background(), b.mutation(b.f.Credential), versions)
		b.leaks.look(b, "Retire", a, err)
		if err != nil {
			b.Fatalf("Retire: %v\nRetiring what is retired succeeds.", err)
		}
		b.wantDead("the secret of a retired credential", b.f.Current)
	}
	if o := b.inspect(b.f.Credential); o.Enabled {
		b.Errorf("Inspect says Enabled after Retire")
	}
	a, err := r.Retire(background(), b.mutation(b.f.Absent), nil)
	b.leaks.look(b, "Retire", a, err)
	if err != nil {
		b.Errorf("Retire of what is absent: %v; it must succeed", err)
	}
}
