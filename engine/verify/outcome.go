package verify

import (
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// Outcome is what is known of who asks for a plan, and of the people whose
// secrets it resets. The zero Outcome knows nothing.
type Outcome struct {
	// Identity of the requester; "" while she is not verified.
	Identity string
	// Strength with which she was verified; "" is none (see Level).
	Strength lifecycle.Strength
	// Bound is whether what Level rests on is about this very plan.
	Bound bool
	// Accepted are all verifications that count.
	Accepted []Accepted
}

// Level is how surely the requester was verified.
func (o Outcome) Level() lifecycle.Strength {
	if o.Strength == "" {
		return lifecycle.None
	}
	return o.Strength
}

// outcome sums up. Where several people were verified as the requester, the most
// surely verified one is, and of equals the one whom the plan names.
func outcome(file *plan.File, accepted []Accepted) Outcome {
	out := Outcome{Accepted: accepted, Strength: lifecycle.None}
	for _, a := range accepted {
		if a.Address != "" {
			continue
		}
		level, bound := level(accepted, a.Identity, "")
		better := level.AtLeast(out.Strength) && level != out.Strength
		if level != lifecycle.None && (better || level == out.Strength && Same(a.Identity, file.Plan.Requester)) {
			out.Identity, out.Strength, out.Bound = a.Identity, level, bound
		}
	}
	return out
}

// Same reports whether two identities are one. The case of letters counts, but for
// mail addresses and names with a prefix (github:alice), whose authorities do not
// tell case apart. Letters that merely fold to an ASCII one never count as it.
func Same(a, b string) bool {
	loose := strings.ContainsAny(a, "@:") && len(a) == len(b)
	return a == b || loose && strings.EqualFold(a, b)
}

// Requesters are all who were verified as the requester: none of them is somebody else.
func (o Outcome) Requesters() []string {
	var out []string
	for _, a := range o.Accepted {
		if a.Address == "" && a.Strength != lifecycle.None && !slices.Contains(out, a.Identity) {
			out = append(out, a.Identity)
		}
	}
	return out
}

// As is how surely somebody was verified as the requester, and whether that is about
// this very plan.
func (o Outcome) As(who string) (lifecycle.Strength, bool) { return level(o.Accepted, who, "") }

// Subject is how surely it is known that who wants the credential at address
// reset. Who asks for the plan herself asks for all of it.
func (o Outcome) Subject(address, who string) lifecycle.Strength {
	own, _ := level(o.Accepted, who, address)
	whole, _ := level(o.Accepted, who, "")
	if whole.AtLeast(own) {
		return whole
	}
	return own
}

// level is how surely one person was verified in one matter.
func level(accepted []Accepted, who, address string) (lifecycle.Strength, bool) {
	best, bound := lifecycle.None, false
	var saved, single bool
	for _, a := range accepted {
		if a.Address != address || !Same(a.Identity, who) {
			continue
		}
		if a.Strength.AtLeast(best) {
			bound = a.Bound || bound && a.Strength == best
			best = a.Strength
		}
		saved = saved || a.Factor == provider.SavedRecoveryCode
		single = single || a.Factor == provider.SingleFactor || a.Factor == provider.MultiFactor
	}
	if saved && single && !best.AtLeast(lifecycle.AAL2) {
		// SP 800-63B-4 §4.2.2.2: one recovery code, and a single-factor authenticator
		// bound to the account. Nothing else adds up: two things that somebody has
		// are still one factor.
		return lifecycle.AAL2, false
	}
	return best, bound
}
