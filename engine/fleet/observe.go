package fleet

import (
	"context"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Observe inspects a credential, and adds what its stores tell: a version that
// a store holds and that the target does not list (a certificate issued before
// records were kept, a key under another comment) is one that must die too. No
// side effects.
func (f *Fleet) Observe(ctx context.Context, c *config.Credential) (provider.Observation, error) {
	p, err := f.Provider(ctx, c.Provider)
	if err != nil {
		return provider.Observation{}, err
	}
	obs, err := p.Inspect(ctx, Credential(c))
	if err != nil {
		return obs, err
	}
	id, ok := p.(provider.Identifier)
	if !ok {
		return obs, nil
	}
	for _, m := range f.Stored(ctx, c) {
		v, err := id.VersionOf(m)
		if err != nil || slices.ContainsFunc(obs.Versions, func(x provider.Version) bool { return x.ID == v }) {
			continue
		}
		obs.Versions = append(obs.Versions, provider.Version{ID: v, Stored: true})
		obs.Notes = append(obs.Notes, "A store holds the version "+v+", which the target does not list for this credential; it is to die too.")
		obs.Exists = true
	}
	obs.Notes = append(obs.Notes, f.beside(ctx, c, id)...)
	return obs, nil
}

// Stored gives the secrets that a credential's stores hold, in the stores' order,
// each with the other stores' fields beside it. What cannot be read back is left
// out: it is not needed, only useful.
func (f *Fleet) Stored(ctx context.Context, c *config.Credential) []secret.Material {
	type held struct {
		field string
		value secret.Value
	}
	var all []held
	for _, b := range c.Stores {
		s, err := f.Store(ctx, b)
		if err != nil {
			continue
		}
		v, err := s.Get(ctx)
		if err != nil || len(v.Reveal()) == 0 {
			continue
		}
		all = append(all, held{b.Field, v})
	}
	var out []secret.Material
	probe := c.Type.ProbeField()
	for _, h := range all {
		if h.field != probe || slices.ContainsFunc(out, func(m secret.Material) bool { return m.Field(probe).Equal(h.value) }) {
			continue
		}
		fields := map[string]secret.Value{}
		for _, other := range all {
			if _, taken := fields[other.field]; !taken {
				fields[other.field] = other.value
			}
		}
		fields[probe] = h.value
		out = append(out, secret.NewMaterial(fields))
	}
	return out
}
