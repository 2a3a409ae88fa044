package planner

import (
	"context"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/plan"
)

// baseline are the trust base's credentials, by address, and by what they are at their
// targets: for sure (config.Credential.Places), or if these are one. byFile are those
// that have a store in a file.
type baseline struct {
	byAddress                  map[string]*config.Credential
	byPlace, byAccount, byFile map[string][]*config.Credential
}

// held is a credential of the base that a reset is held against. store is the reset's
// that writes where that credential's secret is, if that alone makes it one.
type held struct {
	was   *config.Credential
	store *config.Block
}

// baseline is nil if the base holds no credentials, and so is no version of this workspace.
func (p *Planner) baseline() *baseline {
	if p.Base == nil || len(p.Base.Credentials) == 0 {
		return nil
	}
	out := &baseline{
		byAddress: make(map[string]*config.Credential, len(p.Base.Credentials)),
		byPlace:   map[string][]*config.Credential{}, byAccount: map[string][]*config.Credential{}, byFile: map[string][]*config.Credential{},
	}
	for _, c := range p.Base.Credentials {
		out.byAddress[c.Addr.String()] = c
		for _, place := range c.Places() {
			out.byPlace[place] = append(out.byPlace[place], c)
		}
		if account, known := c.Account(); known {
			out.byAccount[account] = append(out.byAccount[account], c)
		}
		for _, store := range c.Stores {
			if store.File != "" {
				out.byFile[store.File] = append(out.byFile[store.File], c)
			}
		}
	}
	return out
}

// teller says whether a credential of the trust base lies at the target of the reset
// that is held against it, where the blocks alone do not tell. It may ask the targets.
type teller func(there *config.Credential) (bool, error)

// untold is a credential of the base of which nobody could say that.
type untold struct {
	of    *config.Credential
	cause error
}

// counterparts are the credentials of the base that c is held against: first the one
// at its address, if there is one, then all that are the same account at others, then
// those whose secret is where a store of c writes: a reset would read it there as its
// own, or overwrite it. Where the first is c's account already, the base itself has said
// what holds for it, and no target is asked about further ones.
func (b *baseline) counterparts(c *config.Credential, told teller) ([]held, *untold) {
	was := b.byAddress[c.Addr.String()]
	var others []*config.Credential
	for _, place := range c.Places() {
		others = append(others, b.byPlace[place]...)
	}
	if account, known := c.Account(); known && (was == nil || c.Like(was) != config.One) {
		for _, other := range b.byAccount[account] {
			if c.Like(other) != config.Unsure {
				continue
			}
			switch same, err := told(other); {
			case err != nil:
				return nil, &untold{other, err}
			case same:
				others = append(others, other)
			}
		}
	}
	slices.SortFunc(others, byAddress)
	var out []held
	if was != nil {
		out = append(out, held{was: was})
	}
	for _, other := range slices.Compact(others) {
		if other != was {
			out = append(out, held{was: other})
		}
	}
	return append(out, b.stored(c, out)...), nil
}

// stored are the credentials of the base that have a store where c has one, but for
// those that c is held against already.
func (b *baseline) stored(c *config.Credential, already []held) (out []held) {
	for _, store := range c.Stores {
		for _, other := range b.byFile[store.File] {
			known := func(h held) bool { return h.was == other }
			if !slices.ContainsFunc(already, known) && !slices.ContainsFunc(out, known) && slices.ContainsFunc(other.Stores, store.SamePlace) {
				out = append(out, held{other, store})
			}
		}
	}
	slices.SortFunc(out, func(x, y held) int { return byAddress(x.was, y.was) })
	return out
}

func byAddress(x, y *config.Credential) int { return strings.Compare(x.Addr.String(), y.Addr.String()) }

// asking tells by the identities of the targets. Two that are not of one form cannot be
// compared, and count as one. Offline nobody is asked: such a plan is not applied.
func (p *Planner) asking(ctx context.Context, ask *asker, r *Reset) teller {
	return func(there *config.Credential) (bool, error) {
		if p.Fleet == nil {
			return false, nil
		}
		block := there.Provider
		if ours := p.Workspace.Providers[block.Key()]; ours != nil {
			block = ours // one instance of each is opened
		}
		identity, err := ask.identity(ctx, block)
		mine := r.Plan.Observed.Target
		return identity == mine || form(identity) != form(mine), err
	}
}

// form is what stands before the identity itself.
func form(identity string) string {
	form, _, _ := strings.Cut(identity, ":")
	return form
}

// recalling tells by what was told when the plan was made.
func recalling(made *plan.Change) teller {
	return func(there *config.Credential) (bool, error) {
		address := there.Addr.String()
		return made != nil && (made.Address == address ||
			slices.ContainsFunc(made.Others, func(o plan.Counterpart) bool { return o.Address == address })), nil
	}
}
