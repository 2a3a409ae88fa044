package executor

import (
	"context"
	"errors"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// again reports whether a step that is done is to be done once more, because an earlier
// process did it, and what the end of the reset rests on may have been undone since:
// hours may lie between the two, in which somebody restored a backup. A store is not
// looked into where a person answered for it.
//
// The last proof is always made again: until then nothing says that the old secret is
// dead now. Proofs before it have a later one to come, and cannot be made again where
// the new secret is not set yet.
func (r *reset) again(ctx context.Context, st config.Step) bool {
	past := r.past.steps[st.Addr.String()]
	if !past.clock.IsZero() {
		return false
	}
	switch st.Phase {
	case lifecycle.Prove:
		return !slices.ContainsFunc(r.after(st), func(later config.Step) bool { return later.Phase == lifecycle.Prove })
	case lifecycle.Distribute:
		return past.kind == journal.Done && r.undone(ctx, st)
	case lifecycle.Reload:
		return r.stored // what it picked up then may not be what the store has now
	}
	return false
}

// after gives the steps that come after st.
func (r *reset) after(st config.Step) []config.Step {
	i := slices.IndexFunc(r.steps, func(x config.Step) bool { return x.Addr == st.Addr })
	return r.steps[i+1:]
}

// undone reports whether a store is not as an earlier process left it: it does not hold
// the new secret, or, in retire, holds an old one again. A store that gives no answer is
// written to again, which tells what is wrong with it; in retire it is left, since what
// it may hold is shown to be dead. One that cannot be read back is taken at its word, and
// so is each where the target was never seen to accept the new secret: whether that is
// the living one cannot be told then.
func (r *reset) undone(ctx context.Context, st config.Step) (undone bool) {
	retired := r.mode() == lifecycle.Retire
	if !retired && !r.confirmed() {
		return false
	}
	defer func() {
		if recover() != nil { // a defect, which writing to it again tells of
			undone = !retired
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	store, err := r.x.Fleet.Store(ctx, st.Store)
	if err != nil {
		return !retired
	}
	names := r.past.old
	if !retired {
		names = []string{st.Secret.String()}
	}
	for _, name := range names {
		m, err := r.material(ctx, name)
		if err != nil {
			return !retired
		}
		value := m.Field(st.Store.Field)
		if value.IsZero() {
			continue
		}
		holds, err := store.Holds(ctx, value)
		switch {
		case errors.Is(err, provider.ErrWriteOnly):
			return false
		case err != nil:
			return !retired
		case holds == retired:
			return true
		}
	}
	return false
}

// taken reports whether a store that an earlier process put the new secret into, and
// that lost it, has something else now than nothing or the old one: it may be the only
// copy of what somebody made since, and is not overwritten.
func (r *reset) taken(ctx context.Context, st config.Step, store provider.Store) error {
	if !r.past.steps[st.Addr.String()].once {
		return nil
	}
	has, err := store.Get(ctx)
	switch {
	case errors.Is(err, provider.ErrWriteOnly):
		return nil
	case err != nil:
		return err
	case len(has.Reveal()) == 0:
		return nil
	}
	for _, name := range slices.Concat([]string{st.Secret.String()}, r.past.old) {
		m, err := r.material(ctx, name)
		if err != nil {
			return err
		}
		if m.Field(st.Store.Field).Equal(has) {
			return nil
		}
	}
	return provider.Errorf(provider.Conflict, "store %s holds neither the new secret, which this run put there, nor the old one: somebody wrote to it since. "+
		"Find out whose it is, empty the store, and resume", st.Store.Key())
}

// revived adds to what shows that an old secret is alive what that means where an
// earlier process had shown that it is dead.
func (r *reset) revived() string {
	again := slices.ContainsFunc(r.steps, func(st config.Step) bool {
		return st.Phase == lifecycle.Prove && r.past.steps[st.Addr.String()].once
	})
	if r.proved == "" && !again {
		return ""
	}
	return ". It was dead before this run was interrupted, so somebody put it back, as from a backup. " +
		"Find out who. Then revoke it by hand and resume; or plan a reset of it again, after which a resume closes this run"
}
