package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// tellTimeout bounds what telling one person through one notifier takes.
const tellTimeout = 30 * time.Second

// tellUses tells the owner of each key that it was used, through every notifier, once
// per statement that this state knows of. Whoever runs apply does it, whether or not who
// signed did (TellSigned): a thief would not tell. It gives what was done as facts for evidence. Who
// cannot be told is warned of, and holds nothing up: the gates have decided, and a
// dead mail server must not keep a leaked password alive.
func (s *session) tellUses(ctx context.Context, file *plan.File, uses []gate.Use) (map[string]string, diag.Diagnostics) {
	facts := map[string]string{}
	var diags diag.Diagnostics
	notifiers := s.fleet
	if notifiers == nil && len(uses) > 0 {
		notifiers = s.engine.newFleet()
		defer func() { _ = notifiers.Close() }() // who was told is known by then
	}
	for _, u := range uses {
		to := told(u.Approver)
		var via, failed []string
		for _, b := range s.workspace.Notifiers {
			first, err := s.tellOnce(ctx, notifiers, b, s.useNotice(file, u, to))
			switch {
			case err != nil:
				failed = append(failed, b.Key())
				diags = diags.Warnf("The owner of a key was not told", "%s's key %s, and %s could not be told through %s: %s. Tell her by other means.", u.Approver.Name, u.Did, to, b.Key(), strings.TrimSuffix(err.Error(), "."))
			case first:
				via = append(via, b.Key())
			}
		}
		said := u.Did + ", which counts"
		if u.Why != "" {
			said = u.Did + ", which does not count: " + u.Why
		}
		switch {
		case len(via) > 0:
			said += "; told " + to + " through " + strings.Join(via, ", ")
		case len(failed) == 0:
			said += "; " + to + " was told before"
		}
		if len(failed) > 0 {
			said += "; not told through " + strings.Join(failed, ", ")
		}
		facts["key_use "+u.Approver.Name+" "+u.ID[:8]] = said
		if len(via) > 0 {
			s.engine.opts.Events.Emit(event.Event{Type: event.KeyUsed, Level: event.Info, Timestamp: s.engine.opts.Now().UTC(), Message: u.Approver.Name + "'s key " + said})
		}
	}
	return facts, diags
}

// told is where an approver is told: where her block says, else her first mail
// address, else her name.
func told(a config.Approver) string {
	i := slices.IndexFunc(a.Identities, func(id string) bool { return strings.Contains(id, "@") && !strings.Contains(id, ":") })
	if a.Notify == "" && i >= 0 {
		return a.Identities[i]
	}
	return cmp.Or(a.Notify, a.Name)
}

func (s *session) useNotice(file *plan.File, u gate.Use, to string) provider.Notice {
	p := file.Plan
	counts := "It counts."
	if u.Why != "" {
		counts = "It does not count: " + u.Why + "."
	}
	return provider.Notice{
		ID: "key-use/" + u.ID, Kind: "key_used", To: to, Reason: string(p.Reason), Mode: string(p.Mode), Ticket: p.Ticket, Requester: p.Requester,
		Outcome: "key_used", Summary: fmt.Sprintf("The key of %s %s. %s", u.Approver.Name, u.Did, counts),
		Next: notYou,
		At:   s.engine.opts.Now().UTC(),
	}
}

// notYou says what the owner of a key does who did not use it.
const notYou = "If you did not do that, have the key revoked (revoked_at in the approver block), and stop the plan: remint approve -reject with another key of yours."

// tellOnce sends a notice unless the state remembers that this notifier took it.
func (s *session) tellOnce(ctx context.Context, f *fleet.Fleet, b *config.Block, n provider.Notice) (first bool, err error) {
	key := "told/" + n.ID + "/" + b.Key()
	if s.journal != nil {
		switch before, err := s.journal.Recall(ctx, key); {
		case err != nil:
			return false, err
		case before != nil:
			return false, nil
		}
	}
	if !b.Attrs.Known() {
		return false, errors.New("a variable that it needs has no value here")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	sender, err := f.Notifier(ctx, b)
	if err == nil {
		err = sender.Send(ctx, n)
	}
	if err == nil && s.journal != nil {
		if err = s.journal.Remember(ctx, key, nil, []byte(n.At.Format(time.RFC3339))); errors.Is(err, journal.ErrChanged) {
			err = nil // somebody else told it at the same time, under the same key
		}
	}
	return err == nil, err
}
