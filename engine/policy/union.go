package policy

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// union gathers what the sources say.
type union struct {
	// addresses are those of the resets, with their steps on every side that is asked about.
	addresses map[string][]Step
	decisions []plan.Decision
	strength  lifecycle.Strength
	// counts is how many approvals of a group each address needs; "" is the whole plan.
	counts map[string]map[string]int
}

func newUnion(in *Input) *union {
	u := &union{addresses: make(map[string][]Step, len(in.Resets)), strength: lifecycle.None, counts: map[string]map[string]int{}}
	for i := range in.Resets {
		u.addresses[in.Resets[i].Address] = in.Resets[i].Steps
	}
	return u
}

// also makes known what steps the same resets have in another input.
func (u *union) also(in *Input) {
	for i := range in.Resets {
		r := &in.Resets[i]
		u.addresses[r.Address] = slices.Concat(u.addresses[r.Address], r.Steps)
	}
}

// add takes in what one source says.
func (u *union) add(from *judged, findings []finding) error {
	for i := range findings {
		f := &findings[i]
		if err := f.check(u.addresses); err != nil {
			return err
		}
		if f.Set == "require" {
			u.require(f)
			continue
		}
		d := plan.Decision{Source: from.name, Level: plan.Warn, Rule: f.Rule, Message: f.Message, Address: f.Address, Step: f.Step, Controls: f.Controls}
		if d.Controls == nil {
			d.Controls = []string{}
		}
		if f.Set == "deny" {
			switch cmp.Or(from.rules[f.Rule], from.enforcement) {
			case Advisory:
				d.Level = plan.Overridden
			case Overridable:
				d.Level, d.Overridable = plan.Deny, true
			default:
				d.Level = plan.Deny
			}
		}
		u.decisions = append(u.decisions, d)
	}
	return nil
}

func (u *union) require(f *finding) {
	if f.Strength.AtLeast(u.strength) { // none at all is weaker than any
		u.strength = f.Strength
	}
	if u.counts[f.Group] == nil {
		u.counts[f.Group] = map[string]int{}
	}
	u.counts[f.Group][f.Address] = max(u.counts[f.Group][f.Address], f.Approvals)
}

// inOrder sorts decisions, and leaves each once.
func inOrder(list []plan.Decision) []plan.Decision {
	slices.SortFunc(list, func(a, b plan.Decision) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Address, b.Address), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Step, b.Step), slices.Compare(a.Controls, b.Controls))
	})
	list = slices.CompactFunc(list, func(a, b plan.Decision) bool { return reflect.DeepEqual(a, b) })
	if list == nil {
		return []plan.Decision{}
	}
	return list
}

func (u *union) result() Verdict {
	return Verdict{Decisions: inOrder(u.decisions), Requirements: plan.Requirements{Approvals: u.approvals(), Strength: u.strength}}
}

// approvals is the shortest list that asks for the same: for each group, what
// the whole plan needs (without addresses; what covers every reset is of the
// whole plan), and what some addresses need beyond that.
func (u *union) approvals() []plan.Approvals {
	out := []plan.Approvals{}
	for _, group := range slices.Sorted(maps.Keys(u.counts)) {
		counts := u.counts[group]
		whole := max(counts[""], u.least(counts))
		if whole > 0 {
			out = append(out, plan.Approvals{Count: whole, Group: group, Addresses: []string{}})
		}
		more := map[int][]string{}
		for address, n := range counts {
			if n > whole {
				more[n] = append(more[n], address)
			}
		}
		for _, n := range slices.Sorted(maps.Keys(more)) {
			slices.Sort(more[n])
			out = append(out, plan.Approvals{Count: n, Group: group, Addresses: more[n]})
		}
	}
	return out
}

// least is the smallest count of all the plan's addresses.
func (u *union) least(counts map[string]int) int {
	if len(u.addresses) == 0 {
		return 0
	}
	least := maxApprovals
	for a := range u.addresses {
		least = min(least, counts[a])
	}
	return least
}
