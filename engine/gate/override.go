package gate

import (
	"cmp"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
)

// Denial is a decision that denies, and the package that made it.
type Denial struct {
	Stage string
	plan.Decision
}

// Name is how an override names it.
func (d Denial) Name() evidence.Denial {
	return evidence.Denial{Stage: d.Stage, Source: d.Source, Rule: d.Rule, Address: d.Address}
}

// Denials are those of a stage's decisions that deny.
func Denials(stage string, decisions []plan.Decision) []Denial {
	var out []Denial
	for _, d := range decisions {
		if d.Level == plan.Deny {
			out = append(out, Denial{stage, d})
		}
	}
	return out
}

// Override is one that counts.
type Override struct {
	Approver config.Approver
	Signed   evidence.Override
	Document Document
}

// Lifted is a denial that does not stop the plan, and who answers for that.
type Lifted struct {
	Denial
	By []string
}

// Lifting is what overrides do to the denials of a plan.
type Lifting struct {
	// Overrides are those that count.
	Overrides []Override
	// Ignored explains every override that does not count, a sentence each.
	Ignored []string
	// Uses are all uses of approvers' keys, counted or not.
	Uses []Use
	// Lifted are the denials that are lifted, Left those that deny.
	Lifted []Lifted
	Left   []Denial
	// Void are sentences about overrides that count, and that a denial which nobody
	// named makes worth nothing.
	Void []string
}

// Lift holds overrides against all denials of the plan so far. Every denial must be
// named, or none is lifted: a plan that does one thing more than its overriders knew
// is not the one that they answer for.
func (q Question) Lift(may *config.Override, documents []Document, denials []Denial) Lifting {
	var out Lifting
	q.Approvers = Persons(q.Approvers)
	for _, d := range documents {
		o, why := q.override(may, d, denials)
		if o != nil {
			out.Uses = append(out.Uses, usedFor(o.Approver, DidOverride(o.Signed.PlanID), o.Signed, why))
		}
		if why != "" {
			out.Ignored = append(out.Ignored, d.Name+" does not count: "+why+".")
			continue
		}
		out.Overrides = append(out.Overrides, *o)
	}
	named := map[evidence.Denial][]string{}
	for _, o := range out.Overrides {
		for _, d := range o.Signed.Denials {
			if !slices.Contains(named[d], o.Approver.Name) {
				named[d] = append(named[d], o.Approver.Name)
			}
		}
	}
	var unnamed []Denial
	for _, d := range denials {
		by := named[d.Name()]
		if !d.Overridable || len(by) == 0 {
			unnamed = append(unnamed, d)
			continue
		}
		out.Lifted = append(out.Lifted, Lifted{d, by})
	}
	if len(unnamed) == 0 {
		return out
	}
	out.Left, out.Lifted = denials, nil
	for _, o := range out.Overrides {
		out.Void = append(out.Void, o.VoidedBy(unnamed))
	}
	out.Uses = worthNothing(out.Uses, "something denies that nobody named")
	return out
}

// worthNothing says of uses that would count why they do not.
func worthNothing(uses []Use, why string) []Use {
	for i := range uses {
		uses[i].Why = cmp.Or(uses[i].Why, why)
	}
	return uses
}

// VoidedBy says that denials which o does not name make it worth nothing.
func (o Override) VoidedBy(unnamed []Denial) string {
	var names []string
	for _, d := range unnamed[:min(len(unnamed), maxNames)] {
		names = append(names, d.Name().String())
	}
	more := ""
	if n := len(unnamed) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("The override by %s (%s) is void: %s%s denies too, and it does not name that.", o.Approver.Name, o.Document.Name, strings.Join(names, ", "), more)
}

// maxNames is how many denials a sentence names.
const maxNames = 3

// override says whose override d is, nil for nobody's, or why it does not count.
func (q Question) override(may *config.Override, d Document, denials []Denial) (*Override, string) {
	signed, err := evidence.ParseOverride(d.Content)
	if err != nil {
		return nil, err.Error()
	}
	a, key, found, why := q.signatory(evidence.OverrideType, d)
	if !found {
		return nil, cmp.Or(why, "it is not signed by any approver of this workspace")
	}
	return &Override{Approver: a, Signed: *signed, Document: d}, q.noOverride(may, a, key, signed, denials)
}

// noOverride says why what a signed does not count; "" if it does.
func (q Question) noOverride(may *config.Override, a config.Approver, key crypto.PublicKey, signed *evidence.Override, denials []Denial) string {
	why := q.unbound(signed.Binding)
	switch {
	case why != "":
		return why
	case a.Ended(q.Now) != "":
		return a.Name + "'s key " + a.Ended(q.Now)
	case may == nil:
		return "there is no override block, which says who may"
	case !inSome(a, may.Groups):
		return a.Name + " is in none of the groups that may override (" + strings.Join(may.Groups, ", ") + ")"
	case signed.ExpiresAt.Sub(signed.CreatedAt) > may.MaxExpires:
		return "it would count for longer than max_expires, " + may.MaxExpires.String()
	}
	if why := q.party(a, key); why != "" {
		return why
	}
	if i := slices.IndexFunc(denials, func(x Denial) bool { return !x.Overridable && slices.Contains(signed.Denials, x.Name()) }); i >= 0 {
		return "it names " + denials[i].Name().String() + ", whose policy is mandatory"
	}
	return ""
}

// unbound says why what is signed is not about this plan, now; "" if it is.
func (q Question) unbound(b evidence.Binding) string {
	f := q.File
	switch {
	case b.PlanID != f.ID || b.PlanDigest != f.Digest:
		return "it is for another plan"
	case b.PolicyDigest != f.Plan.PolicyDigest:
		return "it was signed under other policies"
	case b.TrustDigest != f.Plan.TrustDigest:
		return "it was signed under another trust base"
	case !slices.Equal(b.Targets, Targets(f)):
		return "it names other targets"
	case !q.Now.Before(b.ExpiresAt):
		return "it expired at " + b.ExpiresAt.UTC().Format(time.RFC3339)
	case b.CreatedAt.After(q.Now.Add(5 * time.Minute)):
		return "it is dated in the future"
	}
	return ""
}

// party says why a has too much to do with the run to make an exception for it.
func (q Question) party(a config.Approver, key crypto.PublicKey) string {
	switch {
	case Is(a, q.File.Plan.Requester), slices.ContainsFunc(q.Verified.Requesters(), func(who string) bool { return Is(a, who) }):
		return a.Name + " is the requester"
	case q.signedBy(key):
		return a.Name + "'s key is the one that the requester verified herself with"
	case slices.ContainsFunc(q.Operators, func(who string) bool { return Is(a, who) }):
		return a.Name + " is the operator"
	case slices.ContainsFunc(q.Authors, func(who string) bool { return Is(a, who) }):
		return a.Name + " is an author of the change of the workspace"
	}
	return ""
}

func inSome(a config.Approver, groups []string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(a.Groups, g) })
}

// MayOverride names the approvers who could override, as far as blocks tell.
func (q Question) MayOverride(may *config.Override) []string {
	var out []string
	if may == nil {
		return nil
	}
	for _, a := range Persons(q.Approvers) {
		if inSome(a, may.Groups) && a.Ended(q.Now) == "" && !slices.ContainsFunc(append(slices.Clone(q.Authors), q.File.Plan.Requester), func(who string) bool { return Is(a, who) }) {
			out = append(out, a.Name)
		}
	}
	return out
}
