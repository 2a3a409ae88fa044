package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// notOverridden stands behind each denial of an overridable policy.
const notOverridden = " (This policy is overridable, and nothing overrides it: it denies.)"

// union gathers what the sources say.
type union struct {
	addresses map[string]bool
	decisions []plan.Decision
	strength  lifecycle.Strength
	// counts is how many approvals of a group each address needs; "" is the whole plan.
	counts map[string]map[string]int
}

func newUnion(in *Input) *union {
	u := &union{addresses: make(map[string]bool, len(in.Resets)), strength: lifecycle.None, counts: map[string]map[string]int{}}
	for i := range in.Resets {
		u.addresses[in.Resets[i].Address] = true
	}
	return u
}

// add takes in one source's answers.
func (u *union) add(c *compiled, stage Stage, answers map[string]ast.Set) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, set := range sets {
		answer := answers[set]
		if answer == nil {
			continue
		}
		for _, t := range answer.Slice() {
			if err := u.addOne(c, set, t); err != nil {
				rules := c.compiler.GetRulesExact(ast.MustParseRef("data." + string(stage) + "." + set))
				diags = append(diags, c.texts.at(rules[0].Location, "Policy result of the wrong type",
					"Policy %q, %s.%s: %v. What is not understood denies.", c.name, stage, set, err)...)
				if len(diags) == maxErrors {
					return diags
				}
			}
		}
	}
	return diags
}

func (u *union) addOne(c *compiled, set string, t *ast.Term) error {
	if set == "require" {
		r, err := requirementOf(t)
		if err != nil {
			return err
		}
		if err := u.known(r.address); err != nil {
			return err
		}
		if r.strength != "" {
			if r.strength.AtLeast(u.strength) {
				u.strength = r.strength
			}
			return nil
		}
		if u.counts[r.group] == nil {
			u.counts[r.group] = map[string]int{}
		}
		u.counts[r.group][r.address] = max(u.counts[r.group][r.address], r.approvals)
		return nil
	}
	d, err := decision(t)
	if err != nil {
		return err
	}
	if err := u.known(d.Address); err != nil {
		return err
	}
	d.Source, d.Level = c.name, plan.Warn
	if set == "deny" {
		switch c.enforcement {
		case Advisory:
			d.Level = plan.Overridden
		case Overridable:
			d.Level = plan.Deny
			d.Message += notOverridden
		default:
			d.Level = plan.Deny
		}
	}
	u.decisions = append(u.decisions, d)
	return nil
}

func (u *union) known(address string) error {
	if address != "" && !u.addresses[address] {
		return fmt.Errorf("the address %q is none of the plan's", address)
	}
	return nil
}

func (u *union) result() Verdict {
	slices.SortFunc(u.decisions, func(a, b plan.Decision) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Address, b.Address), cmp.Compare(a.Message, b.Message), slices.Compare(a.Controls, b.Controls))
	})
	if u.decisions == nil {
		u.decisions = []plan.Decision{}
	}
	return Verdict{Decisions: u.decisions, Requirements: plan.Requirements{Approvals: u.approvals(), Strength: u.strength}}
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
