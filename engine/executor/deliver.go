package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// distribute puts the new secret into one store, or empties it when the
// credential is retired. Both may be done again.
func (r *reset) distribute(ctx context.Context, st config.Step) (entry, error) {
	var e entry
	if st.Store == nil {
		return e, provider.Errorf(provider.Permanent, "step %s names no store: it needs for_each = credential.stores", st.Addr)
	}
	store, err := r.x.Fleet.Store(ctx, st.Store)
	if err != nil {
		return e, err
	}
	e.fact("store", "%s", st.Store.Key())
	if r.mode() == lifecycle.Retire {
		if err := r.mine(ctx); err != nil {
			return e, err
		}
		e.fact("detail", "emptied")
		return e, store.Empty(ctx)
	}
	m, err := r.newSecret(ctx, st)
	if err != nil {
		return e, err
	}
	value := m.Field(st.Store.Field)
	if value.IsZero() {
		return e, provider.Errorf(provider.Permanent, "the new secret has no field %q for store %s", st.Store.Field, st.Store.Key())
	}
	if err := r.taken(ctx, st, store); err != nil {
		return e, err
	}
	if err := r.mine(ctx); err != nil {
		return e, err
	}
	if err := store.Put(ctx, value); err != nil {
		return e, err
	}
	holds, err := store.Holds(ctx, value)
	if err != nil && !errors.Is(err, provider.ErrWriteOnly) {
		return e, err
	}
	if !holds {
		return e, provider.Errorf(provider.Conflict, "store %s does not hold what was just put into it: something else writes there", st.Store.Key())
	}
	e.fact("field", "%s", st.Store.Field)
	return e, nil
}

// reload makes one consumer pick up the new secret.
func (r *reset) reload(ctx context.Context, st config.Step) (entry, error) {
	var e entry
	if st.Consumer == nil {
		return e, provider.Errorf(provider.Permanent, "step %s names no consumer: it needs for_each = credential.consumers", st.Addr)
	}
	c, err := r.x.Fleet.Consumer(ctx, st.Consumer)
	if err != nil {
		return e, err
	}
	if err := r.mine(ctx); err != nil {
		return e, err
	}
	e.fact("consumer", "%s", st.Consumer.Key())
	return e, c.Reload(ctx, r.label(st.Addr.String()))
}

// notify tells people through every notifier that the step names.
func (r *reset) notify(ctx context.Context, st config.Step) (entry, error) {
	var e entry
	people := r.people(st.To)
	var told []string
	for _, b := range r.x.Notifiers {
		if len(st.Via) > 0 && !slices.Contains(st.Via, b.Key()) && !b.Bound {
			continue
		}
		s, err := r.x.Fleet.Notifier(ctx, b)
		if err == nil {
			err = r.mine(ctx)
		}
		for i, to := range people {
			if err == nil {
				err = s.Send(ctx, r.numbered(r.notice("finished", to), st.Addr.String(), i))
			}
		}
		if err != nil {
			return e, err
		}
		told = append(told, b.Key())
	}
	if len(told) == 0 {
		return e, provider.Errorf(provider.Permanent, "step %s names no notifier that is declared", st.Addr)
	}
	e.fact("to", "%s", strings.Join(people, ", "))
	e.fact("via", "%s", strings.Join(told, ", "))
	return e, nil
}

// people are who is told: to, and where the workspace differs from its trust base, the
// base's owners.
func (r *reset) people(to string) []string {
	out := []string{to}
	for _, owner := range r.Plan.BaseOwners() {
		if owner != to {
			out = append(out, owner)
		}
	}
	return out
}

// numbered gives a notice its key, which recurs when it is sent again.
func (r *reset) numbered(n provider.Notice, what string, i int) provider.Notice {
	n.ID = r.job.Run + "/" + r.address + "/" + what
	if i > 0 {
		n.ID += "/" + strconv.Itoa(i+1)
	}
	return n
}

// notice is what people are told about this reset so far.
func (r *reset) notice(kind, to string) provider.Notice {
	p := r.job.File.Plan
	n := provider.Notice{
		Kind: kind, Run: r.job.Run, Address: r.address, Type: r.Plan.CredentialType, Owner: r.Plan.Owner, To: to,
		Reason: string(p.Reason), Mode: string(p.Mode), Ticket: p.Ticket, Requester: p.Requester,
		Outcome: kind, Proof: string(r.proof()), Summary: r.told(), At: r.x.now(),
	}
	for _, st := range r.Plan.Steps {
		if past := r.past.steps[st.Address]; past.done() && r.effective(st.Phase) && st.Phase != lifecycle.Notify {
			change := st.Summary + " (" + st.Target + ")"
			if past.entry.Proof == lifecycle.Reported {
				change += ", by its own records"
			}
			if past.kind == journal.Asserted {
				change += ", as " + past.entry.AssertedBy + " says"
			}
			n.Changes = append(n.Changes, change)
		}
	}
	return n
}

// tellOwner tells the owner that a reset stopped after something was changed. It
// is tried once: the run's own output and evidence say the same.
func (r *reset) tellOwner(ctx context.Context, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
	defer cancel()
	for _, b := range r.x.Notifiers {
		s, err := r.x.Fleet.Notifier(ctx, b)
		if err == nil {
			err = r.mine(ctx)
		}
		for i, to := range r.people(r.Plan.Owner) {
			if err == nil {
				n := r.numbered(r.notice("halted", to), "halted", i)
				n.Summary = fmt.Sprintf("The reset of %s was begun and is not finished: %s", r.address, cause)
				n.Next = "remint resume " + r.job.Run
				err = s.Send(ctx, n)
			}
		}
		if err != nil {
			r.tell(event.Event{Type: event.Diagnostic, Level: event.Warn, Message: "The owner could not be told through " + b.Key() + ": " + err.Error()})
		}
	}
}
