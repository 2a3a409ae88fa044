package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// Use is the use of a key that the approval is.
func (s *SignedApproval) Use() gate.Use { return gate.Used(s.Approver, s.Approval) }

// Use is the use of a key that the override is.
func (s *SignedOverride) Use() gate.Use {
	return gate.UsedFor(s.Approver, gate.DidOverride(s.Override.PlanID), s.Override)
}

// Use is the use of a key that the statement is.
func (s *SignedBreakGlass) Use() gate.Use {
	return gate.UsedFor(s.Statement.Member, gate.DidBreakGlass(s.Statement.PlanID), s.Statement)
}

// Use is the use of a key that the answer is.
func (s *SignedResolution) Use() gate.Use {
	return gate.UsedFor(s.Resolution.Approver, didAnswer(s.Resolution.Run), s.Resolution)
}

func didAnswer(run string) string { return "answered a question of run " + run }

// TellSigned tells the owner of a key at once, through the declared notifiers, that
// something was signed with it: a stolen key may be used on a plan that nobody ever
// applies. It says who was told through what, "" for nobody. Nothing is undone where she
// cannot be told. The state does not remember that she was, and apply tells her again:
// whoever signs chooses the workspace, and so the notifiers, that tell her. p is the plan
// that it is about, nil where it is not at hand.
func (e *Engine) TellSigned(ctx context.Context, u gate.Use, p *plan.Plan) (string, diag.Diagnostics) {
	w, _, faults := e.load(true) // what there is to warn of was said when it was signed
	if w == nil || faults.HasErrors() {
		return "", diag.Diagnostics{}.Warnf("The owner of a key was not told", "The workspace cannot be read any more. It is told when the plan is applied.")
	}
	if i := slices.IndexFunc(w.Approvers, func(a config.Approver) bool { return a.Name == u.Approver.Name }); i >= 0 {
		u.Approver = w.Approvers[i]
	}
	to := told(u.Approver)
	n := provider.Notice{
		ID: "key-signed/" + u.ID, Kind: "key_used", To: to, Outcome: "key_used", At: e.opts.Now().UTC(),
		Summary: fmt.Sprintf("The key of %s %s. Whether that counts is told when it is used.", u.Approver.Name, u.Did),
		Next:    notYou,
	}
	if p != nil {
		n.Reason, n.Mode, n.Ticket, n.Requester = string(p.Reason), string(p.Mode), p.Ticket, p.Requester
	}
	f := e.newFleet()
	defer func() { _ = f.Close() }() // who was told is known by then
	s := &session{engine: e, workspace: w}
	var via []string
	var diags diag.Diagnostics
	for _, b := range w.Notifiers {
		if b.Range.Filename == "" {
			continue // it is the file that stands in for notifiers, on the machine of who signs
		}
		if _, err := s.tellOnce(ctx, f, b, n); err != nil {
			diags = diags.Warnf("The owner of a key was not told", "%s's key %s, and %s could not be told through %s: %s. What was signed counts all the same, and she is told of it when it is used: by apply, resume or trust accept.",
				u.Approver.Name, u.Did, to, b.Key(), strings.TrimSuffix(err.Error(), "."))
			continue
		}
		via = append(via, b.Key())
	}
	if len(via) == 0 {
		return "", diags
	}
	return to + " is told of this use of the key of " + u.Approver.Name + " through " + strings.Join(via, ", ") + ".", diags
}
