package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/verify"
)

// Glass says whether the glass may be broken for a plan.
type Glass struct {
	// Member is who signed for it, Signed what and Document as found. Signed is nil
	// while no statement counts.
	Member   config.Approver
	Signed   *evidence.BreakGlass
	Document Document
	// Ignored explains every statement that does not count, a sentence each.
	Ignored []string
	// Missing are sentences about what is not there yet, with what to do.
	Missing []string
	// Uses are all uses of approvers' keys, counted or not.
	Uses []Use
}

// Break finds out whether the glass may be broken: a statement by a member who is
// verified for this very plan, which is not about too much.
func (q Question) Break(may *config.BreakGlass, documents []Document) Glass {
	var out Glass
	q.Approvers = Persons(q.Approvers)
	if may == nil {
		out.Missing = []string{"There is no break_glass block, so there is no glass to break: it has to be declared, in the trust base where there is one, before it is needed."}
		return out
	}
	if n := len(q.File.Plan.Resets); n > may.MaxTargets {
		out.Missing = append(out.Missing, fmt.Sprintf("The plan is about %d credentials, and the break_glass block allows %d (max_targets). Plan fewer.", n, may.MaxTargets))
	}
	for _, d := range documents {
		a, signed, why := q.statement(may, d)
		if signed != nil {
			out.Uses = append(out.Uses, usedFor(a, DidBreakGlass(signed.PlanID), signed, why))
		}
		if why != "" {
			out.Ignored = append(out.Ignored, d.Name+" does not count: "+why+".")
			continue
		}
		if out.Signed == nil {
			out.Member, out.Signed, out.Document = a, signed, d
		}
	}
	if out.Signed == nil {
		who := "nobody is in it"
		if names := q.members(may.Group); len(names) > 0 {
			who = strings.Join(names, ", ")
		}
		out.Missing = append(out.Missing, fmt.Sprintf("No member of the group %s (%s) has signed for this plan: remint break-glass -key=FILE -reason=R PLAN.", may.Group, who))
		return out
	}
	if !q.known(out.Member) {
		out.Missing = append(out.Missing, fmt.Sprintf("%s breaks the glass, and must be verified at %s or better by something that is bound to this plan: remint verify PLAN.", out.Member.Name, lifecycle.AAL2))
	}
	return out
}

func (q Question) members(group string) []string {
	var out []string
	for _, a := range q.Approvers {
		if slices.Contains(a.Groups, group) && a.Ended(q.Now) == "" {
			out = append(out, a.Name)
		}
	}
	return out
}

// known reports whether a was verified at aal2 or better, for this plan.
func (q Question) known(a config.Approver) bool {
	return slices.ContainsFunc(q.Verified.Accepted, func(v verify.Accepted) bool {
		return v.Address == "" && v.Bound && v.Strength.AtLeast(lifecycle.AAL2) && Is(a, v.Identity)
	})
}

// statement says whose statement d is, or why it does not count. She may be the
// requester, and the operator: at night she may be alone with one other approver.
func (q Question) statement(may *config.BreakGlass, d Document) (config.Approver, *evidence.BreakGlass, string) {
	signed, err := evidence.ParseBreakGlass(d.Content)
	if err != nil {
		return config.Approver{}, nil, err.Error()
	}
	a, _, found, why := q.signatory(evidence.BreakGlassType, d)
	if !found {
		return config.Approver{}, nil, cmp.Or(why, "it is not signed by any approver of this workspace")
	}
	why = q.unbound(signed.Binding)
	switch ended := a.Ended(q.Now); {
	case why != "":
	case ended != "":
		why = a.Name + "'s key " + ended
	case !slices.Contains(a.Groups, may.Group):
		why = a.Name + " is not in the group " + may.Group
	case signed.ExpiresAt.Sub(signed.CreatedAt) > may.MaxExpires:
		why = "it would count for longer than max_expires, " + may.MaxExpires.String()
	}
	return a, signed, why
}

// Lowered is the question that is left once the glass is broken: one approver beside
// the member, and whatever verification policies ask for.
func (q Question) Lowered(g Glass) Question {
	q.Requirements = plan.Requirements{Approvals: []plan.Approvals{{Count: 1, Addresses: []string{}}}, Strength: q.Requirements.Strength}
	q.Anyone = true // who asks is known: she who breaks it
	q.Operators = append(slices.Clone(q.Operators), g.Member.Name)
	q.Documents = slices.DeleteFunc(slices.Clone(q.Documents), func(d Document) bool {
		by, found := q.Signatory(evidence.ApprovalType, d)
		return found && person(by) == person(g.Member)
	})
	return q
}

// LiftAll lifts every denial of an overridable policy, as the member of g answers
// for. It says so only where the glass is broken.
// Overrides of lifted are not asked then.
func (g Glass) LiftAll(denials []Denial, lifted Lifting) Lifting {
	out := Lifting{Uses: worthNothing(lifted.Uses, "the glass was to be broken, and overrides are not asked then")}
	for _, d := range denials {
		if d.Overridable {
			if g.Signed == nil {
				continue
			}
			out.Lifted = append(out.Lifted, Lifted{d, []string{addrs.Visible(g.Member.Name) + " (break-glass)"}})
			continue
		}
		out.Left = append(out.Left, d)
	}
	return out
}
